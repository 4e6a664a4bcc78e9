import type { Engine } from "../engine/engine.js";
import type { Judge } from "../judges/judge.js";
import type { BertScoreEncoder } from "../rewards/answer.js";
import type { Decode } from "../rollouts/sample-groups.js";
import type { SegmentOptions } from "../steps/segment.js";
import type { Example, Prompt } from "../types.js";

/** Between texts and tokens: one model's tokenizer, image processor and prompt layout. */
export interface Codec {
  readonly decode: Decode;
  readonly segmentation: SegmentOptions;
  /** The prompt whose completion is the reasoning and the answer. Rejects with a UserError for an unreadable image. */
  prompt(example: Example): Promise<Prompt>;
  /** Tokens of the completion to imitate in an epoch, its end included; `null` where the example has no reasoning. */
  target(example: Example, epoch: number): readonly number[] | null;
}

/** What a training is made of; the loop knows no other module of the system. */
export interface TrainingParts {
  readonly engine: Engine;
  readonly codec: Codec;
  readonly judge: Judge | null;
  readonly encoder: BertScoreEncoder | null;
  readonly examples: readonly Example[];
  /** Empty where nothing is evaluated. */
  readonly heldOut: readonly Example[];
}
