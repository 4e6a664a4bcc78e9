import { mean, sampleStd } from "../util/statistics.js";

/** Added to every standard deviation that is divided by, as the reference does. */
export const stdEpsilon = 1e-4;

export interface GroupOptions {
  /** `std`: GRPO. `none`: Dr. GRPO, which does not divide by the standard deviation. */
  readonly normalise?: "std" | "none";
}

/** A reward, or `null` (or NaN) where it could not be scored. */
export type MaybeReward = number | null;

/**
 * GRPO: `A_i = (R_i − mean R) / (std R + 1e-4)` over the scored rewards of one group, std with n−1.
 * Unscored ones take no part and get 0; with fewer than two scored ones, or all equal, everything is exactly 0.
 * Sums are made in ascending order, so permuting the group permutes the advantages bit for bit.
 */
export function groupAdvantages(rewards_G: readonly MaybeReward[], { normalise = "std" }: GroupOptions = {}): number[] {
  const scored = rewards_G.filter(isScored);
  const std = sampleStd(scored);
  if (!(std > 0)) return rewards_G.map(() => 0);
  const centre = mean(scored);
  const scale = normalise === "std" ? std + stdEpsilon : 1;
  return rewards_G.map((reward) => (isScored(reward) ? (reward - centre) / scale : 0));
}

export function isScored(reward: MaybeReward): reward is number {
  return reward !== null && Number.isFinite(reward);
}
