import type { Example } from "../types.js";
import { seedFrom } from "../util/random.js";
import { bootstrapRatios } from "./bootstrap.js";
import { chainOf, type EvaluatedChain } from "./chain.js";
import type { EvaluationSpeed } from "./file.js";
import { sampleAndScore, type EvaluationParts } from "./sample-and-score.js";

export type { EvaluationParts } from "./sample-and-score.js";

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
  const { temperature, maxTokens, stop, kMin, kMax, signal, onProgress } = options;
  const { samplesPerQuestion: samples = 1, seed = 0, batch = 64 } = options;
  const chains: EvaluatedChain[] = [];
  const tooLong: string[] = [];
  const seconds_B: number[] = [];
  const tokens_B: number[] = [];
  const params = { temperature, maxTokens, stop };
  const seedOf = (id: string, index: number): number => seedFrom("evaluation", seed, id, index);
  for await (const scored of sampleAndScore(parts, examples, { params, samples, seedOf, batch, kMin, kMax, signal })) {
    tooLong.push(...scored.tooLong);
    seconds_B.push(scored.seconds);
    tokens_B.push(scored.tokens);
    for (const { example, rollouts } of scored.groups) for (const rollout of rollouts) chains.push(chainOf(example, rollout));
    onProgress?.(scored.done, examples.length);
  }
  const [tokensPerSecond] = bootstrapRatios([{ numerator: tokens_B, denominator: seconds_B }]);
  const total = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  return { chains, tooLong, speed: { seconds: total(seconds_B), tokens: total(tokens_B), tokensPerSecond } };
}
