import { fitting, sampleGroups } from "../rollouts/sample-groups.js";
import type { TrainingParts } from "../training/parts.js";
import { scoreGroups } from "../training/score-groups.js";
import type { Example } from "../types.js";
import { seedFrom } from "../util/random.js";
import { bootstrapRatios } from "./bootstrap.js";
import { chainOf, type EvaluatedChain } from "./chain.js";
import type { EvaluationSpeed } from "./file.js";

/** What is evaluated: a model behind its engine, and who scores it. */
export type EvaluationParts = Pick<TrainingParts, "engine" | "codec" | "judge" | "encoder">;

export interface EvaluateOptions {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly maxTokens: number;
  /** Sampling ends at one of these texts. */
  readonly stop: readonly string[];
  /** Bounds of the length reward. */
  readonly kMin: number;
  readonly kMax: number;
  /** Completions of each question; several make sense above temperature 0 only. */
  readonly samplesPerQuestion?: number;
  /** Each completion's seed follows from this, its question's id and its number alone, never from the batch. */
  readonly seed?: number;
  /** Questions sampled at once. */
  readonly batch?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface EvaluatedChains {
  readonly chains: EvaluatedChain[];
  readonly speed: EvaluationSpeed;
  /** Questions whose prompt leaves no room for maxTokens: in no figure. */
  readonly tooLong: readonly string[];
}

/** Samples every question, segments, judges and scores the completions; summarize() makes the figures of them. */
export async function evaluate(
  parts: EvaluationParts,
  examples: readonly Example[],
  options: EvaluateOptions,
): Promise<EvaluatedChains> {
  const { engine, codec, judge, encoder } = parts;
  const { temperature, maxTokens, stop, kMin, kMax, signal, onProgress } = options;
  const { samplesPerQuestion = 1, seed = 0, batch = 64 } = options;
  const chains: EvaluatedChain[] = [];
  const tooLong: string[] = [];
  const seconds_B: number[] = [];
  const tokens_B: number[] = [];
  for (let at = 0; at < examples.length; at += batch) {
    const part = examples.slice(at, at + batch);
    const prompts = await Promise.all(part.map(async (example) => ({ example, prompt: await codec.prompt(example) })));
    const split = fitting(prompts, maxTokens, engine.capabilities.maxSequenceTokens);
    tooLong.push(...split.tooLong);
    const started = performance.now();
    const rollouts_PG = await sampleGroups(engine, split.fit, {
      params: { temperature, maxTokens, stop },
      groupSize: samplesPerQuestion,
      seedOf: (id, index) => seedFrom("evaluation", seed, id, index),
      decode: codec.decode,
      signal,
    });
    seconds_B.push((performance.now() - started) / 1000);
    tokens_B.push(rollouts_PG.flat().reduce((sum, rollout) => sum + rollout.tokens.length, 0));
    const sampled = split.fit.map(({ example }, p) => ({ example, rollouts: rollouts_PG[p] }));
    const scoring = { segmentation: codec.segmentation, judge, encoder, kMin, kMax, signal };
    for (const { example, rollouts } of await scoreGroups(sampled, scoring)) {
      for (const rollout of rollouts) chains.push(chainOf(example, rollout));
    }
    onProgress?.(Math.min(at + batch, examples.length), examples.length);
  }
  const [tokensPerSecond] = bootstrapRatios([{ numerator: tokens_B, denominator: seconds_B }]);
  const total = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  return { chains, tooLong, speed: { seconds: total(seconds_B), tokens: total(tokens_B), tokensPerSecond } };
}
