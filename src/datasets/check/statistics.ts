import { extname } from "node:path";
import { quantile } from "../../util/statistics.js";
import { isYesNo } from "../text-match.js";
import type { CheckedRow, DataRow } from "./rows.js";
import { words } from "./text-checks.js";

export interface SetStatistics {
  readonly set: string;
  readonly questions: number;
  /** Rows that cannot be understood. */
  readonly bad: number;
  readonly images: number;
  readonly missingImages: number;
  readonly yesNo: number;
  readonly withReasoning: number;
  /** Words of the answers: median, 95th percentile, greatest. */
  readonly answerWords: readonly [number, number, number] | null;
  /** Sentences of the gold reasoning: least, median, greatest. */
  readonly steps: readonly [number, number, number] | null;
}

export interface DataStatistics {
  readonly sets: readonly SetStatistics[];
  /** Questions by kind, most first; those without one under `null`. */
  readonly kinds: readonly (readonly [kind: string | null, count: number])[];
  readonly answerLengths: readonly (readonly [words: string, count: number])[];
  readonly stepCounts: readonly (readonly [steps: number, count: number])[];
  /** Distinct images by longest side and by file ending. */
  readonly imageSizes: readonly (readonly [side: string, count: number])[];
  readonly imageTypes: readonly (readonly [ending: string, count: number])[];
  readonly unreadableImages: number;
}

/** Width and height of an image; `null` where it cannot be read. */
export type ImageSizer = (path: string) => Promise<{ readonly width: number; readonly height: number } | null>;

/** @param countSteps sentences of a reasoning, as training will count them. */
export async function describeData(rows: readonly CheckedRow[], countSteps: (text: string) => number, sizeOf: ImageSizer): Promise<DataStatistics> {
  const good = rows.filter((row): row is DataRow => !("error" in row));
  const sets = new Map<string, DataRow[]>();
  for (const row of good) sets.set(row.set, [...(sets.get(row.set) ?? []), row]);
  const paths = [...new Set(good.flatMap(({ image }) => (image?.path ? [image.path] : [])))];
  const sizes: (string | null)[] = [];
  for (let from = 0; from < paths.length; from += 8) {
    const batch = await Promise.all(paths.slice(from, from + 8).map(sizeOf));
    sizes.push(...batch.map((size) => (size === null ? null : sideOf(Math.max(size.width, size.height)))));
  }
  const badByFile = new Map<string, number>();
  for (const row of rows) if ("error" in row) badByFile.set(row.file, (badByFile.get(row.file) ?? 0) + 1);
  const steps = new Map(good.flatMap((row) => (row.goldReasoning === null ? [] : [[row, countSteps(row.goldReasoning)] as const])));
  return {
    sets: [...sets].map(([set, list]) => describeSet(set, list, steps, badByFile)),
    kinds: tally(good.map(({ kind }) => kind)),
    answerLengths: inOrder(lengths, good.map(({ answer }) => lengthOf(words(answer).length))),
    stepCounts: tally([...steps.values()]).sort((a, b) => a[0] - b[0]),
    imageSizes: inOrder(sides, sizes.filter((size) => size !== null)),
    imageTypes: tally(paths.map((path) => extname(path).toLowerCase() || "none")),
    unreadableImages: sizes.filter((size) => size === null).length,
  };
}

function describeSet(set: string, list: readonly DataRow[], steps: ReadonlyMap<DataRow, number>, badByFile: Map<string, number>): SetStatistics {
  const lengthsOfAnswers = list.map(({ answer }) => words(answer).length);
  const counts = list.flatMap((row) => steps.get(row) ?? []);
  const files = new Set(list.map(({ file }) => file));
  // A bad row belongs to no set; it counts with the first set of its file.
  const bad = [...files].reduce((sum, file) => sum + (badByFile.get(file) ?? 0), 0);
  for (const file of files) badByFile.delete(file);
  return {
    set,
    questions: list.length,
    bad,
    images: new Set(list.flatMap(({ image }) => (image?.path ? [image.path] : []))).size,
    missingImages: new Set(list.flatMap(({ image }) => (image !== null && image.path === null ? [image.name] : []))).size,
    yesNo: list.filter(({ answer }) => isYesNo(answer)).length,
    withReasoning: counts.length,
    answerWords: [quantile(lengthsOfAnswers, 0.5), quantile(lengthsOfAnswers, 0.95), quantile(lengthsOfAnswers, 1)],
    steps: counts.length === 0 ? null : [quantile(counts, 0), quantile(counts, 0.5), quantile(counts, 1)],
  };
}

const lengths = ["1 word", "2 words", "3 to 5 words", "6 to 10 words", "more than 10 words"];
function lengthOf(count: number): string {
  return lengths[count <= 1 ? 0 : count === 2 ? 1 : count <= 5 ? 2 : count <= 10 ? 3 : 4];
}

const sides = ["below 256", "256 to 511", "512 to 1023", "1024 to 2047", "from 2048"];
function sideOf(pixels: number): string {
  return sides[pixels < 256 ? 0 : pixels < 512 ? 1 : pixels < 1024 ? 2 : pixels < 2048 ? 3 : 4];
}

function tally<T>(values: readonly T[]): [T, number][] {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

function inOrder(names: readonly string[], values: readonly string[]): [string, number][] {
  const counts = new Map(tally(values));
  return names.flatMap((name): [string, number][] => (counts.has(name) ? [[name, counts.get(name) ?? 0]] : []));
}

/** So many items, spread evenly. */
export function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]);
}
