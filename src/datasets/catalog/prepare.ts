/** Prepares data sets one after the other, then joins what is here. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "../../util/atomic-file.js";
import { UserError } from "../../util/errors.js";
import { StatusError } from "./errors.js";
import { naming } from "./files.js";
import { hostsFrom } from "./hosts.js";
import { joinSets, type JoinSet } from "./join.js";
import { writeJoin, type JoinReport } from "./join-files.js";
import { layout } from "./layout.js";
import { lockData } from "./lock.js";
import { fingerprint, type PrepareContext } from "./obtain.js";
import { catalog, groups } from "./registry.js";
import { defaultRetry } from "./retry.js";
import { hubTests } from "./sets/hub-test.js";
import { medthink } from "./sets/medthink.js";
import { mimicVqa } from "./sets/mimic-vqa.js";
import { pathvqa } from "./sets/pathvqa.js";
import { pmcVqa } from "./sets/pmc-vqa.js";
import type { MimicFolders, Preparer } from "./sets/preparer.js";
import { slake } from "./sets/slake.js";
import { vqaMed } from "./sets/vqa-med.js";
import { vqaRad } from "./sets/vqa-rad.js";
import type { Listing, Tell } from "./types.js";

const preparers: readonly Preparer[] = [medthink, vqaRad, slake, pathvqa, pmcVqa, ...vqaMed, ...hubTests, mimicVqa];

export interface PrepareOptions {
  readonly names: readonly string[];
  readonly dir: string;
  readonly offline: boolean;
  readonly concurrency: number;
  readonly mimic: MimicFolders;
  /** `process.env`: HF_TOKEN, HF_ENDPOINT and the other hosts. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly tell: Tell;
}

export interface PrepareResult {
  readonly prepared: readonly { readonly name: string; readonly counts: Readonly<Record<string, number>>; readonly fresh: boolean }[];
  /** Sets that could not be prepared, and why. */
  readonly failed: readonly { readonly name: string; readonly message: string }[];
  readonly join: JoinReport | null;
}

/** Names and groups as names, in the order in which they are prepared. @throws UserError naming an unknown one. */
export function expandNames(names: readonly string[]): string[] {
  const known = catalog.map(({ name }) => name);
  const all = names.flatMap((name) => groups[name] ?? [name]);
  const unknown = all.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UserError(`${JSON.stringify(unknown)} is no data set known here. Known are ${known.join(", ")}, and the groups ${Object.keys(groups).join(", ")}.`);
  return preparers.map(({ name }) => name).filter((name) => all.includes(name));
}

/** A set that fails does not keep the others from being prepared. @throws the signal's reason when it is aborted. */
export async function prepare(options: PrepareOptions): Promise<PrepareResult> {
  const { signal, tell, environment } = options;
  const names = expandNames(options.names);
  const dir = resolve(options.dir);
  naming(dir, () => mkdirSync(dir, { recursive: true }));
  const lock = lockData(dir);
  try {
    sweep(dir);
    const hosts = hostsFrom(environment);
    const token = environment.HF_TOKEN?.trim();
    const prepared: { name: string; counts: Readonly<Record<string, number>>; fresh: boolean }[] = [];
    const failed: { name: string; message: string }[] = [];
    for (const name of names) {
      const preparer = preparers.find((one) => one.name === name);
      if (preparer === undefined) continue;
      const settings = { ...defaultRetry, delayMs: number(environment, "BREAKWATER_RETRY_DELAY_MS", defaultRetry.delayMs), signal, random: Math.random };
      const context: PrepareContext = {
        dir,
        paths: layout(dir),
        dataset: name,
        source: {
          hosts,
          http: { fetch, token: token ? { origin: new URL(hosts.hub).origin, value: token } : null, stallMs: number(environment, "BREAKWATER_STALL_MS", 60_000), signal },
          retry: settings,
          onRetry: (message) => tell({ kind: "retry", dataset: name, path: "listing", message }),
        },
        offline: options.offline,
        concurrency: options.concurrency,
        tell,
        signal,
      };
      try {
        prepared.push({ name, ...(await prepareOne(context, preparer, options.mimic)) });
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof Error)) throw error;
        if (error instanceof StatusError) failed.push({ name, message: `${name}: ${error.message}; the source may have moved: docs/data.md says where it was and how to put the files there by hand` });
        else if (error instanceof UserError) failed.push({ name, message: error.message });
        else throw error;
      }
    }
    const touched = names.some((name) => name === "medthink" || joinSets.includes(name as JoinSet));
    return { prepared, failed, join: touched ? writeJoin(dir) : null };
  } finally {
    lock.release();
  }
}

/** Removes the half-written files of a process that was killed; their places are unknown to anyone else. */
function sweep(dir: string): void {
  for (const part of ["Data_RAW", "Data_Preprocessed", "Medthink", "examples", "downloads"]) {
    const folder = join(dir, part);
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) if (/\.tmp-\d+$/.test(name)) naming(join(folder, name), () => rmSync(join(folder, name), { force: true }));
  }
}

const preparedSchema = z.object({ source: z.string(), revision: z.string().nullable(), fingerprint: z.string(), counts: z.record(z.string(), z.number()) });
export type Prepared = z.output<typeof preparedSchema>;

/** The note that a set is whole, or null. */
export function readPrepared(dir: string, name: string): Prepared | null {
  try {
    return preparedSchema.parse(JSON.parse(readFileSync(layout(dir).prepared(name), "utf8")));
  } catch {
    return null;
  }
}

async function prepareOne(context: PrepareContext, preparer: Preparer, mimic: MimicFolders): Promise<{ counts: Readonly<Record<string, number>>; fresh: boolean }> {
  const { dir, dataset, paths, tell, offline } = context;
  let listing: Listing;
  try {
    listing = await preparer.obtain(context, mimic);
  } catch (error) {
    // Files that the reference's own scripts have put there serve as well.
    const outputs = preparer.outputs(context);
    if (!offline || !(error instanceof UserError) || outputs.length === 0 || !outputs.every((path) => existsSync(path))) throw error;
    tell({ kind: "note", dataset, message: `used as it lies in ${paths.raw(dataset)}; what was downloaded for it is not here, so nothing was checked` });
    return { counts: {}, fresh: false };
  }
  const print = fingerprint(listing, preparer.builder);
  const before = readPrepared(dir, dataset);
  if (before?.fingerprint === print && preparer.outputs(context).every((path) => existsSync(path))) return { counts: before.counts, fresh: false };
  const counts = await preparer.build(context, listing);
  const note: Prepared = { source: listing.source, revision: listing.revision, fingerprint: print, counts };
  writeFileAtomic(paths.prepared(dataset), `${JSON.stringify(note, null, 1)}\n`);
  return { counts, fresh: true };
}

function number(environment: PrepareOptions["environment"], variable: string, usual: number): number {
  const text = environment[variable]?.trim();
  if (!text) return usual;
  if (!/^\d+$/.test(text) || Number(text) === 0) throw new UserError(`${variable}: ${JSON.stringify(text)} is no whole number of milliseconds from 1`);
  return Number(text);
}
