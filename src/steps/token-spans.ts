/**
 * Steps → tokens, by character offsets.
 *
 * The rule: a token belongs to the step that its first non-blank character lies in; a blank token belongs to none.
 * Steps cover every non-blank character of the think text (see sentences.ts), so each of its other tokens is in
 * exactly one step. What follows from the rule:
 * - a token merged over a sentence border (". The") belongs to the earlier sentence, whose "." is its first character;
 * - a token merged over a tag's border (">The") begins with the tag and belongs to none;
 * - the byte-level parts of one character all carry that character's span and go to the same step;
 * - a token of no width (a special token left out of the text) belongs to none.
 */
import type { Span } from "../types.js";

export interface StepTokens {
  /** `[T]`: index of the token's step, −1 outside every step. */
  readonly tokenStep: readonly number[];
  /**
   * `[K]`: token indices from a step's first token to behind its last. Blank tokens inside are covered though they
   * belong to no step (`tokenStep` tells); a step without tokens of its own (all merged into its neighbour) has an
   * empty span where its first token would stand.
   */
  readonly spans: readonly Span[];
}

/**
 * `steps`: K spans of `text`, in order, not overlapping; `offsets`: `[T]` spans of `text`.
 * Throws a RangeError for steps that overlap or lie outside the text, and for token spans outside of it.
 */
export function stepTokens(text: string, steps: readonly Span[], offsets: readonly Span[]): StepTokens {
  checkSteps(text, steps);
  const tokenStep = offsets.map((span, t) => {
    if (!(span.start >= 0 && span.start <= span.end && span.end <= text.length)) {
      throw new RangeError(`token ${t}: span ${span.start}–${span.end} outside a text of ${text.length} characters`);
    }
    const at = firstNonBlank(text, span);
    return at < 0 ? -1 : stepAt(steps, at);
  });
  return { tokenStep, spans: steps.map((step, k) => tokenSpan(k, step, tokenStep, offsets)) };
}

function checkSteps(text: string, steps: readonly Span[]): void {
  let previousEnd = 0;
  steps.forEach((step, k) => {
    if (!(step.start >= previousEnd && step.end >= step.start && step.end <= text.length)) {
      throw new RangeError(
        `step ${k + 1}: span ${step.start}–${step.end} overlaps the one before it or lies outside the text (${text.length} characters)`,
      );
    }
    previousEnd = step.end;
  });
}

function firstNonBlank(text: string, { start, end }: Span): number {
  for (let i = start; i < end; i++) if (!isBlank(text.charCodeAt(i))) return i;
  return -1;
}

/** What `\s` and `trim` call blank, which is what steps are trimmed by. */
function isBlank(code: number): boolean {
  if (code <= 0x20) return code === 0x20 || (code >= 9 && code <= 13);
  return code >= 0xa0 && /\s/.test(String.fromCharCode(code));
}

/** Index of the step that holds the character, −1 without one; binary search over ordered spans. */
function stepAt(steps: readonly Span[], at: number): number {
  let low = 0;
  let high = steps.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (at < steps[middle].start) high = middle - 1;
    else if (at >= steps[middle].end) low = middle + 1;
    else return middle;
  }
  return -1;
}

function tokenSpan(k: number, step: Span, tokenStep: readonly number[], offsets: readonly Span[]): Span {
  const start = tokenStep.indexOf(k);
  if (start >= 0) return { start, end: tokenStep.lastIndexOf(k) + 1 };
  const next = offsets.findIndex((span) => span.start >= step.start);
  const at = next < 0 ? offsets.length : next;
  return { start: at, end: at };
}
