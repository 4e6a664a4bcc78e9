/**
 * Results of `breakwater eval answers`, laid out as the reference's Answer_Evaluation.py writes them: `{summary,
 * results}` with its verdicts O, X, None, No_Gold, Image_Error and API_Error. Ours have one key more, `breakwater`, and
 * a few more keys in a row. Files of the reference are read as they are.
 */
import { z } from "zod";
import { writeFileAtomic } from "../util/atomic-file.js";
import { UserError } from "../util/errors.js";
import { isRecord, readJson } from "../util/json-file.js";
import { namedPath } from "../inference/data.js";
import { datasetOf, stemOf, type InferenceRecord } from "../inference/record.js";
import { answerScores, countVerdicts, type AnswerRow, type AnswerVerdict } from "./answers.js";
import type { SystemEstimates } from "./estimates.js";
import { checked, optional, optionalPath, resultsSchema, text } from "./file-schema.js";

export const ANSWERS_FORMAT = "breakwater-answers-1";

export interface AnswersFile {
  readonly name: string | null;
  /** Which model judged; `null` where none did. */
  readonly judge: string | null;
  readonly rows: readonly AnswerRow[];
}

export function writeAnswersFile(path: string, { name, judge, rows }: AnswersFile, inputs: readonly string[], estimates: SystemEstimates): void {
  const counts = countVerdicts(rows);
  const scored = counts.correct + counts.incorrect;
  const file = {
    // The reference's keys; its accuracy is over the answers that were judged, without those that are missing.
    summary: {
      model: judge,
      input_json: inputs.join(", "),
      total: rows.length,
      correct: counts.correct,
      incorrect: counts.incorrect,
      scored,
      accuracy: scored === 0 ? 0 : counts.correct / scored,
    },
    results: rows.map(resultOf),
    breakwater: { format: ANSWERS_FORMAT, name, judge, counts, ...estimates },
  };
  writeFileAtomic(path, `${JSON.stringify(file, null, 2)}\n`);
}

function resultOf({ record, dataset, labelled, verdict }: AnswerRow): object {
  const { image, problem, solution, answer, think, id, kind, sample } = record;
  const scores = verdict.status === "failed" || solution.trim() === "" ? null : answerScores(answer, solution);
  return {
    image,
    problem,
    gold_answer: solution,
    generated_answer: answer,
    generated_reasoning: think,
    judge: wordOf(verdict, solution),
    ...(verdict.status === "unjudged" ? { reason: verdict.reason } : {}),
    ...(labelled ? { dataset } : {}),
    ...(id === undefined ? {} : { id }),
    ...(kind === undefined ? {} : { kind }),
    ...(sample === undefined ? {} : { sample }),
    ...(scores === null ? {} : { exact: scores.exact, rouge1: scores.rouge1, bleu1: scores.bleu1 }),
  };
}

function wordOf(verdict: AnswerVerdict, gold: string): string {
  switch (verdict.status) {
    case "correct":
      return "O";
    case "incorrect":
      return "X";
    case "none":
      return "None";
    case "failed":
      return "Failed";
    case "not asked":
      return "Not_Asked";
    case "unjudged":
      return gold.trim() === "" ? "No_Gold" : IMAGE_REASON.test(verdict.reason) ? "Image_Error" : "API_Error";
  }
}

const IMAGE_REASON = /^(?:the image cannot be sent|cannot read the image)/;


const row = z.object({
  image: optionalPath,
  problem: text,
  gold_answer: optional,
  generated_answer: optional,
  generated_reasoning: optional,
  judge: z.enum(["O", "X", "None", "No_Gold", "Image_Error", "API_Error", "Failed", "Not_Asked"]),
  reason: z.string().optional(),
  dataset: z.string().optional(),
  id: text.optional(),
  kind: z.string().optional(),
  sample: z.int().min(0).optional(),
});

const fileSchema = resultsSchema(row, ANSWERS_FORMAT);

/** Files of judged answers, as one; `null` where they are inference files. @throws UserError for a mixture. */
export function readJudgedAnswers(paths: readonly string[]): AnswersFile | null {
  const files = paths.map((text) => {
    const { name, path } = namedPath(text);
    const value = readJson(path, "Name files of breakwater infer, or results of eval answers.");
    return isRecord(value) && "results" in value ? { name, file: parseAnswersFile(value, path) } : null;
  });
  const judged = files.filter((file) => file !== null);
  if (judged.length === 0) return null;
  if (judged.length < files.length) throw new UserError("inference files and judged ones stand together; evaluate them one after the other");
  const rows = judged.flatMap(({ name, file }) => (name === null ? file.rows : file.rows.map((row) => ({ ...row, dataset: name, labelled: true }))));
  return { name: judged[0].file.name, judge: judged[0].file.judge, rows };
}

/** A parsed file whose rows have a `judge`. @throws UserError naming file, row and key. */
export function parseAnswersFile(value: unknown, path: string): AnswersFile {
  const { summary, results, breakwater } = checked(fileSchema, value, path, "it is no result of eval answers or of the reference's Answer_Evaluation.py");
  const rows = results.map((result): AnswerRow => {
    const { image, problem, gold_answer, generated_answer, generated_reasoning, judge, reason, dataset, ...ours } = result;
    const record: InferenceRecord = {
      ...{ problem, image, solution: gold_answer ?? "", text: null, think: generated_reasoning, answer: generated_answer },
      ...ours,
      ...(judge === "Failed" ? { failed: "failed" } : {}),
    };
    const told = dataset ?? datasetOf({ image });
    return { record, dataset: told ?? stemOf(path), labelled: told !== null, verdict: verdictOf(judge, reason) };
  });
  return { name: breakwater?.name ?? null, judge: summary.model ?? null, rows };
}

function verdictOf(word: z.infer<typeof row>["judge"], reason: string | undefined): AnswerVerdict {
  switch (word) {
    case "O":
      return { status: "correct" };
    case "X":
      return { status: "incorrect" };
    case "None":
      return { status: "none" };
    case "Failed":
      return { status: "failed" };
    case "Not_Asked":
      return { status: "not asked" };
    case "No_Gold":
    case "Image_Error":
    case "API_Error":
      return { status: "unjudged", reason: reason ?? word };
  }
}
