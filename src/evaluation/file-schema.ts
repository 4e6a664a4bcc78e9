/** What the files of evaluations have in common: how they are checked, and the layout of those that the reference writes too. */
import { z } from "zod";
import { UserError } from "../util/errors.js";
import { firstIssue } from "../util/first-issue.js";

/** A text; the reference's files have numbers and truth values there too. */
export const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
export const optional = text.nullish().transform((value) => value ?? null);
export const optionalPath = z.string().nullish().transform((value) => value ?? null);

/** `{summary, results}`, and of ours `breakwater` with the format and a name. */
export function resultsSchema<Row extends z.ZodType, Format extends string>(row: Row, format: Format) {
  return z.object({
    summary: z.object({ model: z.string().nullish() }),
    results: z.array(row),
    breakwater: z.object({ format: z.literal(format), name: z.string().nullable() }).optional(),
  });
}

/** @throws UserError naming the file, the key and what is wrong there; it ends with `verdict`. */
export function checked<T extends z.ZodType>(schema: T, value: unknown, path: string, verdict: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UserError(`${path}: ${firstIssue(parsed.error, "the file")}; ${verdict}`);
}
