/** Reads a data set as it is, faults included: for looking at it and for checking it. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from "node:path";
import { UserError } from "../../util/errors.js";
import { csvRows } from "../import/csv-rows.js";
import { jsonlRows, jsonRows } from "../import/json-rows.js";
import { mapRow } from "../import/mapping.js";
import type { SourceRow } from "../import/source-row.js";
import { imageKey, normaliseText, splitTags, withoutTags } from "../text-match.js";

export interface DataRow {
  /** File and row, for people. */
  readonly place: string;
  /** File that it is in. */
  readonly file: string;
  /** Data set and part: "slake train", "test". */
  readonly set: string;
  /** Part for comparisons between parts: the file, unless rows name their split. */
  readonly part: string;
  readonly id: string;
  readonly question: string;
  readonly answer: string;
  readonly goldReasoning: string | null;
  readonly kind: string | null;
  /** As the file has it, and where that is; `path` is `null` where there is no such file. */
  readonly image: { readonly name: string; readonly path: string | null } | null;
}

export type CheckedRow = DataRow | { readonly place: string; readonly file: string; readonly error: string };

/**
 * The files of a data set: a file itself; of a folder its `.jsonl` files (ours), else its `.json`, `.csv` files, without
 * the ones of gold reasoning; of a folder of such folders all of them.
 */
export function datasetFiles(path: string): string[] {
  const full = resolve(path);
  const found = statSync(full, { throwIfNoEntry: false });
  if (found === undefined) throw new UserError(`There is no data set at ${full}. Correct the path.`);
  if (!found.isDirectory()) return [full];
  const files = filesOf(full);
  if (files.length > 0) return files;
  // What `breakwater data prepare` writes in our format; beside it lie the sources.
  const prepared = existsSync(join(full, "examples")) ? filesOf(join(full, "examples")) : [];
  if (prepared.length > 0) return prepared;
  const below = readdirSync(full, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .flatMap(({ name }) => filesOf(join(full, name)));
  if (below.length === 0) throw new UserError(`${full} holds no data set: no .jsonl, .json or .csv file. Import the data first (breakwater data import).`);
  return below;
}

const notQuestions = /(-reasoning|^package|^report|^manifest|^summary|^info|^phantom|^dataset_?info|^config)\.json$|^medthink_|-report\.json$|^dropped\.jsonl$/i;

function filesOf(dir: string): string[] {
  const names = readdirSync(dir).filter((name) => !name.startsWith(".")).sort();
  for (const ending of [".jsonl", ".json", ".csv"]) {
    const fitting = names.filter((name) => name.endsWith(ending) && !notQuestions.test(name));
    if (fitting.length > 0) return fitting.map((name) => join(dir, name));
  }
  return [];
}

/** All rows of a data set, in the files' order. @throws UserError where a file cannot be read at all. */
export async function* readAnyRows(path: string): AsyncGenerator<CheckedRow> {
  const root = resolve(path);
  for (const file of datasetFiles(path)) {
    const gold = await readReasoning(file);
    const finder = imageFinder(file);
    let count = 0;
    for await (const source of rowsOf(file)) {
      count++;
      const place = `${relative(dirname(root), file) || basename(file)}, ${source.place}`;
      if ("error" in source) yield { place, file, error: source.error };
      else yield toRow(source.row, { place, file, count, gold, finder });
    }
  }
}

function rowsOf(file: string): AsyncGenerator<SourceRow> {
  const ending = extname(file).toLowerCase();
  if (ending === ".jsonl" || ending === ".ndjson") return jsonlRows(file);
  if (ending === ".csv") return csvRows(file);
  if (ending === ".json") return jsonRows(file);
  throw new UserError(`${file}: data sets are .jsonl, .json or .csv here. Import it first (breakwater data import).`);
}

interface Context {
  readonly place: string;
  readonly file: string;
  readonly count: number;
  readonly gold: ReadonlyMap<string, string>;
  readonly finder: (name: string) => string | null;
}

function toRow(row: Readonly<Record<string, unknown>>, { place, file, count, gold, finder }: Context): CheckedRow {
  let mapped: ReturnType<typeof mapRow>;
  try {
    mapped = mapRow(row, {}, {});
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { place, file, error: error.message };
  }
  const { question, answer, image, reasoning, kind, split } = mapped;
  if (image !== null && typeof image !== "string") return { place, file, error: "its image is no path; import the data first (breakwater data import)" };
  const stem = basename(file, extname(file));
  const part = split ?? stem;
  const dataset = typeof row.dataset === "string" ? row.dataset : null;
  return {
    place,
    file,
    set: dataset === null ? part : `${dataset} ${part}`,
    part,
    id: mapped.id ?? `${stem}-${count - 1}`,
    question,
    answer,
    goldReasoning: reasoning ?? gold.get(keyOf(image ?? "", question, answer)) ?? null,
    kind: kind === null ? null : kind.toLowerCase(),
    image: image === null ? null : { name: image, path: finder(image) },
  };
}

function imageFinder(file: string): (name: string) => string | null {
  const known = new Map<string, string | null>();
  const roots = [dirname(file), join(dirname(file), "images")];
  return (name) => {
    let found = known.get(name);
    if (found === undefined) {
      const tried = isAbsolute(name) ? [name, ...roots.map((root) => join(root, basename(name)))] : roots.map((root) => join(root, name));
      found = tried.find((path) => existsSync(path)) ?? null;
      known.set(name, found);
    }
    return found;
  };
}

/** Gold reasoning of the reference's format, `<name>-reasoning.json` beside the file. */
async function readReasoning(file: string): Promise<Map<string, string>> {
  const gold = new Map<string, string>();
  const path = join(dirname(file), `${basename(file, extname(file))}-reasoning.json`);
  if (!existsSync(path)) return gold;
  for await (const source of jsonRows(path)) {
    if ("error" in source) continue;
    const { image_path: image, question, answer, solution } = source.row;
    if (typeof image !== "string" || typeof question !== "string" || typeof solution !== "string") continue;
    const text = String(answer);
    const key = keyOf(image, question, splitTags(text).answer ?? text);
    if (!gold.has(key)) gold.set(key, splitTags(solution).reasoning ?? withoutTags(solution));
  }
  return gold;
}

function keyOf(image: string, question: string, answer: string): string {
  return JSON.stringify([imageKey(image), normaliseText(question), normaliseText(answer)]);
}
