/**
 * The shared vocabulary: plain data that flows from dataset to update. No stage mutates its input.
 *
 * Dimension letters, used as suffixes of array names everywhere:
 * P prompts in a batch, G completions of one prompt (the group), N = P·G rollouts, K steps of a chain, T tokens of a
 * completion, V vocabulary, L layers, H heads, D width.
 */

/** Half-open range `[start, end)`: UTF-16 offsets into a text, or token indices, as the holder says. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A question about an image with its gold answer and, where there is one, its gold reasoning. */
export interface Example {
  readonly id: string;
  /** Absolute path of the image file; `null` for a question without one. */
  readonly image: string | null;
  readonly question: string;
  readonly answer: string;
  readonly goldReasoning: string | null;
  /** Kind of question (modality, organ, …) where the data set tells. */
  readonly kind?: string;
  /** What only this data set's own judge needs (the phantom: its scene). Plain JSON. */
  readonly meta?: Readonly<Record<string, unknown>>;
}

/** One sentence of the think text; offsets are UTF-16 offsets into the completion's text. */
export interface Step extends Span {
  readonly text: string;
}

/** A value that could not be had is not a number: it is counted, shown and kept out of every mean. */
export type Scored<T> = { readonly status: "scored"; readonly value: T } | Unscored;
export interface Unscored {
  readonly status: "unscored";
  readonly reason: string;
}

/** A judge's two bits for a step (paper, section on the process reward); valid when either is 1. */
export interface StepVerdict {
  readonly alignment: 0 | 1;
  readonly contribution: 0 | 1;
  readonly valid: boolean;
  /** Judges with ground truth only: the fact that this step adds is true, inherited errors apart. */
  readonly own?: boolean;
  /** Judges with ground truth only: index (0-based) of the earlier step whose error this one repeats. */
  readonly inheritedFrom?: number | null;
  /** Short, for people. */
  readonly why?: string;
  /** Several judges only: what each one said, in their order; the bits above are the majority's. */
  readonly votes?: readonly StepVote[];
}

/** One of several judges on a step; `null` bits where it could not judge the chain. */
export interface StepVote {
  readonly judge: string;
  readonly alignment: 0 | 1 | null;
  readonly contribution: 0 | 1 | null;
}

export type ChainVerdict = { readonly status: "judged"; readonly steps: readonly StepVerdict[] } | Unscored;

export type StopReason = "stop" | "length";

/** One completion sampled from the policy, with everything later stages need. All arrays have length T. */
export interface Rollout {
  readonly exampleId: string;
  /** Position in its group, 0 … G−1. */
  readonly index: number;
  readonly tokens: readonly number[];
  /** log π(token) under the policy that sampled it, at the sampling temperature. */
  readonly logprobs: readonly number[];
  /** Decoded completion, special tokens left out. */
  readonly text: string;
  /** Character span of each token in `text`; the parts of a split character all carry that character's span. */
  readonly offsets: readonly Span[];
  readonly stopReason: StopReason;
}

/** The three rewards of one completion; each may be unscored on its own. */
export interface Rewards {
  readonly answer: Scored<number>;
  readonly process: Scored<number>;
  readonly length: Scored<number>;
}

/** A rollout that was segmented, judged and rewarded. */
export interface ScoredRollout {
  readonly rollout: Rollout;
  /** Text in the answer tag, `null` where there is none. */
  readonly answer: string | null;
  readonly steps: readonly Step[];
  readonly verdict: ChainVerdict;
  readonly rewards: Rewards;
}

/** All completions of one example in one step. */
export interface Group {
  readonly example: Example;
  readonly rollouts: readonly ScoredRollout[];
}

/** An image ready for a vision tower (Qwen-VL, InternVL), or only measured for an engine that sends the file. */
export interface PreparedImage {
  /** Where it came from (for messages and for engines that send the file). */
  readonly source: string;
  /** Patches along time (InternVL: tiles), height, width: t·h·w rows. */
  readonly grid: { readonly t: number; readonly h: number; readonly w: number };
  /**
   * `[t·h·w, channels·temporalPatch·patch·patch]`, rows in merge-block order as Qwen's processor lays them; in the layout
   * `tiles` (InternVL) `[t, 3, side, side]`. Empty where the image was only measured.
   */
  readonly patches: Float32Array;
  /** `patches` where not given. */
  readonly layout?: "patches" | "tiles";
  /** Placeholder tokens that it takes in the prompt: t·h·w / merge²; InternVL: t times the tokens of a tile. */
  readonly tokenCount: number;
  /** Pixels to resize the file to before it is sent, so that a server's own processor makes `tokenCount` tokens of it. */
  readonly sendAs?: { readonly width: number; readonly height: number };
  /** What the file has that was not used, for people: "first of 12 frames". */
  readonly notes?: readonly string[];
}

/** A tokenised prompt; image placeholders are already expanded to `tokenCount` image tokens each, in image order. */
export interface Prompt {
  readonly tokens: readonly number[];
  readonly images: readonly PreparedImage[];
}

/** One completion to learn from. Arrays have length T = completion.length. */
export interface Datum {
  readonly prompt: Prompt;
  readonly completion: readonly number[];
  /** Weight of each token's loss term; carries the mask and the aggregation (1/(T·N) for the sequence mean). */
  readonly weights: readonly number[];
  /** Per-token advantages (policy loss). */
  readonly advantages?: readonly number[];
  /** log-probabilities under the sampling policy (policy loss). */
  readonly logprobs?: readonly number[];
  /** log-probabilities under the frozen start policy (policy loss with a KL term). */
  readonly referenceLogprobs?: readonly number[];
}
