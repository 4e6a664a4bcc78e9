import type { PhantomRunSettings } from "../campaign/phantom-run.js";

/** All numbers of the demo in one place; the command's flags replace seeds, steps and questions. */
export const demoSettings = {
  start: "phantom-biased",
  dataSeed: 1,
  trainExamples: 1024,
  questions: 512,
  seeds: 3,
  /** Steps over which a training curve is averaged before levels are read from it. */
  smoothing: 5,
  run: {
    steps: 24,
    prompts: 6,
    groupSize: 8,
    learningRate: 1.5e-4,
    beta: 0.04,
    tau: 0.6,
    maxTokens: 128,
    warmupSteps: 0,
  } satisfies PhantomRunSettings,
} as const;

/** Compared side by side, in this order. */
export const demoMethods = ["grpo", "mrpo"] as const;
export type DemoMethod = (typeof demoMethods)[number];
