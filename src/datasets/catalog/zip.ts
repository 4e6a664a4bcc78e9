/** Unpacking zip archives: no name leaves the folder, each file appears whole, what is there already stays. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import type { Readable } from "node:stream";
import type { Entry, ZipFile } from "yauzl";
import { messageOf, UserError } from "../../util/errors.js";
import { crc32 } from "./digest.js";
import { naming } from "./files.js";

export interface UnzipOptions {
  readonly archive: string;
  readonly folder: string;
  /** Path within the folder for a member's name, or null to leave it out. */
  readonly place: (name: string) => string | null;
  readonly signal: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Resolves to the number of members taken. @throws UserError naming archive and member. */
export async function unzip({ archive, folder, place, signal, onProgress }: UnzipOptions): Promise<number> {
  const zip = await openZip(archive);
  let taken = 0;
  let seen = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      signal.throwIfAborted();
      seen++;
      onProgress?.(seen, zip.entryCount);
      const path = memberPath(archive, folder, entry, place);
      if (path === null) continue;
      taken++;
      if (holds(path, entry)) continue;
      await unpack(await zip.openReadStreamPromise(entry), entry, path, archive);
    }
  } catch (error) {
    throw zipError(archive, error);
  } finally {
    zip.close();
  }
  return taken;
}

export async function openZip(archive: string): Promise<ZipFile> {
  const { openPromise } = await import("yauzl");
  try {
    return await openPromise(archive, { lazyEntries: true, autoClose: false, strictFileNames: true });
  } catch (error) {
    throw zipError(archive, error);
  }
}

/** A member's bytes. @throws UserError where they are not what the archive's directory says. */
export async function memberBytes(zip: ZipFile, entry: Entry, archive: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let crc = 0;
  for await (const chunk of await zip.openReadStreamPromise(entry)) {
    parts.push(chunk as Buffer);
    crc = crc32(chunk as Buffer, crc);
  }
  if (crc !== entry.crc32) throw damaged(archive, entry.fileName);
  return Buffer.concat(parts);
}

/** Whether a file is the member already. */
export function holds(path: string, entry: Pick<Entry, "uncompressedSize" | "crc32">): boolean {
  return existsSync(path) && statSync(path).size === entry.uncompressedSize && crc32(readFileSync(path)) === entry.crc32;
}

/** Where a member goes. @throws UserError for a name that leaves the folder, and for a link. */
export function memberPath(archive: string, folder: string, entry: Pick<Entry, "fileName" | "externalFileAttributes" | "versionMadeBy">, place: (name: string) => string | null): string | null {
  const { fileName } = entry;
  if (fileName.endsWith("/")) return null;
  const name = place(fileName);
  if (name === null) return null;
  const root = resolve(folder);
  const path = resolve(root, name);
  const parts = fileName.split(/[/\\]/);
  if (fileName.startsWith("/") || /^[a-z]:/i.test(fileName) || fileName.includes("\\") || fileName.includes("\0") || parts.includes("..") || !path.startsWith(root + sep)) {
    throw new UserError(`${archive}: the member ${JSON.stringify(fileName)} would be written outside of ${folder}. The archive is not to be trusted; nothing of it is used from here on.`);
  }
  const unixMode = entry.versionMadeBy >>> 8 === 3 ? entry.externalFileAttributes >>> 16 : 0;
  if ((unixMode & 0o170000) === 0o120000) throw new UserError(`${archive}: the member ${JSON.stringify(fileName)} is a link. The archive is not to be trusted.`);
  return path;
}

async function unpack(stream: Readable, entry: Entry, path: string, archive: string): Promise<void> {
  const temporary = `${path}.tmp-${process.pid}`;
  const fd = naming(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(temporary, "w");
  });
  let crc = 0;
  try {
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        crc = crc32(chunk, crc);
        naming(path, () => {
          for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
        });
      }
    } finally {
      closeSync(fd);
    }
    if (crc !== entry.crc32) throw damaged(archive, entry.fileName);
    naming(path, () => renameSync(temporary, path));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function damaged(archive: string, name: string): UserError {
  return new UserError(`${archive}: the member ${JSON.stringify(name)} is damaged. Delete the archive and run the same command again.`);
}

function zipError(archive: string, error: unknown): unknown {
  if (error instanceof UserError || (error instanceof Error && error.name === "AbortError")) return error;
  if (/relative path|absolute path|invalid characters/.test(messageOf(error))) {
    return new UserError(`${archive}: a member would be written outside of its folder (${messageOf(error)}). The archive is not to be trusted; nothing of it is used from here on.`);
  }
  return error instanceof Error && "code" in error ? error : new UserError(`${archive}: not a zip archive that can be read (${messageOf(error)}). Delete it and run the same command again.`);
}

/** Takes the members below `prefix`, without it; leaves out what macOS adds. */
export function below(prefix: string): (name: string) => string | null {
  return (name) => (name.startsWith(prefix) && !name.startsWith("__MACOSX") && name.length > prefix.length ? join(name.slice(prefix.length)) : null);
}
