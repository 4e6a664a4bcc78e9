import { join } from "node:path";
import type { EndEvaluation } from "../campaign/evaluate-run.js";
import type { PlannedRun } from "./arms.js";
import type { ExperimentSettings } from "./settings.js";

/** Where things lie in an experiment's folder. */
export const experimentFiles = {
  data: (out: string) => join(out, "data"),
  run: (out: string, { start, arm, seed }: PlannedRun) => join(out, start, `${arm.key}-seed${seed}`),
  startEvaluation: (out: string, start: string, temperature: number) => join(out, start, `start-t${temperature}.json`),
} as const;

/** Temperature 1 first: greedy decoding saturates and hides differences. */
export const temperatures = [1, 0] as const;

/** The way in which end points are measured. */
export function endEvaluation(out: string, settings: ExperimentSettings, temperature: number): EndEvaluation {
  return { data: experimentFiles.data(out), questions: temperature === 0 ? settings.greedyQuestions : settings.questions, temperature, maxTokens: settings.run.maxTokens };
}
