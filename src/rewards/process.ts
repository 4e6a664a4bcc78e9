import type { ChainVerdict, Scored } from "../types.js";

/**
 * R_proc: the share of valid steps. A chain without steps scores 0 (the policy wrote none); a chain that the judge
 * could not judge is unscored with the judge's reason, where the reference pays 0.
 */
export function processReward(verdict: ChainVerdict): Scored<number> {
  if (verdict.status === "unscored") return verdict;
  const K = verdict.steps.length;
  const valid = verdict.steps.filter((step) => step.valid).length;
  return { status: "scored", value: K === 0 ? 0 : valid / K };
}
