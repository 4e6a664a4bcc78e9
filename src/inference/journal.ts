/**
 * What was answered so far, one JSON line a completion, appended as it comes: a run killed at any moment loses nothing
 * but what was under way. The first line holds the settings; a last line without its line feed was cut off by the
 * kill and does not count.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, UserError } from "../util/errors.js";
import { isRecord } from "../util/json-file.js";

export interface JournalContents<T> {
  readonly header: unknown;
  /** By number of the task; a later line replaces an earlier one. */
  readonly entries: ReadonlyMap<number, T>;
  /** Bytes up to the last whole line. */
  readonly bytes: number;
}

/** `null` where there is no journal, or none with a whole first line. @throws UserError for a file that is no journal. */
export function readJournal<T>(path: string, parse: (value: unknown, at: number) => T): JournalContents<T> | null {
  if (!existsSync(path)) return null;
  const data = readFileSync(path);
  const end = data.lastIndexOf(10) + 1;
  const lines = data.subarray(0, end).toString("utf8").split("\n").slice(0, -1);
  if (lines.length === 0) return null;
  const values = lines.map((line, at): unknown => {
    try {
      return JSON.parse(line);
    } catch (error) {
      throw new UserError(`${path}, line ${at + 1}: ${messageOf(error)}; remove the file to begin anew`);
    }
  });
  const entries = new Map<number, T>();
  values.slice(1).forEach((value, at) => {
    if (!isRecord(value) || typeof value.at !== "number") throw new UserError(`${path}, line ${at + 2}: is no entry of a journal; remove the file to begin anew`);
    entries.set(value.at, parse(value.value, value.at));
  });
  return { header: values[0], entries, bytes: end };
}

/** Appends to a journal; one writer at a time. */
export class JournalWriter<T> {
  private readonly fd: number;

  /** @param keep bytes of an existing journal to go on behind; 0 begins anew with `header`. */
  constructor(
    private readonly path: string,
    header: unknown,
    keep: number,
  ) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      if (keep > 0) truncateSync(path, keep);
      else writeFileSync(path, "");
      // Appending: lines of a second process that was started by mistake stand whole beside ours.
      this.fd = openSync(path, "a");
      if (keep === 0) this.write(`${JSON.stringify(header)}\n`);
    } catch (error) {
      throw this.failed(error);
    }
  }

  /** All entries in one write. @throws UserError naming the file, on a full disk for one. */
  add(entries: readonly { readonly at: number; readonly value: T }[]): void {
    this.write(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  }

  close(): void {
    try {
      fsyncSync(this.fd);
    } finally {
      closeSync(this.fd);
    }
  }

  private write(text: string): void {
    const bytes = Buffer.from(text, "utf8");
    try {
      let at = 0;
      while (at < bytes.length) at += writeSync(this.fd, bytes, at);
    } catch (error) {
      throw this.failed(error);
    }
  }

  private failed(error: unknown): UserError {
    if (error instanceof UserError) return error;
    return new UserError(`${this.path}: cannot be written (${messageOf(error)}); what was answered before is kept: free some space and run again`, { cause: error });
  }
}
