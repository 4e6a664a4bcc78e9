/** Members of a zip archive that lies at a server, by byte ranges: a few pictures without the whole archive. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { inflateRawSync } from "node:zlib";
import pLimit from "p-limit";
import { RandomAccessReader, fromRandomAccessReaderPromise, type Entry } from "yauzl";
import { Readable } from "node:stream";
import { writeFileAtomic } from "../../util/atomic-file.js";
import { messageOf, UserError } from "../../util/errors.js";
import { crc32 } from "./digest.js";
import { plainUrl } from "./errors.js";
import { holds, memberPath } from "./zip.js";
import type { PrepareContext } from "./obtain.js";
import { bytesFrom } from "./source.js";
import type { RemoteFile } from "./types.js";
import { writePicture } from "./write-file.js";

/** What of the end of an archive is read first: more than the end record can take with its longest comment. */
const tailBytes = 1 << 17;

/** Hands yauzl the archive's directory from memory; nothing else of the archive is in it. */
class DirectoryReader extends RandomAccessReader {
  constructor(
    private readonly bytes: Buffer,
    /** Where in the archive they begin. */
    private readonly start: number,
  ) {
    super();
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from([this.bytes.subarray(start - this.start, end - this.start)]);
  }
}

export interface RemoteMembers {
  readonly archive: RemoteFile & { readonly size: number };
  readonly folder: string;
  /** Where the archive's directory is kept, so that it is fetched once. */
  readonly directoryFile: string;
  /** Path within the folder for a member's name, or null to leave it out. */
  readonly place: (name: string) => string | null;
}

/** Fetches the members that are not there yet. Resolves to the paths that the archive has of those wanted. */
export async function fetchMembers(context: PrepareContext, { archive, folder, directoryFile, place }: RemoteMembers): Promise<Set<string>> {
  const directory = await readDirectory(context, archive, directoryFile);
  const members: { entry: Entry; path: string }[] = [];
  try {
    const zip = await fromRandomAccessReaderPromise(new DirectoryReader(directory.bytes, directory.start), archive.size, { lazyEntries: true, autoClose: false });
    for await (const entry of zip.eachEntry()) {
      const path = memberPath(archive.path, folder, entry, place);
      if (path !== null) members.push({ entry, path });
    }
  } catch (error) {
    rmSync(directoryFile, { force: true });
    throw error instanceof UserError ? error : new UserError(`${plainUrl(archive.url)}: not a zip archive that can be read (${messageOf(error)})`);
  }
  let done = 0;
  const limit = pLimit(context.concurrency);
  await Promise.all(
    members.map(({ entry, path }) =>
      limit(async () => {
        context.signal.throwIfAborted();
        if (!holds(path, entry)) writePicture(path, await fetchMember(context, archive, entry));
        context.tell({ kind: "work", dataset: context.dataset, what: `pictures out of ${archive.path}`, done: ++done, total: members.length });
      }),
    ),
  );
  return new Set(members.map(({ path }) => path));
}

/** Directory and end record, from memory of an earlier run where the archive is the same. */
async function readDirectory(context: PrepareContext, archive: RemoteMembers["archive"], file: string): Promise<{ bytes: Buffer; start: number }> {
  const mark = `${archive.size} ${archive.checksum?.value ?? ""}\n`;
  if (existsSync(file)) {
    const kept = readFileSync(file);
    if (kept.subarray(0, mark.length).toString("latin1") === mark) return { bytes: kept.subarray(mark.length), start: archive.size - (kept.length - mark.length) };
  }
  const tail = await range(context, archive, Math.max(0, archive.size - tailBytes), archive.size);
  const start = directoryStart(archive, tail);
  const bytes = start >= archive.size - tail.length ? tail : Buffer.concat([await range(context, archive, start, archive.size - tail.length), tail]);
  writeFileAtomic(file, [Buffer.from(mark, "latin1"), bytes]);
  return { bytes, start: archive.size - bytes.length };
}

/** From the end record, or the zip64 one where the archive needs it. */
function directoryStart(archive: RemoteMembers["archive"], tail: Buffer): number {
  const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (end < 0 || end + 22 > tail.length) throw new UserError(`${plainUrl(archive.url)} is no zip archive`);
  const offset = tail.readUInt32LE(end + 16);
  if (offset !== 0xffffffff) return offset;
  const end64 = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 6, 6]), end);
  if (end64 < 0) throw new UserError(`${plainUrl(archive.url)}: its zip64 end record is not where it is expected`);
  return Number(tail.readBigUInt64LE(end64 + 48));
}

async function fetchMember(context: PrepareContext, archive: RemoteMembers["archive"], entry: Entry): Promise<Uint8Array> {
  // The local header's extra field may be longer than the directory's: a little more is asked for at once.
  const start = entry.relativeOffsetOfLocalHeader;
  const guess = 30 + entry.fileNameRaw.length + entry.extraFieldRaw.length + 64 + entry.compressedSize;
  let bytes = await range(context, archive, start, Math.min(archive.size, start + guess));
  const damaged = (why: string): UserError => new UserError(`${plainUrl(archive.url)}: the member ${JSON.stringify(entry.fileName)} is damaged (${why}). Run the same command again.`);
  if (bytes.length < 30 || bytes.readUInt32LE(0) !== 0x04034b50) throw damaged("no header");
  const from = 30 + bytes.readUInt16LE(26) + bytes.readUInt16LE(28);
  if (bytes.length < from + entry.compressedSize) bytes = await range(context, archive, start, start + from + entry.compressedSize);
  const packed = bytes.subarray(from, from + entry.compressedSize);
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) throw damaged(`compression method ${entry.compressionMethod}`);
  let content: Uint8Array;
  try {
    content = entry.compressionMethod === 0 ? packed : inflateRawSync(packed, { maxOutputLength: Math.max(1, entry.uncompressedSize) });
  } catch (error) {
    throw damaged(messageOf(error));
  }
  if (content.length !== entry.uncompressedSize || crc32(content) !== entry.crc32) throw damaged("wrong checksum");
  return content;
}

/** Bytes `[start, end)`. @throws UserError where the server does not give ranges. */
async function range({ source, dataset, paths }: PrepareContext, archive: RemoteMembers["archive"], start: number, end: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  // In pieces: a broken connection costs a piece, not the whole.
  for (let at = start; at < end; ) {
    const to = Math.min(end, at + (8 << 20));
    const { bytes, status } = await bytesFrom(source, archive.url, { range: `bytes=${at}-${to - 1}` }, [200, 206]);
    if (status !== 206 || bytes.length !== to - at) {
      throw new UserError(`${dataset}: ${plainUrl(archive.url)} gives no byte ranges. Download the whole archive yourself and put it at ${paths.downloads(dataset)}/${archive.path}.`);
    }
    parts.push(bytes);
    at = to;
  }
  return Buffer.concat(parts);
}
