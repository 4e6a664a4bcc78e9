import { vi } from "vitest";
import { dataCommand } from "../../src/cli/data.js";

/** Runs `breakwater data` in this process; all that it prints, and its exit code. */
export async function runData(...args: readonly string[]): Promise<{ text: string; code: number }> {
  const out: string[] = [];
  const spies = [process.stdout, process.stderr].map((stream) => vi.spyOn(stream, "write").mockImplementation((text) => out.push(String(text)) > 0));
  process.exitCode = undefined;
  let failed = false;
  try {
    await dataCommand().exitOverride().parseAsync(args, { from: "user" });
  } catch (error) {
    failed = true;
    out.push(error instanceof Error ? error.message : String(error));
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  const code = failed ? 1 : Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  return { text: out.join(""), code };
}
