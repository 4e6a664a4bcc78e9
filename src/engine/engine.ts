import type { Datum, Prompt, StopReason } from "../types.js";

/** What an engine can do, asked once at the start of a run. */
export interface EngineCapabilities {
  readonly name: string;
  /** Longest prompt + completion, tokens. */
  readonly maxSequenceTokens: number;
  readonly vocabularySize: number;
  readonly images: boolean;
  /** `full` or `lora`: what optimStep changes. */
  readonly trains: readonly ("full" | "lora")[];
  /** forward(…, "reference") gives log-probabilities of the frozen start policy. */
  readonly reference: boolean;
  /** save/load restore optimiser moments bit for bit. */
  readonly exactResume: boolean;
  /** `sample` may run beside the other calls; it samples from the weights at its call, whatever is updated meanwhile. */
  readonly samplesWhileTraining: boolean;
}

export interface SampleRequest {
  readonly prompt: Prompt;
  /** One completion per seed: G = seeds.length. A completion depends on its own seed, not on its neighbours. */
  readonly seeds: readonly number[];
}

export interface SamplingParams {
  readonly maxTokens: number;
  /** 0 is greedy. Recorded logprobs are at this temperature (greedy: at 1). */
  readonly temperature: number;
  /** Nucleus mass in (0, 1]; 1 keeps all. Logprobs are of the untruncated distribution. */
  readonly topP?: number;
  /** 0 keeps all. */
  readonly topK?: number;
  /** Sampling ends when the decoded text contains one of these; the tokens that complete it are kept. */
  readonly stop?: readonly string[];
}

/** tokens and logprobs have length T; an end-of-sequence token that was sampled is included. */
export interface SampledSequence {
  readonly tokens: readonly number[];
  readonly logprobs: readonly number[];
  readonly stopReason: StopReason;
}

/**
 * `cross_entropy`: Σ wₜ·(−log pₜ).
 * `policy`: Σ wₜ·(−min(ρₜAₜ, clip(ρₜ, 1−epsLow, 1+epsHigh)·Aₜ) + klCoef·k3ₜ), k3 = exp(r−p) − (r−p) − 1.
 * Sums run over all tokens of all data; means are made by the weights.
 */
export type LossSpec =
  | { readonly kind: "cross_entropy" }
  | {
      readonly kind: "policy";
      readonly epsLow: number;
      readonly epsHigh: number;
      readonly klCoef: number;
      /** Temperature of the policy whose logprobs are compared: the sampling temperature. */
      readonly temperature: number;
    };

export interface ForwardBackwardResult {
  /** The weighted sum. */
  readonly loss: number;
  /** Per datum, log-probabilities of the completion's tokens under the current weights. */
  readonly logprobs: readonly (readonly number[])[];
  /** Weighted mean of k3 (0 without a KL term). */
  readonly kl: number;
  /** Share of weighted tokens whose surrogate is clipped. */
  readonly clipFraction: number;
  /** Weighted mean entropy of the next-token distribution, nats; NaN where the engine does not tell. */
  readonly entropy: number;
  /** Tokens processed (prompt and completion), for throughput. */
  readonly tokens: number;
}

/** AdamW (Loshchilov & Hutter 2019): decoupled weight decay, bias-corrected moments. */
export interface AdamWParams {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Largest 2-norm of the whole gradient; 0 leaves it as it is. */
  readonly maxGradNorm: number;
}

export interface OptimStepResult {
  /** 2-norm of the accumulated gradient before clipping. */
  readonly gradNorm: number;
}

/**
 * The one thing that the training loop knows of a model. Calls are made one at a time, except `sample`, which may
 * overlap others on engines that allow it. forwardBackward adds to the gradient; optimStep applies and clears it.
 * The engine owns weights and moments; callers own what they pass in, which is never changed.
 */
export interface Engine {
  readonly capabilities: EngineCapabilities;
  /** result[p][g] for requests[p].seeds[g]. Rejects with the signal's reason when aborted. */
  sample(requests: readonly SampleRequest[], params: SamplingParams, signal?: AbortSignal): Promise<SampledSequence[][]>;
  /** log-probabilities of each datum's completion, at `temperature` (1 unless told). */
  forward(data: readonly Pick<Datum, "prompt" | "completion">[], options?: ForwardOptions): Promise<number[][]>;
  forwardBackward(data: readonly Datum[], loss: LossSpec): Promise<ForwardBackwardResult>;
  optimStep(params: AdamWParams): Promise<OptimStepResult>;
  /** Writes into the existing, empty folder `dir`. `weights`: a Hugging Face folder. `state`: that and the optimiser. */
  save(dir: string, what: "weights" | "state"): Promise<void>;
  /** Restores what `save(dir, "state")` wrote: weights and moments. The reference policy stays the start policy. */
  load(dir: string): Promise<void>;
  close(): Promise<void>;
}

export interface ForwardOptions {
  readonly weights?: "current" | "reference";
  readonly temperature?: number;
}
