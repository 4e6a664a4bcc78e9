import type { GroupCredit } from "../advantages/credit.js";
import { summariseCascades } from "../evaluation/cascade.js";
import { answersEqual } from "../rewards/verify.js";
import type { MetricsRow } from "../store/types.js";
import type { Group, Scored, ScoredRollout } from "../types.js";
import { mean } from "../util/statistics.js";
import type { TrainConfig } from "./schema.js";

type GroupMetrics = Omit<MetricsRow, "step" | "epoch" | "loss" | "kl" | "gradNorm" | "learningRate" | "clipFraction" | "entropy" | "skippedPrompts" | "staleness" | "policyShift">;

/** What a batch of scored groups tells; `credit_P` may be empty (evaluation). */
export function groupMetrics(groups_P: readonly Group[], credit_P: readonly GroupCredit[], config: TrainConfig): GroupMetrics {
  const all = groups_P.flatMap((group) => group.rollouts);
  const values = (of: (rollout: ScoredRollout) => Scored<number>) => all.flatMap((rollout) => numbersOf(of(rollout)));
  const answers = values(({ rewards }) => rewards.answer);
  const totals = all.flatMap((rollout) => numbersOf(weightedReward(rollout, config)));
  const cascade = summariseCascades(all.map(validityOf));
  return {
    rewardMean: meanOf(totals),
    rewardAnswer: meanOf(answers),
    rewardProcess: meanOf(values(({ rewards }) => rewards.process)),
    rewardLength: meanOf(values(({ rewards }) => rewards.length)),
    accuracy: meanOf(groups_P.flatMap(verifiedAnswers)),
    stepValidity: cascade.meanValidity,
    failingShare: cascade.failingShare,
    earlyShare: cascade.stages.early.share,
    midShare: cascade.stages.mid.share,
    lateShare: cascade.stages.late.share,
    far: cascade.far.mean,
    stepsPerChain: meanOf(all.map(({ steps }) => steps.length)),
    prompts: groups_P.length,
    rollouts: all.length,
    completionTokens: meanOf(all.map(({ rollout }) => rollout.tokens.length)),
    truncatedShare: meanOf(all.map(({ rollout }) => (rollout.stopReason === "length" ? 1 : 0))),
    unscored: credit_P.length > 0 ? credit_P.reduce((n, { unscored }) => n + unscored.length, 0) : all.length - totals.length,
    zeroGroups: credit_P.filter(({ advantages }) => advantages.every((a) => a === 0)).length,
  };
}

/** Metrics of a supervised batch: there are gold chains only. */
export function supervisedMetrics(lengths_N: readonly number[]): GroupMetrics {
  const none = { rewardMean: null, rewardAnswer: null, rewardProcess: null, rewardLength: null, accuracy: null };
  const noSteps = { stepValidity: null, failingShare: null, earlyShare: null, midShare: null, lateShare: null, far: null, stepsPerChain: null };
  return {
    ...none,
    ...noSteps,
    prompts: lengths_N.length,
    rollouts: lengths_N.length,
    completionTokens: meanOf(lengths_N),
    truncatedShare: null,
    unscored: 0,
    zeroGroups: 0,
  };
}

/** Validity bits of a chain; `null` bits where it was not judged. */
export function validityOf({ verdict, steps }: ScoredRollout): (boolean | null)[] {
  return verdict.status === "judged" ? verdict.steps.map(({ valid }) => valid) : steps.map(() => null);
}

/** Weighted sum of the rewards that have a weight; unscored where one of those is. */
export function weightedReward({ rewards }: ScoredRollout, config: TrainConfig): Scored<number> {
  let value = 0;
  for (const part of ["answer", "process", "length"] as const) {
    const weight = config.rewards.weights[part];
    const scored = rewards[part];
    if (weight === 0) continue;
    if (scored.status === "unscored") return scored;
    value += weight * scored.value;
  }
  return { status: "scored", value };
}

/** 1 or 0 for every scored answer of a group. A permuted answer has full overlap, so the reward does not tell. */
function verifiedAnswers({ example, rollouts }: Group): number[] {
  return rollouts.flatMap(({ rewards, answer }) =>
    rewards.answer.status === "unscored" ? [] : [answer !== null && answersEqual(answer, example.answer) ? 1 : 0],
  );
}

function numbersOf(scored: Scored<number>): number[] {
  return scored.status === "scored" ? [scored.value] : [];
}

function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : mean(values);
}
