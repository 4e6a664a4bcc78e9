/**
 * Results of `breakwater eval reasoning`, laid out as the reference's Reasoning_Evaluation.py writes them: `{summary,
 * results}` with Sentence_Evaluation by step. Ours have one key more, `breakwater`, and a few more keys in a row; a chain
 * that could not be judged has no marks there (the reference writes zeros). Files of the reference are read as they
 * are, their chains with an error as not judged.
 */
import { z } from "zod";
import { datasetOf, stemOf } from "../inference/record.js";
import { answersEqual } from "../rewards/verify.js";
import type { StepVerdict } from "../types.js";
import { writeFileAtomic } from "../util/atomic-file.js";
import { ffpFormula, summariseCascades } from "./cascade.js";
import type { EvaluatedChain } from "./chain.js";
import type { SystemEstimates } from "./estimates.js";
import { checked, optional, optionalPath, resultsSchema, text } from "./file-schema.js";
import { stepPositions } from "./positions.js";
import type { ReasoningRow, ReasoningTasks } from "./reasoning.js";

export const REASONING_FORMAT = "breakwater-reasoning-1";

export interface ReasoningFile {
  readonly name: string | null;
  readonly judge: string | null;
  readonly rows: readonly ReasoningRow[];
}

export interface ReasoningInputs {
  readonly inputs: readonly string[];
  readonly gold: readonly string[];
  /** Rows of the inputs, and which of them are not judged. */
  readonly records: number;
  readonly leftOut: ReasoningTasks["leftOut"];
}

export function writeReasoningFile(path: string, { name, judge, rows }: ReasoningFile, { inputs, gold, records, leftOut }: ReasoningInputs, estimates: SystemEstimates): void {
  const chains = rows.map(({ chain }) => chain);
  const verdicts = chains.flatMap((chain) => chain.verdicts ?? []);
  const meanOf = (of: (verdict: StepVerdict) => boolean): number => (verdicts.length === 0 ? 0 : verdicts.filter(of).length / verdicts.length);
  const file = {
    summary: {
      model: judge,
      input_json: inputs.join(", "),
      gold_reasoning_file: gold.join(", "),
      input_records: records - leftOut.duplicates,
      total_records: rows.length,
      records_with_gold: chains.filter(({ goldReasoning }) => goldReasoning !== null).length,
      total_sentences: verdicts.length,
      mean_alignment: meanOf(({ alignment }) => alignment === 1),
      mean_contribution: meanOf(({ contribution }) => contribution === 1),
      mean_score: meanOf(({ valid }) => valid),
    },
    results: rows.map(resultOf),
    breakwater: {
      ...{ format: REASONING_FORMAT, name, judge, firstFailurePoint: ffpFormula, leftOut },
      cascade: summariseCascades(chains.map((chain) => chain.verdicts?.map(({ valid }) => valid) ?? chain.steps.map(() => null))),
      positions: stepPositions(chains),
      ...estimates,
    },
  };
  writeFileAtomic(path, `${JSON.stringify(file, null, 2)}\n`);
}

function resultOf({ dataset, labelled, chain }: ReasoningRow): object {
  const { image, question, goldAnswer, goldReasoning, text, steps, verdicts, answer, kind, sample, exampleId, unscored } = chain;
  const sentences = steps.map(({ start, end }) => text.slice(start, end));
  return {
    image,
    problem: question,
    Gold_Answer: goldAnswer,
    Gold_Reasoning: goldReasoning,
    Gold_Reasoning_Found: goldReasoning !== null,
    Generated_Reasoning: sentences.join(" "),
    Reasoning_Sentences: sentences,
    Sentence_Evaluation: Object.fromEntries(
      (verdicts ?? []).map(({ alignment, contribution, valid, why, own, inheritedFrom }, k) => [
        `step${k + 1}`,
        {
          ...{ sentence: sentences[k], Alignment: alignment, Contribution: contribution, score: valid ? 1 : 0 },
          ...{ ...(why === undefined ? {} : { why }), ...(own === undefined ? {} : { own }), ...(inheritedFrom === undefined ? {} : { inheritedFrom }) },
        },
      ]),
    ),
    ...(verdicts === null ? { Sentence_Evaluation_Error: unscored[0] ?? "not judged" } : {}),
    ...(labelled ? { dataset } : {}),
    id: exampleId,
    ...(kind === null ? {} : { kind }),
    ...(sample === 0 ? {} : { sample }),
    answer,
  };
}

const bit = z.union([z.literal(0), z.literal(1)]);
const mark = z.object({
  Alignment: bit,
  Contribution: bit,
  why: z.string().optional(),
  own: z.boolean().optional(),
  inheritedFrom: z.int().nullable().optional(),
});

const row = z.object({
  image: optionalPath,
  problem: text,
  Gold_Answer: optional,
  Gold_Reasoning: optional,
  Reasoning_Sentences: z.array(z.string()),
  Sentence_Evaluation: z.record(z.string(), mark),
  Sentence_Evaluation_Error: z.string().optional(),
  dataset: z.string().optional(),
  id: text.optional(),
  kind: z.string().optional(),
  sample: z.int().min(0).optional(),
  answer: text.nullish(),
});

const fileSchema = resultsSchema(row, REASONING_FORMAT);

/** A parsed file whose rows have a `Sentence_Evaluation`. @throws UserError naming file, row and key. */
export function parseReasoningFile(value: unknown, path: string): ReasoningFile {
  const { summary, results, breakwater } = checked(fileSchema, value, path, "it is no result of eval reasoning or of the reference's Reasoning_Evaluation.py");
  const rows = results.map((result, r): ReasoningRow => {
    const told = result.dataset ?? datasetOf({ image: result.image });
    return { dataset: told ?? stemOf(path), labelled: told !== null, chain: chainOf(result, `${stemOf(path)}-${r}`) };
  });
  return { name: breakwater?.name ?? null, judge: summary.model ?? null, rows };
}

function chainOf(result: z.infer<typeof row>, id: string): EvaluatedChain {
  const { Reasoning_Sentences: sentences, Sentence_Evaluation: marks, Sentence_Evaluation_Error: error, Gold_Answer: gold } = result;
  let at = 0;
  const steps = sentences.map((sentence) => {
    const start = at;
    at += sentence.length + 1;
    return { start, end: start + sentence.length };
  });
  const verdicts = sentences.map((_, k) => marks[`step${k + 1}`]);
  const judged = error === undefined && verdicts.every((verdict) => verdict !== undefined);
  const { answer = null } = result;
  return {
    exampleId: result.id ?? id,
    sample: result.sample ?? 0,
    kind: result.kind ?? null,
    image: result.image,
    question: result.problem,
    goldAnswer: gold ?? "",
    goldReasoning: result.Gold_Reasoning,
    text: sentences.join(" "),
    answer,
    steps,
    verdicts: judged
      ? verdicts.map(({ Alignment: alignment, Contribution: contribution, ...rest }) => ({ alignment, contribution, valid: alignment === 1 || contribution === 1, ...rest }))
      : null,
    correct: answer === null || gold === null ? null : answersEqual(answer, gold),
    rewards: { answer: null, process: null, length: null },
    unscored: judged ? [] : [error ?? "marks are missing"],
    tokens: 0,
    truncated: false,
  };
}
