import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { flushFolder, writeFileAtomic } from "../../util/atomic-file.js";
import { UserError, messageOf } from "../../util/errors.js";
import { difficulties, drawScene, encodePng, type Difficulty } from "./draw.js";
import { completionText } from "./chain.js";
import { phantomExample } from "./example.js";
import { densityTerm, type Facts } from "./facts.js";
import type { Split } from "./scene.js";

/** Changes when the same parameters would give another data set. */
export const phantomVersion = 1;

export interface PhantomOptions {
  readonly seed: number;
  /** Number of examples, each with its own picture. */
  readonly train: number;
  readonly test: number;
  /** Pixels a side. */
  readonly size: number;
  readonly difficulty: Difficulty;
  /** Findings in words before the question, no pictures: for models without a vision tower. */
  readonly text: boolean;
}

export const phantomDefaults: PhantomOptions = { seed: 1, train: 2048, test: 512, size: 64, difficulty: "normal", text: false };

export interface WrittenPhantom {
  readonly dir: string;
  /** False where the same data set already stood there. */
  readonly written: boolean;
  readonly options: PhantomOptions;
}

interface Manifest {
  readonly format: "breakwater-phantom";
  readonly version: number;
  readonly options: PhantomOptions;
  /** SHA-256 over the names and bytes of all other files. */
  readonly digest: string;
}

/**
 * Writes `train.json`, `test.json` (`[{image, problem, solution, id, kind, meta}]`), `train-reasoning.json`,
 * `test-reasoning.json` (`[{image_path, question, answer, solution}]`), `images/*.png` and `phantom.json` into `dir`,
 * all or nothing; as text `train.json` and `test.json` alone, with the reasoning in them. The same data set already there is kept; anything else there is a UserError and stays untouched.
 */
export async function writePhantomDataset(dir: string, options: Partial<PhantomOptions> = {}): Promise<WrittenPhantom> {
  const full = checked({ ...phantomDefaults, ...options });
  const target = resolve(dir);
  if (existsSync(target)) {
    if (!statSync(target).isDirectory()) throw new UserError(`${target} is a file: name a folder for the phantom data set.`);
    if (readdirSync(target).length > 0) {
      requireSame(target, full);
      return { dir: target, written: false, options: full };
    }
  }
  const temporary = `${target}.tmp-${process.pid}`;
  rmSync(temporary, { recursive: true, force: true });
  try {
    mkdirSync(full.text ? temporary : join(temporary, "images"), { recursive: true });
    for (const split of ["train", "test"] as const) await (full.text ? writeTextSplit : writeSplit)(temporary, split, full);
    const manifest: Manifest = { format: "breakwater-phantom", version: phantomVersion, options: full, digest: digestOf(temporary) };
    writeFileAtomic(join(temporary, "phantom.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    if (existsSync(target)) rmdirSync(target);
    renameSync(temporary, target);
    flushFolder(dirname(target));
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (error instanceof UserError) throw error;
    throw new UserError(`The phantom data set could not be written to ${target}: ${messageOf(error)}. Nothing of it was left there; free some space or name another folder.`);
  }
  return { dir: target, written: true, options: full };
}

async function writeSplit(dir: string, split: Split, options: PhantomOptions): Promise<void> {
  const { seed, size, difficulty } = options;
  const total = options[split];
  const rows: unknown[] = [];
  const reasoning: unknown[] = [];
  // Compression runs on sharp's threads; a bounded window keeps memory flat.
  const atOnce = 16;
  for (let start = 0; start < total; start += atOnce) {
    const jobs: Promise<void>[] = [];
    for (let index = start; index < Math.min(total, start + atOnce); index++) {
      const { example, scene } = phantomExample(seed, split, index);
      const image = `images/${example.id}.png`;
      rows.push({
        image, problem: example.question, solution: example.answer, id: example.id, kind: example.kind, meta: example.meta,
      });
      reasoning.push({ image_path: image, question: example.question, answer: example.answer, solution: example.goldReasoning });
      jobs.push(writePicture(join(dir, image), drawScene(scene, { size, difficulty }), size));
    }
    await Promise.all(jobs);
  }
  writeFileAtomic(join(dir, `${split}.json`), rowsAsJson(rows));
  writeFileAtomic(join(dir, `${split}-reasoning.json`), rowsAsJson(reasoning));
}

/** Questions without a picture: the gold reasoning is part of the solution, in tags. */
function writeTextSplit(dir: string, split: Split, { seed, ...options }: PhantomOptions): Promise<void> {
  const rows = Array.from({ length: options[split] }, (_, index) => {
    const { example, scene } = phantomExample(seed, split, index);
    const { id, kind, meta, answer, goldReasoning } = example;
    const solution = completionText([goldReasoning ?? ""], answer);
    return { image: null, problem: `${factsInWords(scene.facts)}\n${example.question}`, solution, id, kind, meta };
  });
  writeFileAtomic(join(dir, `${split}.json`), rowsAsJson(rows));
  return Promise.resolve();
}

/** "CT, abdomen, lower left, kidney, two cyst, larger, hyperdense" */
function factsInWords({ modality, region, side, zone, organ, kind, count, size, density }: Facts): string {
  return `${modality}, ${region}, ${zone} ${side}, ${organ}, ${count} ${kind}, ${size}, ${densityTerm(modality, density)}`;
}

async function writePicture(path: string, pixels: Uint8Array, size: number): Promise<void> {
  await writeFile(path, await encodePng(pixels, size));
}

/** One row a line: readable, and a diff shows rows. */
function rowsAsJson(rows: readonly unknown[]): string {
  return `[\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n`;
}

function checked(options: PhantomOptions): PhantomOptions {
  const { seed, train, test, size, difficulty, text } = options;
  const whole = (name: string, value: number, least: number, most: number): void => {
    if (!Number.isInteger(value) || value < least || value > most)
      throw new UserError(`Phantom option ${name} is ${value}: give a whole number from ${least} to ${most}.`);
  };
  whole("seed", seed, 0, 0xffffffff);
  whole("train", train, 0, 1_000_000);
  whole("test", test, 0, 1_000_000);
  whole("size", size, 32, 1024);
  if (!difficulties.includes(difficulty))
    throw new UserError(`Phantom option difficulty is ${JSON.stringify(difficulty)}: give one of ${difficulties.join(", ")}.`);
  return { seed, train, test, size, difficulty, text };
}

function requireSame(dir: string, options: PhantomOptions): void {
  const way = "Name another folder, or remove this one.";
  const path = join(dir, "phantom.json");
  if (!existsSync(path)) throw new UserError(`${dir} is not empty and holds no phantom data set. ${way}`);
  let manifest: Partial<Manifest>;
  try {
    manifest = JSON.parse(readFileSync(path, "utf8")) as Partial<Manifest>;
  } catch (error) {
    throw new UserError(`${path} cannot be read (${messageOf(error)}). ${way}`);
  }
  if (manifest.format !== "breakwater-phantom" || manifest.version !== phantomVersion)
    throw new UserError(`${path} is of another kind or version (${String(manifest.format)} ${String(manifest.version)}; this is version ${phantomVersion}). ${way}`);
  // A data set of before an option was added has that option's default.
  const found = { ...phantomDefaults, ...manifest.options };
  const differing = (Object.keys(options) as (keyof PhantomOptions)[]).filter((key) => found[key] !== options[key]);
  if (differing.length > 0) {
    const list = differing.map((key) => `${key} ${String(found[key])}, not ${options[key]}`).join("; ");
    throw new UserError(`${dir} holds another phantom data set (${list}). ${way}`);
  }
  if (manifest.digest !== digestOf(dir)) throw new UserError(`Files of the phantom data set in ${dir} were changed or are missing. ${way}`);
}

function digestOf(dir: string): string {
  const hash = createHash("sha256");
  const names = ["train.json", "test.json", "train-reasoning.json", "test-reasoning.json"];
  const images = existsSync(join(dir, "images")) ? readdirSync(join(dir, "images")).sort() : [];
  for (const name of [...names, ...images.map((image) => `images/${image}`)]) {
    const path = join(dir, name);
    const bytes = existsSync(path) ? readFileSync(path) : null;
    hash.update(`${name}:${bytes === null ? "missing" : bytes.length}\n`);
    if (bytes !== null) hash.update(bytes);
  }
  return hash.digest("hex");
}
