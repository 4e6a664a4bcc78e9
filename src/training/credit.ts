import { assignCredit, creditRollout, type GroupCredit } from "../advantages/credit.js";
import { stepTokens } from "../steps/token-spans.js";
import type { Group } from "../types.js";
import { UserError } from "../util/errors.js";
import type { TrainConfig } from "./schema.js";

/** Advantages of a batch by the configured method: `[p].advantages[g]` and `[p].tokenAdvantages[g][t]`. */
export function creditGroups(groups_P: readonly Group[], config: TrainConfig): GroupCredit[] {
  const { method, rewards, advantages, shaping } = config;
  if (method === "sft") throw new RangeError("sft has no advantages");
  const { variant, ...shapingOptions } = shaping;
  const options = { ...shapingOptions, shaping: variant, weights: rewards.weights, normalise: advantages.normalise };
  const groups = groups_P.map(({ rollouts }) => ({
    method,
    options,
    rollouts: rollouts.map((scored) => creditRollout(scored, stepTokens(scored.rollout.text, scored.steps, scored.rollout.offsets))),
  }));
  try {
    return assignCredit(groups);
  } catch (error) {
    // A variant that needs facts which this judge does not give.
    if (error instanceof RangeError) throw new UserError(`shaping.variant: ${error.message}`);
    throw error;
  }
}
