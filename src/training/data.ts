import type { Datum, Prompt, Rollout } from "../types.js";
import type { TrainConfig } from "./schema.js";

/** A completion with its prompt and the per-token advantages that credit assignment gave it. */
export interface CreditedRollout {
  readonly prompt: Prompt;
  readonly rollout: Rollout;
  /** Length T. */
  readonly tokenAdvantages: readonly number[];
}

/**
 * Weight of every token of each completion, by the loss aggregation, for N completions of lengths T_i:
 * `sequence-mean` 1/(T_i·N) (the paper), `token-mean` 1/ΣT (DAPO, arXiv 2503.14476), `constant-length`
 * 1/(maxTokens·N) (Dr. GRPO, arXiv 2503.20783). Unscored completions count in N: their advantages are 0, and whether
 * one could be scored does not change what the others weigh.
 */
export function tokenWeights(lengths_N: readonly number[], aggregation: TrainConfig["loss"]["aggregation"], maxTokens: number): number[] {
  const N = lengths_N.length;
  const total = lengths_N.reduce((sum, T) => sum + T, 0);
  switch (aggregation) {
    case "sequence-mean":
      return lengths_N.map((T) => (T === 0 ? 0 : 1 / (T * N)));
    case "token-mean":
      return lengths_N.map(() => (total === 0 ? 0 : 1 / total));
    case "constant-length":
      return lengths_N.map(() => 1 / (maxTokens * N));
  }
}

/** Data of the policy loss. Without a KL term a completion whose advantages are all 0 has no gradient: it is left out. */
export function policyData(credited_N: readonly CreditedRollout[], config: TrainConfig): Datum[] {
  const lengths = credited_N.map(({ rollout }) => rollout.tokens.length);
  const weights = tokenWeights(lengths, config.loss.aggregation, config.sampling.maxTokens);
  return credited_N.flatMap(({ prompt, rollout, tokenAdvantages }, i): Datum[] => {
    const idle = config.loss.beta === 0 && tokenAdvantages.every((a) => a === 0);
    if (idle || rollout.tokens.length === 0) return [];
    return [
      {
        prompt,
        completion: rollout.tokens,
        weights: rollout.tokens.map(() => weights[i]),
        advantages: tokenAdvantages,
        logprobs: rollout.logprobs,
      },
    ];
  });
}

/** Data of supervised fine-tuning: the gold chain and answer, every token weighted by the aggregation. */
export function supervisedData(
  gold_N: readonly { readonly prompt: Prompt; readonly completion: readonly number[] }[],
  config: TrainConfig,
): Datum[] {
  const lengths = gold_N.map(({ completion }) => completion.length);
  const weights = tokenWeights(lengths, config.loss.aggregation, config.sampling.maxTokens);
  return gold_N.map(({ prompt, completion }, i) => ({ prompt, completion, weights: completion.map(() => weights[i]) }));
}
