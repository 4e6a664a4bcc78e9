import type { z } from "zod";

/** The first thing that a schema found wrong: its key and what it is. @param whole stands for the key where the value itself is wrong. */
export function firstIssue(error: z.ZodError, whole = ""): string {
  const [{ path, message }] = error.issues;
  return `${path.map(String).join(".") || whole}: ${message}`;
}
