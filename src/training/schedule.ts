import type { TrainConfig } from "./schema.js";

/**
 * Learning rate of a 1-based step: linear warm-up that reaches the peak at step `warmupSteps`, then constant, or linear
 * or half a cosine down to 0 after the last step, so that the last step still learns.
 */
export function learningRateAt(
  step: number,
  totalSteps: number,
  options: Pick<TrainConfig["optimizer"], "learningRate" | "schedule" | "warmupSteps">,
): number {
  const { learningRate, schedule, warmupSteps } = options;
  if (step < warmupSteps) return (learningRate * step) / warmupSteps;
  const done = Math.min(1, (step - Math.max(1, warmupSteps)) / Math.max(1, totalSteps - Math.max(1, warmupSteps) + 1));
  switch (schedule) {
    case "constant":
      return learningRate;
    case "linear":
      return learningRate * (1 - done);
    case "cosine":
      return (learningRate * (1 + Math.cos(Math.PI * done))) / 2;
  }
}
