import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { readEvaluation, type EvaluationFile } from "../evaluation/file.js";
import { evaluationsDir, listEvaluations } from "../evaluation/run-evaluations.js";
import { runEvaluation } from "../evaluation/run-eval.js";

/** How end points are measured: one completion of each held-out question. */
export interface EndEvaluation {
  /** Data set folder. */
  readonly data: string;
  readonly questions: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly maxTokens: number;
}

export interface EvaluationProgress {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** The evaluation of a finished run, from its folder where it was made before. */
export async function evaluateRun(dir: string, how: EndEvaluation, progress: EvaluationProgress = {}): Promise<EvaluationFile> {
  return savedEvaluation(dir, how) ?? (await runEvaluation(dir, { ...fixed(how), ...progress })).evaluation;
}

/** The evaluation of a model folder, kept in `file`; named `name` in tables. */
export async function evaluateModel(
  model: string,
  name: string,
  file: string,
  how: EndEvaluation,
  progress: EvaluationProgress = {},
): Promise<EvaluationFile> {
  const known = existsSync(file) ? readEvaluation(file) : null;
  const evaluation =
    known !== null && isMadeSo(known, how) && known.settings.model === resolve(model)
      ? known
      : (await runEvaluation(model, { ...fixed(how), ...progress, json: file })).evaluation;
  return { ...evaluation, name };
}

/** An evaluation in a run's folder that was made in this way; `null` where there is none. */
export function savedEvaluation(dir: string, how: EndEvaluation): EvaluationFile | null {
  for (const name of listEvaluations(dir)) {
    const evaluation = readEvaluation(join(evaluationsDir(dir), name));
    if (isMadeSo(evaluation, how)) return evaluation;
  }
  return null;
}

function isMadeSo({ settings, summary }: EvaluationFile, { data, questions, temperature, maxTokens }: EndEvaluation): boolean {
  return (
    settings.data === resolve(data) &&
    settings.split === SPLIT &&
    settings.temperature === temperature &&
    settings.maxTokens === maxTokens &&
    settings.samplesPerQuestion === 1 &&
    summary.questions === questions
  );
}

const SPLIT = "test";

function fixed({ data, questions, temperature, maxTokens }: EndEvaluation) {
  return { data, split: SPLIT, temperature, questions, samplesPerQuestion: 1, seed: 0, batch: 64, maxTokens };
}
