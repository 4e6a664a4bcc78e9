import { tokenWeights } from "../advantages/loss.js";
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
 * Data of the policy loss. Unscored completions count in the means' N: their advantages are 0, and whether one could be
 * scored does not change what the others weigh. Without a KL term a completion whose advantages are all 0 has no gradient: it is left out.
 */
export function policyData(credited_N: readonly CreditedRollout[], config: TrainConfig): Datum[] {
  const lengths = credited_N.map(({ rollout }) => rollout.tokens.length);
  const weights = tokenWeights(lengths, config.loss.aggregation, { maxLength: config.sampling.maxTokens });
  return credited_N.flatMap(({ prompt, rollout, tokenAdvantages }, i): Datum[] => {
    const idle = config.loss.beta === 0 && tokenAdvantages.every((a) => a === 0);
    if (idle || rollout.tokens.length === 0) return [];
    return [
      {
        prompt,
        completion: rollout.tokens,
        weights: weights[i],
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
  const weights = tokenWeights(lengths, config.loss.aggregation, { maxLength: config.sampling.maxTokens });
  return gold_N.map(({ prompt, completion }, i) => ({ prompt, completion, weights: weights[i] }));
}
