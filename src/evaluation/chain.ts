import { answersEqual } from "../rewards/verify.js";
import type { Example, ScoredRollout, Scored, Span, StepVerdict } from "../types.js";

/** One evaluated completion as plain JSON: all that metrics, comparisons and the report's gallery need of it. */
export interface EvaluatedChain {
  readonly exampleId: string;
  /** 0 … n−1 where several completions of a question were sampled. */
  readonly sample: number;
  readonly kind: string | null;
  readonly image: string | null;
  readonly question: string;
  readonly goldAnswer: string;
  readonly goldReasoning: string | null;
  readonly text: string;
  /** Text in the answer tag; `null` where there is none. */
  readonly answer: string | null;
  /** UTF-16 spans in `text`, K of them. */
  readonly steps: readonly Span[];
  /** One verdict a step; `null` where the chain could not be judged. */
  readonly verdicts: readonly StepVerdict[] | null;
  /** Answer verified equal to the gold one; `null` where the answer could not be scored. */
  readonly correct: boolean | null;
  /** The three rewards; `null` is unscored. */
  readonly rewards: { readonly answer: number | null; readonly process: number | null; readonly length: number | null };
  /** Why something is unscored. */
  readonly unscored: readonly string[];
  /** Completion tokens, an end-of-sequence token included. */
  readonly tokens: number;
  /** Sampling ended at the token limit. */
  readonly truncated: boolean;
}

/** The row of a scored completion. A reward of 1 does not mean a right answer: its words in another order have it too. */
export function chainOf(example: Example, scored: ScoredRollout): EvaluatedChain {
  const { rollout, rewards, verdict } = scored;
  const unscored = [rewards.answer, rewards.process, rewards.length, verdict].flatMap((part) =>
    part.status === "unscored" ? [part.reason] : [],
  );
  return {
    exampleId: example.id,
    sample: rollout.index,
    kind: example.kind ?? null,
    image: example.image,
    question: example.question,
    goldAnswer: example.answer,
    goldReasoning: example.goldReasoning,
    text: rollout.text,
    answer: scored.answer,
    steps: scored.steps.map(({ start, end }) => ({ start, end })),
    verdicts: verdict.status === "judged" ? verdict.steps : null,
    correct:
      rewards.answer.status === "scored" ? scored.answer !== null && answersEqual(scored.answer, example.answer) : null,
    rewards: { answer: numberOf(rewards.answer), process: numberOf(rewards.process), length: numberOf(rewards.length) },
    unscored: [...new Set(unscored)],
    tokens: rollout.tokens.length,
    truncated: rollout.stopReason === "length",
  };
}

function numberOf(scored: Scored<number>): number | null {
  return scored.status === "scored" ? scored.value : null;
}
