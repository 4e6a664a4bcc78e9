/** Resumable download of one file: `<path>.part` holds what came so far and `<path>.part.json` what it belongs to. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../../util/errors.js";
import { isRecord } from "../../util/json-file.js";
import { hasChecksum } from "./digest.js";
import { plainUrl, TransientError } from "./errors.js";
import { naming } from "./files.js";
import { get, type Answer, type HttpSettings } from "./http.js";
import { Backoff, type RetrySettings } from "./retry.js";
import type { Checksum } from "./types.js";

export interface DownloadOptions {
  readonly url: string;
  readonly path: string;
  readonly size: number | null;
  readonly checksum: Checksum | null;
  readonly http: HttpSettings;
  readonly retry: RetrySettings;
  readonly onProgress?: (received: number, size: number | null) => void;
  readonly onRetry?: (message: string) => void;
}

/** What a part belongs to: another validator, size or checksum means that it is of another file. */
interface PartNote {
  readonly validator: string | null;
  readonly expected: string | null;
}

/** Resolves when the whole file, verified, lies at `path`. @throws UserError when it cannot be had. */
export async function download(options: DownloadOptions): Promise<void> {
  const { path, checksum } = options;
  const backoff = new Backoff(options.retry, path, options.onRetry);
  naming(path, () => mkdirSync(dirname(path), { recursive: true }));
  let wrong = 0;
  for (;;) {
    try {
      await attempt(options, () => backoff.progressed());
    } catch (error) {
      await backoff.failed(error);
      continue;
    }
    if (checksum === null || (await hasChecksum(partOf(path), checksum))) break;
    discard(path);
    if (++wrong === 2) {
      throw new UserError(`${path}: what ${plainUrl(options.url)} gives has not the ${checksum.algorithm} that the source names (${checksum.value}), twice. The source or something on the way is broken; try again later.`);
    }
    options.onRetry?.(`${path}: wrong ${checksum.algorithm}; from the start`);
  }
  naming(path, () => {
    flush(partOf(path));
    renameSync(partOf(path), path);
    rmSync(noteOf(path), { force: true });
  });
}

function partOf(path: string): string {
  return `${path}.part`;
}

function noteOf(path: string): string {
  return `${path}.part.json`;
}

function discard(path: string): void {
  naming(path, () => {
    rmSync(partOf(path), { force: true });
    rmSync(noteOf(path), { force: true });
  });
}

function flush(path: string): void {
  const fd = openSync(path, "r+");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

async function attempt(options: DownloadOptions, progressed: () => void): Promise<void> {
  const { url, path, size, http } = options;
  const have = resumable(options);
  if (size !== null && have.bytes === size && existsSync(partOf(path))) return;
  const resume = have.bytes > 0 ? { range: `bytes=${have.bytes}-`, ...(have.validator === null ? {} : { "if-range": have.validator }) } : {};
  const answer = await get(http, url, resume, [200, 206, 416]);
  try {
    let from = 0;
    let total = size;
    if (answer.status === 206) {
      const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers.get("content-range") ?? "");
      from = range === null ? -1 : Number(range[1]);
      if (range !== null && range[2] !== "*") total ??= Number(range[2]);
      const changed = have.validator !== null && validatorOf(answer) !== null && validatorOf(answer) !== have.validator;
      if (from !== have.bytes || changed) {
        discard(path);
        throw new TransientError(`${plainUrl(url)} gave another part than was asked for`);
      }
    } else if (answer.status === 416) {
      // Nothing is left to fetch, or the file has become shorter.
      const all = /^bytes \*\/(\d+)$/.exec(answer.headers.get("content-range") ?? "");
      if (all !== null && Number(all[1]) === have.bytes && size === null) return;
      discard(path);
      throw new TransientError(`${plainUrl(url)} has no bytes from ${have.bytes} on`);
    } else {
      if (have.bytes > 0) discard(path);
      const length = answer.headers.get("content-length");
      if (length !== null && answer.headers.get("content-encoding") === null) total ??= Number(length);
    }
    const note: PartNote = { validator: validatorOf(answer), expected: expectation(options) };
    if (from === 0) naming(path, () => writeFileSync(noteOf(path), JSON.stringify(note)));
    const received = await append(options, answer, from, total, progressed);
    if (total !== null && received > total) {
      discard(path);
      throw new TransientError(`${plainUrl(url)} gave ${received} bytes instead of ${total}`);
    }
    if (total !== null && received < total) throw new TransientError(`${plainUrl(url)} broke off at ${received} of ${total} bytes`);
  } finally {
    answer.close();
  }
}

async function append(options: DownloadOptions, answer: Answer, from: number, total: number | null, progressed: () => void): Promise<number> {
  const part = partOf(options.path);
  const fd = naming(options.path, () => openSync(part, from > 0 ? "r+" : "w"));
  let at = from;
  try {
    options.onProgress?.(at, total);
    for await (const chunk of answer.chunks()) {
      naming(options.path, () => {
        for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done, chunk.length - done, at + done);
      });
      at += chunk.length;
      progressed();
      options.onProgress?.(at, total);
      if (total !== null && at > total) break;
    }
  } finally {
    closeSync(fd);
  }
  return at;
}

/** How much of the part can be kept, and what the server must still agree to. */
function resumable(options: DownloadOptions): { readonly bytes: number; readonly validator: string | null } {
  const nothing = { bytes: 0, validator: null };
  const part = partOf(options.path);
  if (!existsSync(part)) return nothing;
  const note = readNote(noteOf(options.path));
  const bytes = statSync(part).size;
  // Without a validator only a checksum at the end can tell whether both halves are of one file.
  const usable = note !== null && note.expected === expectation(options) && (note.validator !== null || options.checksum !== null);
  if (!usable || (options.size !== null && bytes > options.size)) {
    discard(options.path);
    return nothing;
  }
  return { bytes, validator: note.validator };
}

function readNote(path: string): PartNote | null {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (!isRecord(value)) return null;
    const text = (key: string): string | null => (typeof value[key] === "string" ? value[key] : null);
    return { validator: text("validator"), expected: text("expected") };
  } catch {
    return null;
  }
}

function expectation({ size, checksum }: DownloadOptions): string | null {
  return checksum === null && size === null ? null : `${size ?? "?"} ${checksum?.algorithm ?? ""} ${checksum?.value ?? ""}`;
}

/** A strong ETag or, failing that, the date: what If-Range takes. */
function validatorOf(answer: Answer): string | null {
  const tag = answer.headers.get("etag");
  return tag !== null && !tag.startsWith("W/") ? tag : answer.headers.get("last-modified");
}
