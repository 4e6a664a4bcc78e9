import { statSync } from "node:fs";
import { basename } from "node:path";
import { z } from "zod";
import { loadDataset } from "../datasets/dataset.js";
import { parseRow, readRows } from "../datasets/rows.js";
import { imageKey, normaliseText, splitTags, withoutTags } from "../datasets/text-match.js";
import type { Example } from "../types.js";
import { isRecord } from "../util/json-file.js";

/** Questions with gold reasoning, found by image name, question and answer, as the reference finds them. */
export class GoldReasoning {
  private readonly examples = new Map<string, Example>();
  private readonly found = new Set<string>();

  get size(): number {
    return this.examples.size;
  }

  /** Entries that no question asked for. */
  get unused(): number {
    return this.examples.size - this.found.size;
  }

  /** Of several with the same key the last counts, as in the reference. */
  add(example: Example): void {
    this.examples.set(keyOf(example.image, example.question, example.answer), example);
  }

  find(image: string | null, question: string, answer: string): Example | null {
    const key = keyOf(image, question, answer);
    const example = this.examples.get(key);
    if (example !== undefined) this.found.add(key);
    return example ?? null;
  }
}

/**
 * Gold reasoning of files `[{image_path, question, answer, solution}]` (the reference's medthink_test.json), or of data
 * sets that hold it. @throws UserError naming file, row and key.
 */
export function loadGold(paths: readonly string[], split: string): GoldReasoning {
  const gold = new GoldReasoning();
  for (const path of paths) {
    const examples = isReasoningFile(path) ? readReasoningFile(path) : loadDataset(path, { split }).examples;
    for (const example of examples) if (example.goldReasoning !== null && example.goldReasoning.trim() !== "") gold.add(example);
  }
  return gold;
}

function isReasoningFile(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  const [first] = readRows(path);
  return isRecord(first) && "image_path" in first;
}

const text = z.string();
const reasoningRow = z.object({
  image_path: text,
  question: text,
  answer: z.union([text, z.number(), z.boolean()], "must be a text or a number").transform(String),
  solution: text,
});

function readReasoningFile(path: string): Example[] {
  return readRows(path).map((raw, index) => {
    const { image_path: image, question, answer, solution } = parseRow(reasoningRow, raw, index, path);
    return {
      id: `${basename(path)}-${index}`,
      image,
      question,
      answer: splitTags(answer).answer ?? answer.trim(),
      goldReasoning: splitTags(solution).reasoning ?? withoutTags(solution),
    };
  });
}

function keyOf(image: string | null, question: string, answer: string): string {
  return JSON.stringify([imageKey(image ?? ""), normaliseText(question), normaliseText(answer)]);
}
