import type { SamplingParams } from "../engine/engine.js";
import { fitting, sampleGroups } from "../rollouts/sample-groups.js";
import type { TrainingParts } from "../training/parts.js";
import { scoreGroups } from "../training/score-groups.js";
import type { Example, Group } from "../types.js";

/** What is evaluated: a model behind its engine, and who scores it. */
export type EvaluationParts = Pick<TrainingParts, "engine" | "codec" | "judge" | "encoder">;

export interface SampleAndScoreOptions {
  readonly params: SamplingParams;
  /** Completions of each question. */
  readonly samples: number;
  /** Seed of a completion; of the question and its number alone, never of the batch. */
  readonly seedOf: (exampleId: string, index: number) => number;
  /** Questions sampled at once. */
  readonly batch: number;
  /** Bounds of the length reward. */
  readonly kMin: number;
  readonly kMax: number;
  readonly signal?: AbortSignal;
}

export interface ScoredBatch {
  readonly groups: readonly Group[];
  /** Questions whose prompt leaves no room for the longest completion: in no group. */
  readonly tooLong: readonly string[];
  /** Sampling alone, without judging. */
  readonly seconds: number;
  readonly tokens: number;
  /** Questions done, these included. */
  readonly done: number;
}

/** Samples every question, segments, judges and scores the completions, a batch at a time. */
export async function* sampleAndScore(
  { engine, codec, judge, encoder }: EvaluationParts,
  examples: readonly Example[],
  { params, samples, seedOf, batch, kMin, kMax, signal }: SampleAndScoreOptions,
): AsyncGenerator<ScoredBatch> {
  for (let at = 0; at < examples.length; at += batch) {
    const part = examples.slice(at, at + batch);
    const prompts = await Promise.all(part.map(async (example) => ({ example, prompt: await codec.prompt(example) })));
    const { fit, tooLong } = fitting(prompts, params.maxTokens, engine.capabilities.maxSequenceTokens);
    const started = performance.now();
    const rollouts_PG = await sampleGroups(engine, fit, { params, groupSize: samples, seedOf, decode: codec.decode, signal });
    const seconds = (performance.now() - started) / 1000;
    const sampled = fit.map(({ example }, p) => ({ example, rollouts: rollouts_PG[p] }));
    const groups = await scoreGroups(sampled, { segmentation: codec.segmentation, judge, encoder, kMin, kMax, signal });
    const tokens = rollouts_PG.flat().reduce((sum, rollout) => sum + rollout.tokens.length, 0);
    yield { groups, tooLong, seconds, tokens, done: Math.min(at + batch, examples.length) };
  }
}
