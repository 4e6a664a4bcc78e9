/** From a listing to files that are here: what is missing is fetched, what has changed at the source is fetched anew. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, statSync } from "node:fs";
import { resolve, sep } from "node:path";
import pLimit from "p-limit";
import { z } from "zod";
import { writeFileAtomic } from "../../util/atomic-file.js";
import { UserError } from "../../util/errors.js";
import { download } from "./download.js";
import { StatusError } from "./errors.js";
import { naming } from "./files.js";
import type { layout } from "./layout.js";
import type { Source } from "./source.js";
import type { Listing, RemoteFile, Tell } from "./types.js";

export interface PrepareContext {
  /** Absolute. */
  readonly dir: string;
  readonly paths: ReturnType<typeof layout>;
  /** Name of the set being prepared. */
  readonly dataset: string;
  readonly source: Source;
  readonly offline: boolean;
  /** Downloads at the same time. */
  readonly concurrency: number;
  readonly tell: Tell;
  readonly signal: AbortSignal;
}

const listingSchema = z.object({
  source: z.string(),
  revision: z.string().nullable(),
  files: z.array(
    z.object({
      path: z.string(),
      url: z.string(),
      size: z.number().nullable(),
      checksum: z.object({ algorithm: z.enum(["sha256", "md5", "git-sha1"]), value: z.string() }).nullable(),
    }),
  ),
});

/** @param target where a file goes, absolute. */
export async function obtain(context: PrepareContext, list: () => Promise<Listing>, target: (file: RemoteFile) => string): Promise<Listing> {
  const { dataset, offline, paths, tell } = context;
  const before = readListing(paths.listing(dataset));
  if (offline) return hereAlready(context, before, target);
  const listing = await list();
  for (const file of listing.files) {
    const old = before?.files.find(({ path }) => path === file.path);
    if (old !== undefined && (old.size !== file.size || old.checksum?.value !== file.checksum?.value)) {
      naming(target(file), () => rmSync(target(file), { force: true }));
      tell({ kind: "note", dataset, message: `${file.path} has changed at its source and is fetched anew` });
    }
  }
  writeFileAtomic(paths.listing(dataset), `${JSON.stringify(listing, null, 1)}\n`);
  const missing = listing.files.filter((file) => !isHere(file, target(file)));
  for (const file of listing.files) if (!missing.includes(file)) tell({ kind: "file", dataset, path: file.path, state: "here", received: file.size ?? 0, size: file.size });
  checkSpace(context, missing);
  await fetchAll(context, missing, target, listing.source);
  return listing;
}

function hereAlready({ dataset, paths }: PrepareContext, listing: Listing | null, target: (file: RemoteFile) => string): Listing {
  if (listing === null) throw new UserError(`${dataset}: --offline, and nothing of it is in ${paths.downloads(dataset)}. Run once without --offline.`);
  const missing = listing.files.filter((file) => !isHere(file, target(file)));
  if (missing.length > 0) {
    const shown = missing.slice(0, 5).map((file) => target(file));
    throw new UserError(`${dataset}: --offline, and ${missing.length} of ${listing.files.length} files are missing: ${shown.join(", ")}${missing.length > shown.length ? ", …" : ""}. Run once without --offline.`);
  }
  return listing;
}

export function readListing(path: string): Listing | null {
  try {
    return listingSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return null;
  }
}

/** A file under its own name was whole and verified when it got it. */
function isHere({ size }: RemoteFile, path: string): boolean {
  return existsSync(path) && (size === null || statSync(path).size === size);
}

function checkSpace({ dir, dataset }: PrepareContext, files: readonly RemoteFile[]): void {
  naming(dir, () => mkdirSync(dir, { recursive: true }));
  const needed = files.reduce((sum, { size }) => sum + (size ?? 0), 0);
  const { bavail, bsize } = statfsSync(dir);
  if (needed > bavail * bsize) throw new UserError(`${dataset} needs ${megabytes(needed)} for its downloads, and ${dir} has ${megabytes(bavail * bsize)} left. Free some space or name another --data-dir.`);
}

export function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

async function fetchAll(context: PrepareContext, files: readonly RemoteFile[], target: (file: RemoteFile) => string, page: string): Promise<void> {
  const { dataset, source, tell, signal } = context;
  // The first failure stops the others; their parts stay.
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const limit = pLimit(context.concurrency);
  const failures: unknown[] = [];
  await Promise.all(
    files.map((file) =>
      limit(async () => {
        if (both.aborted) return;
        tell({ kind: "file", dataset, path: file.path, state: "start", received: 0, size: file.size });
        let received = 0;
        try {
          await download({
            url: file.url,
            path: target(file),
            size: file.size,
            checksum: file.checksum,
            http: { ...source.http, signal: both },
            retry: { ...source.retry, signal: both },
            onProgress: (now, size) => {
              received = now;
              tell({ kind: "file", dataset, path: file.path, state: "progress", received: now, size });
            },
            onRetry: (message) => tell({ kind: "retry", dataset, path: file.path, message }),
          });
          tell({ kind: "file", dataset, path: file.path, state: "done", received, size: received });
        } catch (error) {
          failures.push(error);
          stop.abort(error);
        }
      }),
    ),
  );
  signal.throwIfAborted();
  if (failures.length > 0) throw failures[0] instanceof StatusError ? gone(failures[0], context, page) : failures[0];
}

function gone(error: StatusError, { source, dataset }: PrepareContext, page: string): UserError {
  const access = (error.status === 401 || error.status === 403) && error.url.startsWith(source.hosts.hub);
  const how = access
    ? source.http.token === null ? `accept the conditions on ${page} with your account and set HF_TOKEN to a token of it` : `the account of HF_TOKEN may not read it: accept the conditions on ${page} with it`
    : "the source has changed; see docs/data.md for how to put the files there by hand";
  return new UserError(`${dataset}: ${error.message}; ${how}`);
}

/** A path from a source's listing within a folder. @throws UserError where it would leave it. */
export function within(folder: string, path: string): string {
  const full = resolve(folder, path);
  if (!full.startsWith(resolve(folder) + sep) || path.includes("\0")) throw new UserError(`A source lists a file ${JSON.stringify(path)}, which would be written outside of ${folder}; it is not to be trusted`);
  return full;
}

/** Tells whether what a set was made of is the same. */
export function fingerprint(listing: Listing, builder: number): string {
  const parts = listing.files.map(({ path, size, checksum }) => [path, size, checksum?.value ?? null]);
  return createHash("sha256").update(JSON.stringify([builder, parts])).digest("hex");
}

