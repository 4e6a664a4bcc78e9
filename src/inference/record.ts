/**
 * Inference files as the reference's inference.py writes them: a JSON list of `{problem, image, solution, text, think,
 * answer}`. Ours have these six keys first and a few of our own behind them, which the reference's evaluations pass
 * over; files of the reference are read as they are.
 */
import { basename, extname } from "node:path";
import { z } from "zod";
import { readRows } from "../datasets/rows.js";
import { segment, type Segmentation, type ThinkTag } from "../steps/segment.js";
import { writeFileAtomic } from "../util/atomic-file.js";
import { UserError } from "../util/errors.js";
import { isRecord } from "../util/json-file.js";

/** One answered question. */
export interface InferenceRecord {
  readonly problem: string;
  readonly image: string | null;
  /** The gold answer. */
  readonly solution: string;
  /** The completion; `null` where there is none. */
  readonly text: string | null;
  readonly think: string | null;
  readonly answer: string | null;
  /** The example's id in its data set. */
  readonly id?: string;
  readonly dataset?: string;
  readonly kind?: string;
  /** 0 … n−1 where several completions of a question were sampled. */
  readonly sample?: number;
  /** Completion tokens, where the model tells. */
  readonly tokens?: number;
  /** Ended at the token limit. */
  readonly truncated?: boolean;
  /** Why there is no completion: such a row is no answer, and is asked again by the next run. */
  readonly failed?: string;
}

/**
 * Reasoning and answer of a completion. Without a think tag the reasoning is what stands before the answer, as in the
 * reference; other than there, a tag that was never closed still opens the reasoning, and an answer cut off counts.
 */
export function splitCompletion(text: string): { readonly think: string | null; readonly answer: string | null } {
  const { answer, thinkSpans } = segmentCompletion(text);
  const inside = thinkSpans.map(({ start, end }) => text.slice(start, end).trim()).join("\n");
  const before = text.split(/<\s*answer\s*>/i, 1)[0].replace(/<\/?think(?:ing)?>/gi, "").trim();
  return { think: inside || before || null, answer: answer === "" ? null : answer };
}

/** Segments by whichever think tag the text uses. */
export function segmentCompletion(text: string): Segmentation {
  const thinkTag: ThinkTag = /<\/?thinking>/i.test(text) ? "thinking" : "think";
  return segment(text, { thinkTag });
}

/** Writes the list with the reference's layout (two blanks, not escaped); whole or not at all. */
export function writeInferenceFile(path: string, records: readonly InferenceRecord[]): void {
  writeFileAtomic(path, `${JSON.stringify(records, null, 2)}\n`);
}

const text = z.union([z.string(), z.number(), z.boolean()], "must be a text").transform(String);
const optionalText = text.nullish().transform((value) => value ?? null);

const row = z.object({
  problem: text,
  image: z.string().nullish().transform((value) => value ?? null),
  solution: optionalText.transform((value) => value ?? ""),
  text: optionalText,
  think: optionalText,
  // Other names that the reference's evaluation of reasoning takes for `think`.
  Generated_Reasoning: optionalText,
  generated_reasoning: optionalText,
  reasoning: optionalText,
  answer: optionalText,
  id: text.optional(),
  dataset: z.string().min(1).optional(),
  kind: z.string().optional(),
  sample: z.int().min(0).optional(),
  tokens: z.number().optional(),
  truncated: z.boolean().optional(),
  failed: z.string().optional(),
});

/** @throws UserError naming file, row and key for what is no inference file. */
export function readInferenceFile(path: string): InferenceRecord[] {
  const rows = readRows(path);
  if (rows.length === 0) throw new UserError(`${path} holds no row. Write it with breakwater infer.`);
  return rows.map((raw, index) => parseInferenceRow(raw, index, path));
}

export function parseInferenceRow(raw: unknown, index: number, path: string): InferenceRecord {
  const place = `${path}: row [${index}]`;
  const wayOut = "An inference file is a list of {problem, image, solution, text, think, answer}, as breakwater infer writes it.";
  if (isRecord(raw) && !("text" in raw) && !("think" in raw) && !("answer" in raw)) {
    throw new UserError(`${place} has neither "text" nor "think" nor "answer". ${wayOut}`);
  }
  const parsed = row.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const key = issue.path.map(String).join(".");
    const what = key === "" ? "is not an object" : isRecord(raw) && raw[key] === undefined ? `has no "${key}"` : `"${key}": ${issue.message}`;
    throw new UserError(`${place} ${what}. ${wayOut}`);
  }
  const { think, Generated_Reasoning, generated_reasoning, reasoning, ...rest } = parsed.data;
  const given = [think, Generated_Reasoning, generated_reasoning, reasoning].find((value) => value !== null && value.trim() !== "");
  // The reference leaves the tag in where a completion was cut off before the closing one.
  const told = given?.replace(/^\s*<think(?:ing)?>\s*/i, "");
  return { ...rest, think: told ?? (rest.text === null ? null : splitCompletion(rest.text).think) };
}

/**
 * The data set that a row belongs to: as the row says, else the folder under `Data_RAW/` of the reference's layout.
 * `null` where neither tells.
 */
export function datasetOf(record: Pick<InferenceRecord, "dataset" | "image">): string | null {
  if (record.dataset !== undefined) return record.dataset;
  return /(?:^|[\\/])Data_RAW[\\/]([^\\/]+)[\\/]/.exec(record.image ?? "")?.[1] ?? null;
}

/** A file's name without its ending: `results/mrpo.json` → `mrpo`. */
export function stemOf(path: string): string {
  return basename(path, extname(path));
}

/** `results/mrpo.json` → `results/mrpo`. */
export function withoutEnding(path: string): string {
  return path.slice(0, path.length - extname(path).length);
}
