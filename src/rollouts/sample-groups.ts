import type { Engine, SamplingParams } from "../engine/engine.js";
import type { Example, Prompt, Rollout, Span } from "../types.js";

/** Text of a completion without special tokens, and each token's UTF-16 span in it. */
export type Decode = (tokens: readonly number[]) => { readonly text: string; readonly offsets: readonly Span[] };

/** An example with its tokenised prompt. */
export interface PromptedExample {
  readonly example: Example;
  readonly prompt: Prompt;
}

export interface SampleGroupsOptions {
  readonly params: SamplingParams;
  /** Completions of each prompt. */
  readonly groupSize: number;
  /** Seed of completion `index` of an example. */
  readonly seedOf: (exampleId: string, index: number) => number;
  readonly decode: Decode;
  readonly signal?: AbortSignal;
}

/** Samples a group of completions of every prompt: result[p][g]. */
export async function sampleGroups(
  engine: Engine,
  prompts_P: readonly PromptedExample[],
  { params, groupSize, seedOf, decode, signal }: SampleGroupsOptions,
): Promise<Rollout[][]> {
  const requests = prompts_P.map(({ example, prompt }) => ({
    prompt,
    seeds: Array.from({ length: groupSize }, (_, g) => seedOf(example.id, g)),
  }));
  const sequences = await engine.sample(requests, params, signal);
  return prompts_P.map(({ example }, p) =>
    sequences[p].map((sequence, index) => ({
      exampleId: example.id,
      index,
      tokens: sequence.tokens,
      logprobs: sequence.logprobs,
      ...decode(sequence.tokens),
      stopReason: sequence.stopReason,
    })),
  );
}

/** Splits prompts into those that leave room for `maxTokens` in the engine's longest sequence, and the ids of the rest. */
export function fitting(
  prompts_P: readonly PromptedExample[],
  maxTokens: number,
  maxSequenceTokens: number,
): { fit: PromptedExample[]; tooLong: string[] } {
  const fits = ({ prompt }: PromptedExample) => prompt.tokens.length + maxTokens <= maxSequenceTokens;
  return {
    fit: prompts_P.filter(fits),
    tooLong: prompts_P.filter((prompted) => !fits(prompted)).map(({ example }) => example.id),
  };
}
