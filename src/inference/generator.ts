import type { Question } from "./data.js";

/** One completion to be had: of a question, the `sample`-th. */
export interface Task {
  readonly question: Question;
  readonly sample: number;
  /** Follows from the run's seed, the question and the sample alone. */
  readonly seed: number;
}

export type Outcome =
  | { readonly status: "done"; readonly text: string; readonly tokens?: number; readonly truncated: boolean }
  | { readonly status: "failed"; readonly reason: string };

/** How completions are sampled. */
export interface GenerationParams {
  /** 0 is greedy. */
  readonly temperature: number;
  /** Nucleus mass; 1 keeps all. */
  readonly topP: number;
  /** Longest completion, tokens; as the model has it where not given. */
  readonly maxTokens?: number;
}

/**
 * Answers questions: an engine on this machine, or a server. Tasks come in units of `unit` with fixed borders, so that
 * a unit asked again has the same neighbours; `concurrency` units are under way at once. An outcome per task, in order;
 * what failed is an outcome. `generate` rejects when the signal is aborted, or for what asking other questions will
 * not mend.
 */
export interface Generator {
  readonly unit: number;
  readonly concurrency: number;
  /** A failed task may succeed when asked again. */
  readonly retriesFailures: boolean;
  generate(tasks: readonly Task[], signal?: AbortSignal): Promise<Outcome[]>;
  close(): Promise<void>;
}
