/**
 * R_ans ∈ [0, 1]: 1 when the answer is verified equal to the gold one, else 0.25·ROUGE-1 + 0.25·BLEU-1 +
 * 0.5·BERTScore F1; without a BERTScore encoder the two lexical parts with 0.5 each, and the reward says so.
 *
 * Departures from the reference: equality is by normalised text and number values (it parses the whole completion as
 * mathematics, so that plain words never verify and are paid for overlap alone); a completion without an answer tag
 * scores 0 (it compares the whole completion with the gold answer); an encoder that fails leaves the answer unscored
 * (it counts BERTScore as 0).
 */
import type { Scored } from "../types.js";
import { stripBlanks } from "../util/blanks.js";
import { messageOf } from "../util/errors.js";
import { bleu1, rouge1 } from "./lexical.js";
import { answersEqual } from "./verify.js";

/** F1 of BERTScore without baseline rescaling or idf; the paper takes the 12th layer of a BiomedBERT. */
export interface BertScoreEncoder {
  readonly name: string;
  /** One F1 in [0, 1] a pair, in order. */
  f1(pairs: readonly AnswerPair[], signal?: AbortSignal): Promise<readonly number[]>;
  /** Ends its thread, where it has one. */
  close?(): Promise<void>;
}

export interface AnswerPair {
  readonly answer: string;
  readonly gold: string;
}

export interface AnswerReward {
  readonly value: number;
  readonly verified: boolean;
  /** Parts of an answer that is not verified; `null` where they were not needed or no encoder was there. */
  readonly rouge1: number | null;
  readonly bleu1: number | null;
  readonly bertScore: number | null;
  /** Weights that the parts had: 0.25/0.25/0.5, or 0.5/0.5/0 without an encoder. */
  readonly weights: { readonly rouge1: number; readonly bleu1: number; readonly bertScore: number };
}

/** How answers are scored, for people and records. */
export function answerScorer(encoder: BertScoreEncoder | null): string {
  return encoder === null ? "lexical (no BERTScore encoder)" : `lexical and ${encoder.name}`;
}

const withEncoder = { rouge1: 0.25, bleu1: 0.25, bertScore: 0.5 } as const;
const lexicalOnly = { rouge1: 0.5, bleu1: 0.5, bertScore: 0 } as const;

/** Without an encoder. `answer` is the text in the answer tag, `null` where there is none. */
export function lexicalAnswerReward(answer: string | null, gold: string): AnswerReward {
  return rewardOf(answer, gold, lexicalOnly, null);
}

/** Rewards of many answers, in order; one call of the encoder for those that are neither verified nor missing. */
export async function answerRewards(
  pairs: readonly { readonly answer: string | null; readonly gold: string }[],
  encoder: BertScoreEncoder | null = null,
  signal?: AbortSignal,
): Promise<Scored<AnswerReward>[]> {
  if (encoder === null) {
    return pairs.map(({ answer, gold }) => ({ status: "scored", value: lexicalAnswerReward(answer, gold) }));
  }
  const open: { readonly at: number; readonly pair: AnswerPair }[] = [];
  pairs.forEach(({ answer, gold }, at) => {
    if (answer !== null && stripBlanks(answer) !== "" && !answersEqual(answer, gold)) open.push({ at, pair: { answer: stripBlanks(answer), gold: stripBlanks(gold) } });
  });
  const made = await encoded(open.map(({ pair }) => pair), encoder, signal);
  const scores = new Map(open.map(({ at }, i) => [at, made[i]]));
  return pairs.map(({ answer, gold }, at): Scored<AnswerReward> => {
    const score = scores.get(at);
    if (score?.status === "unscored") return score;
    return { status: "scored", value: rewardOf(answer, gold, withEncoder, score === undefined ? null : score.value) };
  });
}

/** Everything about one answer, whether it is verified or not. */
export interface AnswerScore {
  /** R_ans */
  readonly reward: number;
  readonly verified: boolean;
  readonly rouge1: number;
  readonly bleu1: number;
  /** `null` without an encoder. */
  readonly bertScore: number | null;
}

/** As `answerRewards`, with every part of every answer: the encoder is asked for verified ones too. */
export async function answerScores(
  pairs: readonly { readonly answer: string | null; readonly gold: string }[],
  encoder: BertScoreEncoder | null = null,
  signal?: AbortSignal,
): Promise<Scored<AnswerScore>[]> {
  const texts = pairs.map(({ answer, gold }) => ({ answer: stripBlanks(answer ?? ""), gold: stripBlanks(gold) }));
  const byEncoder = encoder === null ? null : await encoded(texts, encoder, signal);
  return pairs.map(({ answer, gold }, at): Scored<AnswerScore> => {
    const bert = byEncoder === null ? null : byEncoder[at];
    if (bert?.status === "unscored") return bert;
    const bertScore = bert === null ? null : bert.value;
    const { value: reward, verified } = rewardOf(answer, gold, bertScore === null ? lexicalOnly : withEncoder, bertScore);
    return { status: "scored", value: { reward, verified, rouge1: rouge1(texts[at].answer, texts[at].gold), bleu1: bleu1(texts[at].answer, texts[at].gold), bertScore } };
  });
}

/** F1 of each pair, clamped to [0, 1]; what the encoder could not score is unscored with the reason. */
async function encoded(pairs: readonly AnswerPair[], encoder: BertScoreEncoder, signal?: AbortSignal): Promise<Scored<number>[]> {
  let values: readonly (number | undefined)[] = [];
  let reason = `BERTScore encoder ${encoder.name} gave no number in [0, 1]`;
  try {
    values = pairs.length === 0 ? [] : await encoder.f1(pairs, signal);
  } catch (error) {
    signal?.throwIfAborted();
    reason = `BERTScore encoder ${encoder.name}: ${messageOf(error)}`;
  }
  return pairs.map((_, at) => {
    const value = values[at];
    // Cosines of an encoder can leave [0, 1] by rounding; anything further off is not a score.
    const sound = value !== undefined && value > -1e-6 && value < 1 + 1e-6;
    return sound ? { status: "scored", value: Math.min(1, Math.max(0, value)) } : { status: "unscored", reason };
  });
}

function rewardOf(
  answer: string | null,
  gold: string,
  weights: AnswerReward["weights"],
  bertScore: number | null,
): AnswerReward {
  if (answer === null || stripBlanks(answer) === "") {
    return { value: 0, verified: false, rouge1: null, bleu1: null, bertScore: null, weights };
  }
  if (answersEqual(answer, gold)) {
    return { value: 1, verified: true, rouge1: null, bleu1: null, bertScore: null, weights };
  }
  const student = stripBlanks(answer);
  const teacher = stripBlanks(gold);
  const rouge = rouge1(student, teacher);
  const bleu = bleu1(student, teacher);
  const value = weights.rouge1 * rouge + weights.bleu1 * bleu + weights.bertScore * (bertScore ?? 0);
  return { value, verified: false, rouge1: rouge, bleu1: bleu, bertScore, weights };
}
