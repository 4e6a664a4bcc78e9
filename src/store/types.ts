import type { JudgeAccount } from "../judges/judge.js";
import type { ChainVerdict, Rewards, Span, Step, StopReason } from "../types.js";

/**
 * What a run's folder holds, as plain data. Shares are in [0, 1]; a value that does not exist at a step (no judge, no
 * failing chain, no KL term) is `null`, never 0. docs/run-folder.md describes the files.
 */

/** Version of the folder's layout; a reader refuses a newer one. */
export const RUN_FORMAT = 1;

export type Method = "sft" | "grpo" | "gdpo" | "mrpo";

/** One line of metrics.jsonl: values that are the same however often the run was interrupted. */
export interface MetricsRow {
  /** 1-based number of the update. */
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  /** Weighted mean of the k3 estimator; `null` without a KL term. */
  readonly kl: number | null;
  readonly gradNorm: number | null;
  readonly learningRate: number;
  readonly clipFraction: number | null;
  /** Mean entropy of the next-token distribution, nats. */
  readonly entropy: number | null;
  /** Mean of the weighted reward sum over scored completions. */
  readonly rewardMean: number | null;
  readonly rewardAnswer: number | null;
  readonly rewardProcess: number | null;
  readonly rewardLength: number | null;
  /** Share of scored answers verified equal to the gold one (answer reward 1). */
  readonly accuracy: number | null;
  /** Valid steps over judged steps. */
  readonly stepValidity: number | null;
  /** Share of judged chains with at least one invalid step. */
  readonly failingShare: number | null;
  /** Among failing chains: where the first invalid step lies, by thirds of (k*−1)/K. */
  readonly earlyShare: number | null;
  readonly midShare: number | null;
  readonly lateShare: number | null;
  /** Mean share of invalid steps after the first failure, over failing chains that have steps after it. */
  readonly far: number | null;
  readonly stepsPerChain: number | null;
  readonly prompts: number;
  /** Completions sampled (SFT: gold chains learned from). */
  readonly rollouts: number;
  /** Mean tokens of a completion. */
  readonly completionTokens: number | null;
  /** Share of completions that ended at the token limit. */
  readonly truncatedShare: number | null;
  /** Completions with an unscored reward: kept out of every mean, advantages 0. */
  readonly unscored: number;
  /** Groups whose advantages are all zero (equal rewards, or fewer than two scored completions). */
  readonly zeroGroups: number;
  /** Prompts left out because prompt and completion do not fit the engine's longest sequence. */
  readonly skippedPrompts: number;
  /** Updates between the policy that sampled the batch and the one that learned from it; `null` for SFT. */
  readonly staleness: number | null;
  /**
   * Mean of log π_sampling − log π_now over the tokens learned from, nats: an estimate of KL(π_sampling ‖ π_now). About 0
   * on-policy; beyond that it shows the lag, or an engine whose sampling and training disagree. `null` for SFT.
   */
  readonly policyShift: number | null;
}

/** One line of timeline.jsonl: one piece of work that step `step` needed, begun and ended in milliseconds since 1970. */
export interface TimelineSpan {
  readonly lane: "sample" | "judge" | "reference" | "train" | "evaluate" | "save";
  readonly step: number;
  readonly start: number;
  readonly end: number;
}

/** One line of timings.jsonl: seconds that the loop waited for each phase, kept apart from the metrics because they never repeat. */
export interface TimingsRow {
  readonly step: number;
  readonly sample: number;
  readonly judge: number;
  readonly score: number;
  readonly reference: number;
  readonly train: number;
  readonly store: number;
  readonly total: number;
  /** Prompt and completion tokens trained on, over the seconds of the whole step. */
  readonly tokensPerSecond: number;
  /** Completion tokens sampled, over the seconds of sampling; `null` for SFT. */
  readonly sampledTokensPerSecond: number | null;
  /** What a judge that is paid for used since the step before (evaluations and batches ahead included). */
  readonly judgeAccount?: JudgeAccount;
}

/** One line of evaluations.jsonl: held-out chains of one checkpoint or step (0 is the start policy). */
export interface EvaluationRow {
  readonly step: number;
  readonly split: string;
  readonly temperature: number;
  readonly questions: number;
  readonly chains: number;
  readonly accuracy: number | null;
  readonly stepValidity: number | null;
  readonly failingShare: number | null;
  readonly early: number | null;
  readonly mid: number | null;
  readonly late: number | null;
  readonly far: number | null;
  /** FAR by the bin of width 0.2 in which the first failure lies; `null` for an empty bin. */
  readonly farByBin: readonly (number | null)[];
  readonly stepsPerChain: number | null;
  readonly completionTokens: number | null;
  readonly truncatedShare: number | null;
  /** Chains that could not be judged or scored. */
  readonly unscored: number;
}

/** The example that a rollout answers, kept once per run so that a report needs no data set. */
export interface StoredExample {
  readonly id: string;
  /** Absolute path of the image when the run was made. */
  readonly image: string | null;
  readonly question: string;
  readonly answer: string;
  readonly goldReasoning: string | null;
  readonly kind: string | null;
}

/** One completion of one training step. Arrays of tokens have length T, of steps length K. */
export interface StoredRollout {
  readonly step: number;
  readonly exampleId: string;
  /** Position in its group, 0 … G−1. */
  readonly index: number;
  readonly text: string;
  readonly answer: string | null;
  readonly stopReason: StopReason;
  readonly tokens: readonly number[];
  /** UTF-16 spans in `text`. */
  readonly offsets: readonly Span[];
  readonly logprobs: readonly number[];
  readonly steps: readonly Step[];
  readonly verdict: ChainVerdict;
  readonly rewards: Rewards;
  /** Group advantage; 0 for an unscored completion. */
  readonly advantage: number;
  /** Advantage of each token after shaping. */
  readonly tokenAdvantages: readonly number[];
}

export interface RolloutQuery {
  readonly step?: number;
  readonly exampleId?: string;
  readonly limit?: number;
  readonly offset?: number;
}

export type RunState = "running" | "stopped" | "finished" | "failed";

/** status.json: rewritten after every step. */
export interface RunStatus {
  readonly format: number;
  readonly state: RunState;
  /** Last finished step. */
  readonly step: number;
  readonly totalSteps: number;
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly updatedAt: number;
  /** Why it failed or stopped. */
  readonly message?: string;
  /** How answers are scored; known once the run's parts are open. */
  readonly answerScorer?: string;
}

/** A run opened for reading; it may still be written. Every call reads what is on disk now. */
export interface RunReader {
  readonly dir: string;
  /** The last part of the folder's path. */
  readonly name: string;
  /** config.json: the resolved configuration; `configOf` of training/config.ts gives it its type. */
  readonly config: Readonly<Record<string, unknown>>;
  status(): RunStatus | null;
  metrics(): MetricsRow[];
  timings(): TimingsRow[];
  /** Ordered by end. */
  timeline(): TimelineSpan[];
  evaluations(): EvaluationRow[];
  /** Folders of the whole checkpoints, ascending by step. */
  checkpoints(): { readonly step: number; readonly dir: string }[];
  /** Folder of the final weights (a Hugging Face folder), `null` before the run has finished. */
  modelDir(): string | null;
  /** Steps that have rollouts, ascending. */
  rolloutSteps(): number[];
  /** Ordered by step, example id, index. Empty for a run without rollouts (SFT). */
  rollouts(query?: RolloutQuery): StoredRollout[];
  examples(ids?: readonly string[]): StoredExample[];
  close(): void;
}
