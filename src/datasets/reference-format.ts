import { basename, extname } from "node:path";
import { z } from "zod";
import type { Example } from "../types.js";
import { ImageFinder, imageRoots, parseRow, readRows, UniqueIds } from "./rows.js";
import { imageKey, normaliseText, splitTags, withoutTags } from "./text-match.js";

const text = z.string().refine((s) => s.trim() !== "", "is empty");
/** Answers such as 4 are numbers in some files. */
const answerText = z.union([text, z.number(), z.boolean()], "must be a text or a number").transform(String);

/** The reference implementation's training and test files; id, kind and meta are ours and optional. */
const questionRow = z.object({
  image: text.nullable(),
  problem: text,
  solution: answerText,
  id: z.union([text, z.number()]).transform(String).optional(),
  kind: z.string().optional(),
  meta: z.record(z.string(), z.unknown()).optional(),
});

const reasoningRow = z.object({ image_path: text, question: text, answer: answerText, solution: text });

export interface ReferenceRead {
  readonly examples: Example[];
  /** Rows of the reasoning file that belong to no question. */
  readonly unusedReasoning: number;
}

/**
 * Reads `[{image, problem, solution}]` and, where given, joins gold reasoning `[{image_path, question, answer,
 * solution}]` by image name, question and answer. A solution may hold think and answer tags.
 */
export function readReference(path: string, options: { reasoning?: string; imageRoot?: string } = {}): ReferenceRead {
  const gold = options.reasoning ? readReasoning(options.reasoning) : new Map<string, string>();
  const used = new Set<string>();
  const finder = new ImageFinder(path, imageRoots(path, options.imageRoot));
  const ids = new UniqueIds(path);
  const stem = basename(path, extname(path));
  const examples = readRows(path).map((raw, index): Example => {
    const row = parseRow(questionRow, raw, index, path);
    const tags = splitTags(row.solution);
    const answer = tags.answer ?? row.solution.trim();
    const key = keyOf(row.image ?? "", row.problem, answer);
    const joined = gold.get(key);
    if (joined !== undefined) used.add(key);
    return {
      id: ids.add(row.id ?? `${stem}-${index}`, index),
      image: row.image === null ? null : finder.find(row.image, index, "image"),
      question: row.problem.trim(),
      answer,
      goldReasoning: joined ?? tags.reasoning,
      ...(row.kind === undefined ? {} : { kind: row.kind }),
      ...(row.meta === undefined ? {} : { meta: row.meta }),
    };
  });
  return { examples, unusedReasoning: gold.size - used.size };
}

/** By image name, question and answer; of several with the same key the first counts. */
function readReasoning(path: string): Map<string, string> {
  const gold = new Map<string, string>();
  readRows(path).forEach((raw, index) => {
    const row = parseRow(reasoningRow, raw, index, path);
    const key = keyOf(row.image_path, row.question, splitTags(row.answer).answer ?? row.answer);
    if (!gold.has(key)) gold.set(key, splitTags(row.solution).reasoning ?? withoutTags(row.solution));
  });
  return gold;
}

function keyOf(image: string, question: string, answer: string): string {
  return JSON.stringify([imageKey(image), normaliseText(question), normaliseText(answer)]);
}
