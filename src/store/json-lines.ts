import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { writeFileAtomic } from "../util/atomic-file.js";

/**
 * An append-only JSON Lines file keyed by a `step` field. A process may be killed inside a write, so that the last line
 * is torn: readers leave out a last line without its newline, and `truncateAfter` drops it.
 */
export class JsonLinesWriter {
  private readonly fd: number;

  constructor(readonly path: string) {
    this.fd = openSync(path, "a");
  }

  append(rows: readonly object[]): void {
    const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(""), "utf8");
    for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at);
  }

  /** Makes everything appended so far durable. */
  flush(): void {
    fsyncSync(this.fd);
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Whole lines of a file that may be growing; an absent file has none. */
export function readJsonLines<T>(path: string): T[] {
  return wholeLines(path).map((line, i) => {
    try {
      return JSON.parse(line) as T;
    } catch (error) {
      throw new Error(`${path}:${i + 1}: not a line of JSON`, { cause: error });
    }
  });
}

/** Keeps the lines with `step` ≤ `lastStep`, byte for byte, and drops the rest and a torn end. */
export function truncateAfter(path: string, lastStep: number): void {
  if (!existsSync(path)) return;
  const kept = wholeLines(path).filter((line) => stepOf(line) <= lastStep);
  writeFileAtomic(path, kept.map((line) => `${line}\n`).join(""));
}

function wholeLines(path: string): string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8").split("\n").slice(0, -1);
}

/** A line that a power failure left unreadable counts as after every step. */
function stepOf(line: string): number {
  try {
    return Number((JSON.parse(line) as { step: number }).step);
  } catch {
    return Infinity;
  }
}
