/**
 * GDPO (arXiv 2601.05242): each reward is normalised within its group by itself, the normalised ones are summed with
 * their weights, and the sum is divided by its standard deviation over the whole batch.
 *
 * The batch mean is not subtracted: each group's sums have mean 0, so it is 0 but for rounding, and leaving it out
 * keeps a group of equal rewards at exactly 0. A group with fewer than two scored rollouts carries no comparison: it
 * gets zeros and takes no part in the batch's standard deviation.
 */
import { orderFreeSum } from "../util/statistics.js";
import { groupAdvantages, stdEpsilon, type MaybeReward } from "./group.js";

/** One rollout's rewards in a fixed order, or `null` where any that counts could not be scored. */
export type RewardVector = readonly MaybeReward[] | null;

/**
 * `groups[p][g]`: the reward vector of rollout g of prompt p; `weights[p]`: the weight of each reward in that group
 * (0: the reward is not used and may be unscored). Returns `[p][g]`.
 */
export function gdpoAdvantages(
  groups: readonly (readonly RewardVector[])[],
  weights: readonly (readonly number[])[],
): number[][] {
  const summed = groups.map((group, p) => sumOfNormalised(group, weights[p]));
  const batch: number[] = [];
  groups.forEach((group, p) => {
    const scored = summed[p].filter((_, g) => isComplete(group[g], weights[p]));
    if (scored.length >= 2) batch.push(...scored);
  });
  if (batch.length < 2) return summed.map((group) => group.map(() => 0));
  const std = Math.sqrt(orderFreeSum(batch.map((value) => value * value)) / (batch.length - 1));
  return summed.map((group) => group.map((value) => value / (std + stdEpsilon)));
}

function sumOfNormalised(group: readonly RewardVector[], weights: readonly number[]): number[] {
  const out = group.map(() => 0);
  weights.forEach((weight, k) => {
    if (weight === 0) return;
    const column = group.map((rewards) => (rewards !== null && isComplete(rewards, weights) ? rewards[k] : null));
    groupAdvantages(column).forEach((value, g) => {
      out[g] += weight * value;
    });
  });
  return out;
}

function isComplete(rewards: RewardVector, weights: readonly number[]): boolean {
  return rewards !== null && weights.every((weight, k) => weight === 0 || Number.isFinite(rewards[k] ?? NaN));
}
