import type { Engine } from "../engine/engine.js";
import { fitting, sampleGroups, type Decode, type PromptedExample } from "../rollouts/sample-groups.js";
import { scoreGroups, type ScoringOptions } from "../training/score-groups.js";
import type { Example, Prompt } from "../types.js";
import { seedFrom } from "../util/random.js";
import { bootstrapRatios } from "./bootstrap.js";
import { chainOf, type EvaluatedChain } from "./chain.js";
import type { EvaluationSpeed } from "./file.js";

export interface EvaluateOptions {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly maxTokens: number;
  /** Sampling ends at one of these texts. */
  readonly stop: readonly string[];
  /** Completions of each question; several make sense above temperature 0 only. */
  readonly samplesPerQuestion?: number;
  /** Each completion's seed follows from this, its question's id and its number alone, never from the batch. */
  readonly seed?: number;
  /** Questions sampled at once. */
  readonly batch?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** How a question becomes a prompt and tokens become text. */
export interface EvaluatedModel {
  readonly engine: Engine;
  readonly promptOf: (example: Example) => Promise<Prompt>;
  readonly decode: Decode;
}

export interface EvaluatedChains {
  readonly chains: EvaluatedChain[];
  readonly speed: EvaluationSpeed;
  /** Questions whose prompt leaves no room for maxTokens: not in any figure. */
  readonly tooLong: readonly string[];
}

/** Samples every question, segments, judges and scores the completions; summarize() makes the figures of them. */
export async function evaluate(
  model: EvaluatedModel,
  examples: readonly Example[],
  scoring: Omit<ScoringOptions, "signal" | "onJudged">,
  options: EvaluateOptions,
): Promise<EvaluatedChains> {
  const { temperature, maxTokens, stop, signal, onProgress, samplesPerQuestion = 1, seed = 0, batch = 64 } = options;
  const chains: EvaluatedChain[] = [];
  const tooLong: string[] = [];
  const seconds_B: number[] = [];
  const tokens_B: number[] = [];
  for (let at = 0; at < examples.length; at += batch) {
    const prompted: PromptedExample[] = [];
    for (const example of examples.slice(at, at + batch)) prompted.push({ example, prompt: await model.promptOf(example) });
    const split = fitting(prompted, maxTokens, model.engine.capabilities.maxSequenceTokens);
    tooLong.push(...split.tooLong);
    const started = performance.now();
    const rollouts_PG = await sampleGroups(model.engine, split.fit, {
      params: { temperature, maxTokens, stop },
      groupSize: samplesPerQuestion,
      seedOf: (id, index) => seedFrom("evaluation", seed, id, index),
      decode: model.decode,
      signal,
    });
    seconds_B.push((performance.now() - started) / 1000);
    tokens_B.push(rollouts_PG.flat().reduce((sum, rollout) => sum + rollout.tokens.length, 0));
    const sampled = split.fit.map(({ example }, p) => ({ example, rollouts: rollouts_PG[p] }));
    for (const { example, rollouts } of await scoreGroups(sampled, { ...scoring, signal })) {
      for (const rollout of rollouts) chains.push(chainOf(example, rollout));
    }
    onProgress?.(Math.min(at + batch, examples.length), examples.length);
  }
  const [tokensPerSecond] = bootstrapRatios([{ numerator: tokens_B, denominator: seconds_B }]);
  const total = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  return { chains, tooLong, speed: { seconds: total(seconds_B), tokens: total(tokens_B), tokensPerSecond } };
}
