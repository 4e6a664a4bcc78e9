/**
 * Our own data set file: JSON Lines, one example a line, written and read as a stream.
 *
 * `{id, image, question, answer, goldReasoning?, kind?, dataset?, split?, meta?}`: `image` is a path relative to the
 * file (with `/`), or null; the optional keys are left out where there is nothing to say.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";
import { z } from "zod";
import type { Example } from "../types.js";
import { messageOf, UserError } from "../util/errors.js";

const text = z.string().refine((s) => s.trim() !== "", "is empty");

export const exampleLine = z.strictObject({
  id: text,
  image: text.nullable(),
  question: text,
  answer: text,
  goldReasoning: text.optional(),
  kind: text.optional(),
  /** Name of the data set that it came from. */
  dataset: text.optional(),
  /** Split that it had there. */
  split: text.optional(),
  meta: z.record(z.string(), z.unknown()).optional(),
});
export type ExampleLine = z.output<typeof exampleLine>;

/** What a file name of ours ends in. */
export const exampleFileEnding = ".jsonl";

const chunkBytes = 1 << 18;

/**
 * Writes a data set file; it appears whole, under its name, at `close`. An unfinished one is `<path>.tmp-<pid>`.
 * @throws UserError naming the file where it cannot be written.
 */
export class ExampleWriter {
  private readonly temporary: string;
  private readonly fd: number;
  private buffer: Buffer[] = [];
  private buffered = 0;
  /** Lines so far. */
  count = 0;

  constructor(private readonly path: string) {
    this.temporary = `${path}.tmp-${process.pid}`;
    this.fd = this.naming(() => {
      mkdirSync(dirname(path), { recursive: true });
      return openSync(this.temporary, "w");
    });
  }

  /** @param line its `image` may be absolute; it is stored relative to the file. */
  write(line: ExampleLine): void {
    const image = line.image === null ? null : relativeImage(this.path, line.image);
    const bytes = Buffer.from(`${JSON.stringify({ ...line, image })}\n`, "utf8");
    this.buffer.push(bytes);
    this.buffered += bytes.length;
    this.count++;
    if (this.buffered >= chunkBytes) this.flush();
  }

  close(): void {
    try {
      this.flush();
      this.naming(() => fsyncSync(this.fd));
    } catch (error) {
      this.discard();
      throw error;
    }
    closeSync(this.fd);
    this.naming(() => renameSync(this.temporary, this.path));
  }

  /** Leaves nothing behind. */
  discard(): void {
    closeSync(this.fd);
    rmSync(this.temporary, { force: true });
  }

  private flush(): void {
    const bytes = Buffer.concat(this.buffer);
    this.buffer = [];
    this.buffered = 0;
    this.naming(() => {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at);
    });
  }

  private naming<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new UserError(`${this.path}: cannot be written (${messageOf(error)}); free some space, mend the folder, or name another place`, { cause: error });
    }
  }
}

/** Path of an image as it stands in the file at `path`. */
export function relativeImage(path: string, image: string): string {
  return (isAbsolute(image) ? relative(dirname(resolve(path)), image) : image).split(sep).join("/");
}

export interface ReadLine {
  /** From 1. */
  readonly line: number;
  readonly row: ExampleLine;
}

/** The lines of a data set file, one at a time. @throws UserError naming file, line and key. */
export function* readExampleLines(path: string): Generator<ReadLine> {
  for (const { line, text: source } of readLines(path)) {
    if (source.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(source);
    } catch (error) {
      throw new UserError(`${path}, line ${line}: not JSON (${messageOf(error)}). Correct or remove the line.`);
    }
    const parsed = exampleLine.safeParse(value);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new UserError(`${path}, line ${line}: ${issue.path.length > 0 ? `"${issue.path.join(".")}": ` : ""}${issue.message}. Correct or remove the line.`);
    }
    yield { line, row: parsed.data };
  }
}

/** As the rest of the program sees it; `dataset` and `split` go into `meta`. @param path of the data set file. */
export function lineToExample(path: string, { id, image, question, answer, goldReasoning, kind, dataset, split, meta }: ExampleLine): Example {
  const all = { ...meta, ...(dataset === undefined ? {} : { dataset }), ...(split === undefined ? {} : { split }) };
  return {
    id,
    image: image === null ? null : resolve(dirname(path), image),
    question,
    answer,
    goldReasoning: goldReasoning ?? null,
    ...(kind === undefined ? {} : { kind }),
    ...(Object.keys(all).length === 0 ? {} : { meta: all }),
  };
}

function* readLines(path: string): Generator<{ line: number; text: string }> {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw new UserError(`Cannot read the data set file ${path}: ${messageOf(error)}. Correct the path.`);
  }
  try {
    const chunk = Buffer.alloc(chunkBytes);
    let rest: Buffer[] = [];
    let line = 0;
    for (let read = readSync(fd, chunk); read > 0; read = readSync(fd, chunk)) {
      let from = 0;
      for (let at = chunk.indexOf(10); at >= 0 && at < read; at = chunk.indexOf(10, from)) {
        rest.push(chunk.subarray(from, at));
        yield { line: ++line, text: decode(path, line, Buffer.concat(rest)) };
        rest = [];
        from = at + 1;
      }
      if (from < read) rest.push(Buffer.from(chunk.subarray(from, read)));
    }
    if (rest.length > 0) yield { line: ++line, text: decode(path, line, Buffer.concat(rest)) };
  } finally {
    closeSync(fd);
  }
}

function decode(path: string, line: number, bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: line > 1 }).decode(bytes);
  } catch {
    throw new UserError(`${path}, line ${line}: not UTF-8. Save the file as UTF-8.`);
  }
}
