import { datasetOf, readInferenceFile, stemOf, type InferenceRecord } from "../inference/record.js";
import { namedPath } from "../inference/data.js";
import { lexicalAnswerReward } from "../rewards/answer.js";
import { bleu1, rouge1 } from "../rewards/lexical.js";
import { answersEqual } from "../rewards/verify.js";
import type { Llm } from "../llm/types.js";
import { judgeAnswer, type AnswerJudgeOptions } from "./answer-judge.js";
import { QuestionKeys, type Measured, type MeasuredParts } from "./measured.js";

/** A row of an inference file with the data set that its results count in. */
export interface PlacedRow {
  readonly record: InferenceRecord;
  readonly dataset: string;
  readonly labelled: boolean;
}

/**
 * What became of an answer. `none`: the completion has none, which is wrong; `unjudged`: the judge gave no verdict or
 * there is no gold answer; `failed`: the model was never heard, which is no answer at all.
 */
export type AnswerVerdict =
  | { readonly status: "correct" | "incorrect" | "none" | "failed" | "not asked" }
  | { readonly status: "unjudged"; readonly reason: string };

export interface AnswerRow extends PlacedRow {
  readonly verdict: AnswerVerdict;
}

/** Rows of one or several inference files (`NAME=FILE` names the data set of rows that do not tell theirs). */
export function readAnswers(paths: readonly string[]): PlacedRow[] {
  return paths.flatMap((text) => {
    const { name, path } = namedPath(text);
    return readInferenceFile(path).map((record) => place(record, name, path));
  });
}

function place(record: InferenceRecord, name: string | null, path: string): PlacedRow {
  const told = datasetOf(record);
  return { record, dataset: name ?? told ?? stemOf(path), labelled: name !== null || told !== null };
}

export interface JudgeAnswersOptions extends AnswerJudgeOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A verdict for every row, in order; without a judge (`null`) rows with an answer are `not asked`. */
export async function judgeAnswers(rows: readonly PlacedRow[], llm: Llm | null, options: JudgeAnswersOptions = {}): Promise<AnswerRow[]> {
  let done = 0;
  const one = async (row: PlacedRow): Promise<AnswerRow> => {
    const verdict = await verdictOf(row.record, llm, options);
    options.onProgress?.(++done, rows.length);
    return { ...row, verdict };
  };
  return Promise.all(rows.map(one));
}

async function verdictOf({ failed, answer, solution, image, problem }: InferenceRecord, llm: Llm | null, options: JudgeAnswersOptions): Promise<AnswerVerdict> {
  if (failed !== undefined) return { status: "failed" };
  if (answer === null || answer.trim() === "") return { status: "none" };
  if (llm === null) return { status: "not asked" };
  if (solution.trim() === "") return { status: "unjudged", reason: "no gold answer" };
  const grade = await judgeAnswer(llm, { image, question: problem, gold: solution, answer }, options, options.signal);
  if (grade.status === "unscored") return { status: "unjudged", reason: grade.reason };
  return { status: grade.value ? "correct" : "incorrect" };
}

/** The rows in figures: the judge's verdict, exact match and word overlap. Failed rows are in none. */
export function measureAnswers(rows: readonly AnswerRow[]): Measured[] {
  const keys = new QuestionKeys();
  const judged = rows.some(({ verdict }) => verdict.status === "correct" || verdict.status === "incorrect");
  return rows.map(({ record, dataset, labelled, verdict }) => {
    const { image, problem, solution, kind, sample = 0 } = record;
    const question = keys.of({ image, question: problem, goldAnswer: solution, sample }, dataset);
    return { dataset, labelled, question, kind: kind ?? null, sample, parts: partsOfAnswer(record, verdict, judged) };
  });
}

/** @param judged a judge was asked: then a completion without an answer is one that it would find wrong. */
function partsOfAnswer({ answer, solution }: InferenceRecord, verdict: AnswerVerdict, judged: boolean): MeasuredParts {
  if (verdict.status === "failed") return {};
  const missing = verdict.status === "none";
  const parts: MeasuredParts = { missingAnswer: [missing ? 1 : 0, 1] };
  if (verdict.status === "correct" || verdict.status === "incorrect" || (missing && judged)) parts.judgedAccuracy = [verdict.status === "correct" ? 1 : 0, 1];
  if (solution.trim() === "") return parts;
  const scores = answerScores(answer, solution);
  return { ...parts, accuracy: [scores.exact ? 1 : 0, 1], answerReward: [scores.reward, 1], rouge1: [scores.rouge1, 1], bleu1: [scores.bleu1, 1] };
}

export interface AnswerScores {
  /** Equal after normalisation, numbers by value. */
  readonly exact: boolean;
  readonly rouge1: number;
  readonly bleu1: number;
  /** The answer reward without BERTScore. */
  readonly reward: number;
}

export function answerScores(answer: string | null, gold: string): AnswerScores {
  if (answer === null || answer.trim() === "") return { exact: false, rouge1: 0, bleu1: 0, reward: 0 };
  return {
    exact: answersEqual(answer, gold),
    rouge1: rouge1(answer.trim(), gold.trim()),
    bleu1: bleu1(answer.trim(), gold.trim()),
    reward: lexicalAnswerReward(answer, gold).value,
  };
}

/** How many rows came to what. */
export function countVerdicts(rows: readonly AnswerRow[]): Readonly<Record<AnswerVerdict["status"], number>> {
  const counts = { correct: 0, incorrect: 0, none: 0, failed: 0, unjudged: 0, "not asked": 0 };
  for (const { verdict } of rows) counts[verdict.status]++;
  return counts;
}

/** How often each reason kept an answer from being judged. */
export function unjudgedReasons(rows: readonly AnswerRow[]): Readonly<Record<string, number>> {
  const reasons: Record<string, number> = {};
  for (const { verdict } of rows) if (verdict.status === "unjudged") reasons[verdict.reason] = (reasons[verdict.reason] ?? 0) + 1;
  return reasons;
}
