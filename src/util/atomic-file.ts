import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf, UserError } from "./errors.js";

/** Writes a whole file or nothing: temporary name beside it, flushed, renamed. @throws UserError with the cause. */
export function writeFileAtomic(path: string, data: string | Uint8Array | readonly Uint8Array[]): void {
  const temporary = `${path}.tmp-${process.pid}`;
  const chunks: readonly Uint8Array[] =
    typeof data === "string" ? [Buffer.from(data, "utf8")] : data instanceof Uint8Array ? [data] : data;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const fd = openSync(temporary, "w");
    try {
      for (const chunk of chunks) for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new UserError(`${path}: cannot be written (${messageOf(error)}); what was there is intact: free some space, mend the folder, or name another place`, { cause: error });
  }
}

/** Makes renames and new names in a folder durable; not every platform lets a folder be opened, then nothing is done. */
export function flushFolder(dir: string): void {
  try {
    const fd = openSync(dir, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Windows refuses to open folders.
  }
}
