/** What must hold before anything is sent, in the words of the local engine. */
import type { Prompt } from "../../types.js";
import { UserError } from "../../util/errors.js";

export interface Limits {
  readonly maxSequenceTokens: number;
  readonly vocabularySize: number;
}

export function checkRow({ tokens }: Prompt, completion: readonly number[], room: number, { maxSequenceTokens, vocabularySize }: Limits): void {
  if (tokens.length === 0) throw new UserError("an empty prompt: at least one token must come before the completion");
  if (tokens.length + room > maxSequenceTokens) {
    throw new UserError(`a sequence of ${tokens.length} + ${room} tokens exceeds the server's ${maxSequenceTokens} (engine.tinker.maxSequenceTokens)`);
  }
  const outside = (t: number): boolean => t < 0 || t >= vocabularySize;
  const bad = completion.find(outside) ?? tokens.find(outside);
  if (bad !== undefined) throw new UserError(`token id ${bad} is outside the model's vocabulary of ${vocabularySize}: tokenizer and model do not belong together`);
}
