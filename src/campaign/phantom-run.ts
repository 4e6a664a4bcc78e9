import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { configOf } from "../training/config.js";
import type { TrainConfig, TrainConfigInput } from "../training/schema.js";

/** What all runs of a campaign on the phantom share; learning rate and steps are the campaign's own. */
export interface PhantomRunSettings {
  readonly steps: number;
  /** Examples of one update (P) and completions of each (G). */
  readonly prompts: number;
  readonly groupSize: number;
  readonly learningRate: number;
  readonly beta: number;
  readonly tau: number;
  readonly maxTokens: number;
  readonly warmupSteps: number;
}

export interface PhantomRun {
  readonly method: TrainConfig["method"];
  readonly seed: number;
  readonly output: string;
  /** Hugging Face folder of the start policy. */
  readonly model: string;
  /** Phantom data set's folder. */
  readonly data: string;
  readonly settings: PhantomRunSettings;
  readonly shaping?: TrainConfigInput["shaping"];
  readonly evaluation?: TrainConfigInput["evaluation"];
  readonly checkpointEvery: number;
}

/** A start policy that ships with the package. */
export function shippedStart(name: string): string {
  return fileURLToPath(new URL(`../../assets/start/${name}`, import.meta.url));
}

/** Runs made side by side: one per core, two at most. */
export function jobsAtOnce(): number {
  return Math.min(2, availableParallelism());
}

/**
 * The configuration of one run: one worker with one thread, as another run has the other core. SFT learns from P·G gold
 * chains a step, so that every method sees the same number of samples.
 */
export function phantomRunConfig(run: PhantomRun): TrainConfig & { readonly output: string } {
  const { method, seed, output, model, data, settings, shaping, evaluation, checkpointEvery } = run;
  const { steps, prompts, groupSize, learningRate, beta, tau, maxTokens, warmupSteps } = settings;
  const config = configOf({
    method,
    seed,
    output,
    model,
    steps,
    data: { path: data },
    engine: { workers: 1, threads: 1, maxRows: 16 },
    sampling: { groupSize, temperature: 1, maxTokens },
    shaping: { tau, ...shaping },
    loss: { beta },
    judge: { kind: "phantom" },
    optimizer: { learningRate, warmupSteps },
    batch: { prompts: method === "sft" ? prompts * groupSize : prompts },
    evaluation: { every: 0, ...evaluation },
    checkpoint: { every: checkpointEvery, keep: 1 },
  } satisfies TrainConfigInput);
  return { ...config, output };
}
