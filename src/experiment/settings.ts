import type { PhantomRunSettings } from "../campaign/phantom-run.js";

/** All numbers of an experiment. */
export interface ExperimentSettings {
  readonly dataSeed: number;
  readonly trainExamples: number;
  /** Held-out questions of the end points. */
  readonly questions: number;
  /** Of them, those answered by greedy decoding too. */
  readonly greedyQuestions: number;
  /** Held-out questions of each point of the learning curves, and the steps between points. */
  readonly curveQuestions: number;
  readonly curveEvery: number;
  readonly run: PhantomRunSettings;
}

export const experimentStarts = ["phantom-biased", "phantom-confident"] as const;

export const experimentSettings: ExperimentSettings = {
  dataSeed: 1,
  trainExamples: 1024,
  questions: 512,
  greedyQuestions: 192,
  curveQuestions: 64,
  curveEvery: 10,
  run: { steps: 50, prompts: 6, groupSize: 8, learningRate: 1.5e-4, beta: 0.04, tau: 0.6, maxTokens: 128, warmupSteps: 0 },
};

/** A trial of the whole path in minutes; its numbers mean nothing. */
export const quickSettings: ExperimentSettings = {
  ...experimentSettings,
  questions: 64,
  greedyQuestions: 64,
  curveQuestions: 32,
  curveEvery: 2,
  run: { ...experimentSettings.run, steps: 4 },
};
