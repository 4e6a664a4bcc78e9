import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { loadDataset } from "../datasets/dataset.js";
import type { Example } from "../types.js";
import { UserError } from "../util/errors.js";
import { datasetOf, stemOf } from "./record.js";

/** An example with the data set that results are told apart by. */
export interface Question {
  readonly dataset: string;
  readonly example: Example;
}

export interface QuestionOptions {
  /** Which file of a folder. */
  readonly split: string;
  readonly openEndedOnly?: boolean;
  /** The first n questions of each data set; 0 takes all. */
  readonly limit?: number;
}

/** A path, or `NAME=PATH`: the name stands in results. */
export interface NamedPath {
  readonly name: string | null;
  readonly path: string;
}

/** `=` in the path itself needs a name in front of it. */
export function namedPath(text: string): NamedPath {
  const at = text.indexOf("=");
  return at > 0 && !/[\\/]/.test(text.slice(0, at)) ? { name: text.slice(0, at), path: text.slice(at + 1) } : { name: null, path: text };
}

/**
 * The questions of several data sets in the order given. A data set's name is the given one; else the folder under
 * `Data_RAW/` that the image lies in; else the name of its folder, or of its file where the file is named after itself.
 */
export function loadQuestions(paths: readonly NamedPath[], { split, openEndedOnly, limit = 0 }: QuestionOptions): Question[] {
  const questions: Question[] = [];
  const origin = new Map<string, string>();
  for (const { name, path } of paths) {
    const { examples } = loadDataset(path, { split, openEndedOnly, limit: limit > 0 ? limit : undefined });
    const ownName = nameOf(path);
    for (const example of examples) {
      const dataset = name ?? datasetOf({ image: example.image }) ?? ownName;
      const key = `${dataset}\u0000${example.id}`;
      const before = origin.get(key);
      if (before !== undefined) {
        throw new UserError(`${path} and ${before} both give question "${example.id}" of data set ${dataset}; name them apart: --data NAME=${path}`);
      }
      origin.set(key, path);
      questions.push({ dataset, example });
    }
  }
  return questions;
}

/** `vqa-rad` for `vqa-rad/` and `vqa-rad/test.json`, `slake-open` for `slake-open.json`. */
function nameOf(path: string): string {
  const full = resolve(path);
  const folder = statSync(full, { throwIfNoEntry: false })?.isDirectory() === true;
  const stem = stemOf(full);
  return folder ? basename(full) : /^(train|test|val|valid|validation|dev)$/i.test(stem) ? basename(dirname(full)) : stem;
}

/** What was asked, in short: the same questions in the same order have the same value. */
export function questionsHash(questions: readonly Question[]): string {
  const hash = createHash("sha256");
  for (const { dataset, example } of questions) {
    const { id, image, question, answer, kind } = example;
    hash.update(`${JSON.stringify([dataset, id, image, question, answer, kind ?? null])}\n`);
  }
  return hash.digest("hex").slice(0, 16);
}
