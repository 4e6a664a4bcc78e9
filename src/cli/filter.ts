/** What the JSON Lines filters share: reading, checking, naming bad lines, leaving quietly when the reader is gone. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import type { Writable } from "node:stream";
import { z } from "zod";
import { UserError, messageOf } from "../util/errors.js";
import { readJsonLines } from "../util/jsonl.js";

export interface FilterIo {
  readonly input: AsyncIterable<Uint8Array | string>;
  /** Name of the input in messages. */
  readonly source: string;
  readonly output: Writable;
  readonly errors: Writable;
}

/** Ids come back as they came: a string, or a whole number that JSON keeps exact. */
export const idSchema = z.union([z.string(), z.int()], { error: "must be a string or a whole number" });
export type RecordId = z.infer<typeof idSchema>;

/**
 * Calls `use` with each good line and its number, in order, one at a time. A line that is not JSON, does not fit the schema, repeats
 * an id, or that `use` refuses is named on `errors` and passed over. Returns how many were.
 */
export async function eachRecord<T extends { readonly id: RecordId }>(
  io: FilterIo,
  schema: z.ZodType<T>,
  use: (record: T, line: number) => Promise<void> | void,
): Promise<number> {
  let bad = 0;
  const seen = new Map<RecordId, number>();
  const report = (line: number, message: string): void => {
    bad++;
    io.errors.write(`breakwater: ${io.source}, line ${line}: ${message}\n`);
  };
  for await (const item of readJsonLines(io.input)) {
    if ("error" in item) {
      report(item.line, item.error);
      continue;
    }
    const parsed = schema.safeParse(item.value, { reportInput: true });
    if (!parsed.success) {
      report(item.line, parsed.error.issues.map(describeIssue).join("; "));
      continue;
    }
    const { id } = parsed.data;
    const first = seen.get(id);
    if (first !== undefined) {
      report(item.line, `id ${JSON.stringify(id)} stands already on line ${first}; give each line its own`);
      continue;
    }
    seen.set(id, item.line);
    try {
      await use(parsed.data, item.line);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof UserError)) throw error;
      report(item.line, `id ${JSON.stringify(id)}: ${messageOf(error)}`);
    }
  }
  return bad;
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const place = issue.path.reduce<string>(
    (path, key) => (typeof key === "number" ? `${path}[${key}]` : path === "" ? String(key) : `${path}.${String(key)}`),
    "",
  );
  const message = issue.code !== "custom" && issue.input === undefined ? "is missing" : issue.message;
  return place === "" ? message : `${place}: ${message}`;
}

/** Runs a filter on a file or standard input; exit code 1 where a line was bad, quiet where the reader has left. */
export async function runFilter(file: string | undefined, filter: (io: FilterIo) => Promise<number>): Promise<void> {
  const input = file === undefined || file === "-" ? process.stdin : await openFile(file);
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  const source = file === undefined || file === "-" ? "standard input" : file;
  const bad = await filter({ input, source, output: process.stdout, errors: process.stderr });
  if (bad > 0) process.exitCode = 1;
}

async function openFile(file: string): Promise<AsyncIterable<Uint8Array>> {
  const found = await stat(file).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw new UserError(`there is no file ${file}; correct the path`);
    throw new UserError(`cannot read ${file}: ${messageOf(error)}`);
  });
  if (found.isDirectory()) throw new UserError(`cannot read ${file}: it is a folder; name a JSON Lines file`);
  return createReadStream(file);
}
