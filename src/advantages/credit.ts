/**
 * Groups of rewarded rollouts → advantages and token advantages, by method: what the training loop and the `shape`
 * filter both run.
 */
import type { Scored, ScoredRollout, Span, StepVerdict } from "../types.js";
import { mean } from "../util/statistics.js";
import { gdpoAdvantages, type RewardVector } from "./gdpo.js";
import { groupAdvantages, isScored, type MaybeReward } from "./group.js";
import { shapeTokens, type ShapingOptions, type StepFacts } from "./shaping.js";

export const methods = ["mrpo", "grpo", "gdpo"] as const;
export type Method = (typeof methods)[number];

export interface RewardWeights {
  readonly answer: number;
  readonly process: number;
  readonly length: number;
}

export const rewardNames = ["answer", "process", "length"] as const;

export interface CreditOptions extends ShapingOptions {
  readonly weights?: Partial<RewardWeights>;
  /** `none`: no division by the group's standard deviation (Dr. GRPO); GRPO and MRPO only. */
  readonly normalise?: "std" | "none";
}

/** A step's tokens and facts; `valid: null` where it could not be judged. Spans are token indices, in order. */
export interface CreditStep extends Span, Omit<StepFacts, "valid"> {
  readonly valid: boolean | null;
}

export interface CreditRollout {
  /** `null`: could not be scored. */
  readonly rewards: Readonly<Record<keyof RewardWeights, MaybeReward>>;
  /** T. */
  readonly tokens: number;
  readonly steps: readonly CreditStep[];
  /** `[T]`, where spans are not exact (blank tokens inside a step belong to none); by default made of the spans. */
  readonly tokenStep?: readonly number[];
  /** `[T]`, `token-confidence` only. */
  readonly tokenProbabilities?: readonly number[];
}

export interface GroupCredit {
  /** `[G]`. */
  readonly advantages: number[];
  /** `[G][T]`. */
  readonly tokenAdvantages: number[][];
  /** Indices of the rollouts that could not be scored: zeros, and in no mean. */
  readonly unscored: number[];
}

export interface CreditGroup {
  readonly method: Method;
  readonly rollouts: readonly CreditRollout[];
  readonly options?: CreditOptions;
}

/** Credit of a batch, in order. GDPO normalises over all its groups in the batch; the others by group. */
export function assignCredit(groups: readonly CreditGroup[]): GroupCredit[] {
  const together = groups.filter((group) => group.method === "gdpo");
  const gdpo = gdpoAdvantages(
    together.map((group) => group.rollouts.map((rollout) => rewardVector(rollout, group))),
    together.map((group) => rewardNames.map((name) => weightsOf(group)[name])),
  );
  return groups.map((group) =>
    group.method === "gdpo"
      ? withTokens(group, gdpo[together.indexOf(group)])
      : withTokens(group, groupAdvantages(group.rollouts.map((rollout) => totalReward(rollout, group)), group.options)),
  );
}

/** Weighted sum of the rewards, `null` where the rollout counts as unscored. A weight of 0 needs no reward. */
function totalReward(rollout: CreditRollout, group: CreditGroup): number | null {
  const rewards = rewardVector(rollout, group);
  if (rewards === null) return null;
  const weights = weightsOf(group);
  let total = 0;
  rewardNames.forEach((name, k) => {
    if (weights[name] !== 0) total += weights[name] * (rewards[k] ?? NaN);
  });
  return total;
}

/** An unjudged step leaves the rollout out wherever verdicts count: in the process reward or in the shaping. */
function rewardVector(rollout: CreditRollout, group: CreditGroup): RewardVector {
  const weights = weightsOf(group);
  const rewards = rewardNames.map((name) => rollout.rewards[name]);
  if (rewardNames.some((name, k) => weights[name] !== 0 && !isScored(rewards[k]))) return null;
  const gated = group.method === "mrpo" && group.options?.answerGate !== false;
  const gateNeedsAnswer = gated && !isScored(rollout.rewards.answer);
  const verdictsCount = group.method === "mrpo" || weights.process !== 0;
  if (gateNeedsAnswer || (verdictsCount && rollout.steps.some((step) => step.valid === null))) return null;
  return rewards;
}

function weightsOf({ options }: CreditGroup): RewardWeights {
  return { answer: 1, process: 1, length: 1, ...options?.weights };
}

function withTokens(group: CreditGroup, advantages: number[]): GroupCredit {
  const unscored = group.rollouts.flatMap((rollout, g) => (rewardVector(rollout, group) === null ? [g] : []));
  const isUnscored = new Set(unscored);
  const tokenAdvantages = group.rollouts.map((rollout, g) => {
    const flat = (): number[] => new Array<number>(rollout.tokens).fill(advantages[g]);
    return group.method !== "mrpo" || isUnscored.has(g) ? flat() : shaped(rollout, advantages[g], group.options);
  });
  return { advantages, tokenAdvantages, unscored };
}

function shaped(rollout: CreditRollout, advantage: number, options: CreditOptions | undefined): number[] {
  const steps = rollout.steps.map((step): StepFacts => ({ ...step, valid: step.valid === true }));
  const tokenStep = rollout.tokenStep ?? tokenStepOf(rollout.steps, rollout.tokens);
  const answerReward = rollout.rewards.answer ?? NaN;
  return shapeTokens({ advantage, answerReward, tokenStep, steps, tokenProbabilities: rollout.tokenProbabilities }, options);
}

/** `[T]`: the step whose span holds each token, −1 outside. */
export function tokenStepOf(spans: readonly Span[], tokens: number): number[] {
  const out = new Array<number>(tokens).fill(-1);
  spans.forEach((span, k) => out.fill(k, span.start, span.end));
  return out;
}

/** What credit needs of a scored rollout; `stepTokens` is where its steps lie in its tokens (steps/token-spans). */
export function creditRollout(
  scored: ScoredRollout,
  stepTokens: { readonly tokenStep: readonly number[]; readonly spans: readonly Span[] },
): CreditRollout {
  const { rollout, rewards, steps, verdict } = scored;
  const probabilities = rollout.logprobs.map((logprob) => Math.min(1, Math.exp(logprob)));
  const verdicts: readonly StepVerdict[] = verdict.status === "judged" ? verdict.steps : [];
  return {
    rewards: { answer: valueOf(rewards.answer), process: valueOf(rewards.process), length: valueOf(rewards.length) },
    tokens: rollout.tokens.length,
    steps: steps.map((_, k) => {
      const own = probabilities.filter((_p, t) => stepTokens.tokenStep[t] === k);
      const facts = verdicts[k];
      return {
        ...stepTokens.spans[k],
        valid: facts?.valid ?? null,
        own: facts?.own,
        origin: facts?.inheritedFrom,
        meanProbability: own.length === 0 ? 1 : mean(own),
      };
    }),
    tokenStep: stepTokens.tokenStep,
    tokenProbabilities: probabilities,
  };
}

function valueOf(reward: Scored<number>): MaybeReward {
  return reward.status === "scored" ? reward.value : null;
}
