import { createHash } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, renameSync, rmSync, statSync } from "node:fs";
import { join, sep } from "node:path";
import type { Engine } from "../engine/engine.js";
import { checkpointName, runFiles } from "../store/layout.js";
import { checkpointsOf } from "../store/reader.js";
import { removeTemporary } from "../store/run-folder.js";
import { flushFolder, writeFileAtomic } from "../util/atomic-file.js";
import { messageOf, UserError } from "../util/errors.js";
import type { PendingBatch } from "./lookahead.js";

/** trainer-state.json: what the loop needs beside the engine's own state. All randomness follows from (seed, step). */
export interface TrainerState {
  readonly format: 1;
  readonly step: number;
  readonly epoch: number;
  /** Completions sampled and tokens trained on since the start. */
  readonly rollouts: number;
  readonly tokens: number;
  /** Hash of the configuration: a changed one would not continue the same run. */
  readonly configHash: string;
  /** Hash of the training examples in reading order. */
  readonly dataHash: string;
  /** What answers were scored with: another encoder would not continue the same run. */
  readonly answerScorer?: string;
}

interface Manifest {
  readonly format: 1;
  /** Path inside the folder (with `/`), size in bytes, SHA-256 in hex. */
  readonly files: readonly { readonly path: string; readonly size: number; readonly sha256: string }[];
}

/** Batches that were sampled ahead; not there where none were. */
const PENDING_FILE = "pending.json";

/** The batches that a checkpoint keeps: sampled from weights that are gone. */
export function pendingBatches(dir: string): PendingBatch[] {
  const file = join(dir, PENDING_FILE);
  return existsSync(file) ? readJson<PendingBatch[]>(file) : [];
}

/** Folder of the engine's state inside a checkpoint. */
export const ENGINE_FOLDER = "engine";

/**
 * Saves the exact state of a run: written under a temporary name, hashed, flushed, renamed; then the oldest checkpoints
 * beyond `keep` go. Returns its folder. Whatever fails, the earlier checkpoints stay as they were.
 */
export async function saveCheckpoint(
  runDir: string,
  engine: Engine,
  state: TrainerState,
  { keep, pending }: { readonly keep: number; readonly pending: readonly PendingBatch[] },
): Promise<string> {
  const parent = runFiles.checkpoints(runDir);
  const target = join(parent, checkpointName(state.step));
  await writeFolder(parent, target, async (dir) => {
    mkdirSync(join(dir, ENGINE_FOLDER));
    await engine.save(join(dir, ENGINE_FOLDER), "state");
    writeFileAtomic(join(dir, "trainer-state.json"), `${JSON.stringify(state, null, 2)}\n`);
    if (pending.length > 0) writeFileAtomic(join(dir, PENDING_FILE), `${JSON.stringify(pending)}\n`);
  });
  // Later ones were refused as torn when this run was resumed; they must not push out whole ones.
  const later = checkpointsOf(runDir).filter((checkpoint) => checkpoint.step > state.step);
  const upToNow = checkpointsOf(runDir).filter((checkpoint) => checkpoint.step <= state.step);
  for (const old of [...later, ...upToNow.slice(0, Math.max(0, upToNow.length - keep))]) {
    // Renamed first: a half-removed folder must not look like a torn checkpoint.
    const doomed = join(parent, `.tmp-old-${checkpointName(old.step)}`);
    renameSync(old.dir, doomed);
    rmSync(doomed, { recursive: true, force: true });
  }
  return target;
}

/** Writes the final weights as a Hugging Face folder `model/` of the run. */
export async function saveModel(runDir: string, engine: Engine): Promise<string> {
  const target = runFiles.model(runDir);
  await writeFolder(runDir, target, (dir) => engine.save(dir, "weights"));
  return target;
}

/** Fills a new folder through `write`, adds manifest.json, makes it durable and gives it its name. */
async function writeFolder(parent: string, target: string, write: (dir: string) => Promise<void>): Promise<void> {
  removeTemporary(parent);
  const dir = join(parent, `.tmp-${process.pid}`);
  mkdirSync(dir, { recursive: true });
  try {
    await write(dir);
    const files = filesOf(dir).map((path) => ({ path, ...digest(join(dir, path)) }));
    const manifest: Manifest = { format: 1, files };
    writeFileAtomic(join(dir, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    for (const folder of foldersOf(dir)) flushFolder(folder);
    if (existsSync(target)) {
      // A torn folder of that name was refused on resume; its step has now been made again.
      renameSync(target, join(parent, ".tmp-replaced"));
    }
    renameSync(dir, target);
    flushFolder(parent);
    rmSync(join(parent, ".tmp-replaced"), { recursive: true, force: true });
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

/** Reads and verifies a checkpoint; throws a UserError that names the file which is missing, torn or altered. */
export function verifyCheckpoint(dir: string): TrainerState {
  const manifestFile = join(dir, "manifest.json");
  const manifest = readJson<Manifest>(manifestFile);
  if (!Array.isArray(manifest.files)) throw new UserError(`${manifestFile}: lists no files`);
  for (const { path, size, sha256 } of manifest.files) {
    const file = join(dir, path);
    if (!existsSync(file)) throw new UserError(`${file}: missing, though the manifest lists it`);
    const found = digest(file);
    if (found.size !== size) throw new UserError(`${file}: ${found.size} bytes where the manifest has ${size}: torn`);
    if (found.sha256 !== sha256) throw new UserError(`${file}: its SHA-256 is not the manifest's: altered or damaged`);
  }
  const listed = new Set(manifest.files.map((file) => file.path));
  const extra = filesOf(dir).find((path) => path !== "manifest.json" && !listed.has(path));
  if (extra !== undefined) throw new UserError(`${join(dir, extra)}: not in the manifest: the checkpoint was altered`);
  return readJson<TrainerState>(join(dir, "trainer-state.json"));
}

/** The newest whole checkpoint and what was wrong with newer ones; `null` where there is none. */
export function newestCheckpoint(runDir: string): { found: { dir: string; state: TrainerState } | null; refused: string[] } {
  const refused: string[] = [];
  for (const { dir } of checkpointsOf(runDir).reverse()) {
    try {
      return { found: { dir, state: verifyCheckpoint(dir) }, refused };
    } catch (error) {
      refused.push(messageOf(error));
    }
  }
  return { found: null, refused };
}

function readJson<T>(file: string): T {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch (error) {
    throw new UserError(`${file}: cannot be read: ${messageOf(error)}`);
  }
}

/** Size and hash of a file, flushed to the disk on the way. Reads in parts: weights may be larger than memory allows. */
function digest(path: string): { size: number; sha256: string } {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(1 << 20);
  const fd = openSync(path, "r");
  try {
    for (let n = readSync(fd, buffer); n > 0; n = readSync(fd, buffer)) hash.update(buffer.subarray(0, n));
    fsyncSync(fd);
    return { size: statSync(path).size, sha256: hash.digest("hex") };
  } finally {
    closeSync(fd);
  }
}

/** Files below a folder, sorted, with `/` between parts. */
function filesOf(dir: string): string[] {
  const names = readdirSync(dir, { recursive: true, encoding: "utf8" });
  return names.filter((name) => statSync(join(dir, name)).isFile()).map((name) => name.split(sep).join("/")).sort();
}

function foldersOf(dir: string): string[] {
  const names = readdirSync(dir, { recursive: true, encoding: "utf8" });
  return [...names.map((name) => join(dir, name)).filter((path) => statSync(path).isDirectory()), dir];
}
