import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import type { Example } from "../types.js";
import { UserError } from "../util/errors.js";
import { isRecord } from "../util/json-file.js";
import { exampleFileEnding, lineToExample, readExampleLines } from "./jsonl-format.js";
import { readReference } from "./reference-format.js";
import { ImageFinder, imageRoots, readRows, UniqueIds } from "./rows.js";
import { isYesNo } from "./text-match.js";
import { readVqaRad } from "./vqa-rad.js";

export type DatasetFormat = "reference" | "vqa-rad" | "jsonl";

export interface LoadDatasetOptions {
  /** Default `auto`: by the keys of the first row. */
  readonly format?: DatasetFormat | "auto";
  /** Which file of a folder: `<split>.json` or `<split>.jsonl`. Default `train`. */
  readonly split?: string;
  /** Leaves out questions answered by yes or no. */
  readonly openEndedOnly?: boolean;
  /** The first so many of what is left. */
  readonly limit?: number;
  /** File of gold reasoning; default `<name>-reasoning.json` beside the data file, where there is one. */
  readonly reasoning?: string;
  /** Folder to look for images in first. */
  readonly imageRoot?: string;
}

export interface DatasetReport {
  readonly format: DatasetFormat;
  /** Files read. */
  readonly files: readonly string[];
  /** Rows in the file. */
  readonly rows: number;
  /** Examples handed out. */
  readonly kept: number;
  readonly leftOut: { readonly yesNo: number; readonly overLimit: number };
  /** Of those kept. */
  readonly withReasoning: number;
  /** Rows of the reasoning file that belong to no question. */
  readonly unusedReasoning: number;
}

export interface Dataset {
  readonly examples: readonly Example[];
  readonly report: DatasetReport;
}

/**
 * A data set file, or a folder with `<split>.json` or `<split>.jsonl`, in the file's order.
 * @throws UserError naming file, row and key for missing fields, NaN, duplicate ids and missing images; and where
 * nothing is left.
 */
export function loadDataset(path: string, options: LoadDatasetOptions = {}): Dataset {
  const { openEndedOnly = false, limit = Infinity } = options;
  if (!(limit >= 1)) throw new UserError(`The limit of examples is ${limit}; give a whole number from 1.`);
  const file = dataFile(path, options.split ?? "train");
  const format = options.format === undefined || options.format === "auto" ? detect(file) : options.format;
  const files = [file];
  let all: readonly Example[];
  let unusedReasoning = 0;
  if (format === "vqa-rad") all = readVqaRad(file, options);
  else if (format === "jsonl") all = readOwn(file, options.imageRoot);
  else {
    const reasoning = options.reasoning ? resolve(options.reasoning) : beside(file);
    if (reasoning) files.push(reasoning);
    ({ examples: all, unusedReasoning } = readReference(file, { reasoning, imageRoot: options.imageRoot }));
  }
  const open = openEndedOnly ? all.filter((example) => !isYesNo(example.answer)) : all;
  const examples = open.slice(0, limit);
  if (examples.length === 0) {
    throw new UserError(`${file} gives no example: ${all.length} rows, ${all.length - open.length} of them answered by yes or no and left out. Use another split or file.`);
  }
  return {
    examples,
    report: {
      format,
      files,
      rows: all.length,
      kept: examples.length,
      leftOut: { yesNo: all.length - open.length, overLimit: open.length - examples.length },
      withReasoning: examples.filter((example) => example.goldReasoning !== null).length,
      unusedReasoning,
    },
  };
}

function dataFile(path: string, split: string): string {
  const full = resolve(path);
  if (!existsSync(full)) throw new UserError(`There is no data set at ${full}. Correct the path.`);
  if (!statSync(full).isDirectory()) return full;
  const file = [".json", ".jsonl"].map((ending) => join(full, `${split}${ending}`)).find((path) => existsSync(path));
  if (file !== undefined) return file;
  const names = readdirSync(full).filter((name) => /\.jsonl?$/.test(name) && !name.endsWith("-reasoning.json"));
  throw new UserError(`${full} has no split "${split}" (${split}.json or ${split}.jsonl). It has: ${names.join(", ") || "no JSON file"}.`);
}

/** Our own format, line by line; the images must be there. */
function readOwn(file: string, imageRoot: string | undefined): Example[] {
  const finder = new ImageFinder(file, imageRoots(file, imageRoot));
  const ids = new UniqueIds(file);
  const examples: Example[] = [];
  for (const { line, row } of readExampleLines(file)) {
    ids.add(row.id, line);
    const image = row.image === null ? null : finder.find(row.image, line, "image");
    examples.push({ ...lineToExample(file, row), image });
  }
  return examples;
}

function detect(file: string): DatasetFormat {
  if (file.endsWith(exampleFileEnding)) return "jsonl";
  const [first] = readRows(file);
  if (isRecord(first)) {
    if ("image_name" in first && "question" in first) return "vqa-rad";
    if ("problem" in first || "solution" in first || "image" in first) return "reference";
  }
  const keys = isRecord(first) ? Object.keys(first).join(", ") : "none";
  throw new UserError(`${file} is in no known format (keys of its first row: ${keys}). Known are {image, problem, solution} and VQA-RAD's {qid, image_name, question, answer}.`);
}

function beside(file: string): string | undefined {
  const path = join(dirname(file), `${basename(file, extname(file))}-reasoning.json`);
  return existsSync(path) ? path : undefined;
}
