import { readFileSync } from "node:fs";
import { z } from "zod";
import { writeFileAtomic } from "../util/atomic-file.js";
import { UserError, messageOf } from "../util/errors.js";
import type { Estimate } from "./bootstrap.js";
import type { EvaluatedChain } from "./chain.js";
import { checked } from "./file-schema.js";
import { METRIC_KEYS, type MetricKey } from "./metrics.js";
import type { Summary } from "./summary.js";

/** Layout of an evaluation file; a reader refuses another one. */
export const EVALUATION_FORMAT = "breakwater-evaluation-1";

/** What `breakwater eval` writes: settings, metrics with intervals, and every chain. */
export interface EvaluationFile {
  readonly format: typeof EVALUATION_FORMAT;
  /** Name for tables: the run's or the model folder's. */
  readonly name: string;
  /** The run's method; `null` for a model folder. */
  readonly method: string | null;
  /** The run's seed, where it has one. */
  readonly runSeed: number | null;
  readonly settings: EvaluationSettings;
  readonly summary: Summary;
  /** By kind of question, where the data set tells. */
  readonly kinds: Readonly<Record<string, Summary>>;
  readonly speed: EvaluationSpeed;
  readonly chains: readonly EvaluatedChain[];
}

export interface EvaluationSettings {
  readonly model: string;
  readonly data: string;
  readonly split: string;
  readonly temperature: number;
  readonly maxTokens: number;
  readonly samplesPerQuestion: number;
  readonly seed: number;
  /** Which judge gave the verdicts; `null` without one. */
  readonly judge: string | null;
  /** How the answers were scored. */
  readonly answerScorer: string;
}

export interface EvaluationSpeed {
  /** Sampling alone, without judging. */
  readonly seconds: number;
  readonly tokens: number;
  /** Completion tokens a second, bootstrapped over batches. */
  readonly tokensPerSecond: Estimate;
}

export function writeEvaluation(path: string, evaluation: EvaluationFile): void {
  writeFileAtomic(path, `${JSON.stringify(evaluation)}\n`);
}

/** Reads and checks an evaluation file. Throws a UserError that names the file and the key that is wrong. */
export function readEvaluation(path: string): EvaluationFile {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UserError(`${path}: not a readable evaluation file (${messageOf(error)}); write one with breakwater eval`);
  }
  return checked(evaluationSchema, parsed, path, "it is no evaluation of this version, write it again with breakwater eval");
}

const span = z.object({ start: z.number().int().nonnegative(), end: z.number().int().nonnegative() });
const bit = z.union([z.literal(0), z.literal(1)]);
const nullableNumber = z.number().nullable();

const verdict = z.object({
  alignment: bit,
  contribution: bit,
  valid: z.boolean(),
  own: z.boolean().optional(),
  inheritedFrom: z.number().int().nullable().optional(),
  why: z.string().optional(),
});

const chain = z
  .object({
    exampleId: z.string(),
    sample: z.number().int(),
    kind: z.string().nullable(),
    image: z.string().nullable(),
    question: z.string(),
    goldAnswer: z.string(),
    goldReasoning: z.string().nullable(),
    text: z.string(),
    answer: z.string().nullable(),
    steps: z.array(span),
    verdicts: z.array(verdict).nullable(),
    correct: z.boolean().nullable(),
    rewards: z.object({ answer: nullableNumber, process: nullableNumber, length: nullableNumber }),
    unscored: z.array(z.string()),
    tokens: z.number(),
    truncated: z.boolean(),
  })
  .refine((row) => row.verdicts === null || row.verdicts.length === row.steps.length, {
    message: "a chain has as many verdicts as steps",
    path: ["verdicts"],
  });

const estimate = z.object({ value: nullableNumber, low: nullableNumber, high: nullableNumber, n: z.number() });

const summary = z.object({
  questions: z.number(),
  chains: z.number(),
  metrics: z.object(
    Object.fromEntries(METRIC_KEYS.map((key) => [key, estimate])) as Record<MetricKey, typeof estimate>,
  ),
  unscoredAnswers: z.number(),
  unjudgedChains: z.number(),
  reasons: z.record(z.string(), z.number()),
});

const evaluationSchema = z.object({
  format: z.literal(EVALUATION_FORMAT),
  name: z.string(),
  method: z.string().nullable(),
  runSeed: nullableNumber,
  settings: z.object({
    model: z.string(),
    data: z.string(),
    split: z.string(),
    temperature: z.number(),
    maxTokens: z.number(),
    samplesPerQuestion: z.number(),
    seed: z.number(),
    judge: z.string().nullable(),
    answerScorer: z.string(),
  }),
  summary,
  kinds: z.record(z.string(), summary),
  speed: z.object({ seconds: z.number(), tokens: z.number(), tokensPerSecond: estimate }),
  chains: z.array(chain),
});
