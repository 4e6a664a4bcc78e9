import { statSync } from "node:fs";
import { basename } from "node:path";
import { namedPath } from "../inference/data.js";
import { parseInferenceRow, stemOf } from "../inference/record.js";
import { UserError } from "../util/errors.js";
import { isRecord, readJson } from "../util/json-file.js";
import { measureAnswers, type AnswerRow } from "./answers.js";
import { parseAnswersFile } from "./answers-file.js";
import type { EvaluatedChain } from "./chain.js";
import type { SystemResults } from "./compare-results.js";
import { EVALUATION_FORMAT, type EvaluationFile } from "./file.js";
import { measureChains, mergeMeasured, type Measured } from "./measured.js";
import { measureReasoning } from "./reasoning.js";
import { parseReasoningFile } from "./reasoning-file.js";
import { evaluationsOf } from "./run-evaluations.js";

/** What a path gave, before files of one system are joined. */
interface Opened {
  readonly system: string;
  readonly method: string | null;
  readonly rows: readonly Measured[];
  readonly chains: readonly EvaluatedChain[];
  readonly evaluation: EvaluationFile | null;
  /** Who judged, for the warning that systems differ in it. */
  readonly judges: { readonly answers?: string | null; readonly reasoning?: string | null };
}

export interface OpenedSystems {
  readonly systems: readonly SystemResults[];
  /** Evaluations of runs and models among them. */
  readonly evaluations: readonly EvaluationFile[];
  /** For people: systems that were judged by different judges. */
  readonly warnings: readonly string[];
}

/**
 * Run folders, evaluation files, results of `eval answers` and `eval reasoning` (or of the reference's scripts), and plain
 * inference files; `NAME=PATH` names the system. Paths of one name are one system, in order of first appearance.
 */
export function openSystems(texts: readonly string[]): OpenedSystems {
  const given = texts.map((text) => (statSync(text, { throwIfNoEntry: false }) === undefined ? namedPath(text) : { name: null, path: text }));
  const kinds = given.map(({ path }) => kindOf(path));
  // Runs and evaluation files together: the newest evaluation that all folders have.
  const evaluated = given.filter((_, i) => kinds[i].kind === "evaluation");
  const evaluations = evaluated.length === 0 ? [] : evaluationsOf(evaluated.map(({ path }) => path));
  const opened = given.map(({ name, path }, i): Opened => {
    const { kind, value } = kinds[i];
    const none = { method: null, chains: [], evaluation: null, judges: {} };
    switch (kind) {
      case "evaluation": {
        const evaluation = evaluations[evaluated.indexOf(given[i])];
        return { ...fromEvaluation(evaluation), system: name ?? evaluation.name };
      }
      case "answers": {
        const file = parseAnswersFile(value, path);
        return { ...none, system: name ?? file.name ?? stemOf(path), rows: measureAnswers(file.rows), judges: { answers: file.judge } };
      }
      case "reasoning": {
        const file = parseReasoningFile(value, path);
        return { ...none, system: name ?? file.name ?? stemOf(path), rows: measureReasoning(file.rows), chains: file.rows.map(({ chain }) => chain), judges: { reasoning: file.judge } };
      }
      case "inference":
        return { ...none, system: name ?? stemOf(path), rows: measureAnswers(inferenceRows(value, path)) };
    }
  });
  const names = [...new Set(opened.map(({ system }) => system))];
  const systems = names.map((name): SystemResults => {
    const own = opened.filter(({ system }) => system === name);
    return {
      name,
      method: own.find(({ method }) => method !== null)?.method ?? null,
      rows: mergeMeasured(own.flatMap(({ rows }) => rows)),
      chains: own.flatMap(({ chains }) => chains),
    };
  });
  return { systems, evaluations, warnings: judgeWarnings(opened) };
}

function fromEvaluation(evaluation: EvaluationFile): Omit<Opened, "system"> {
  const { chains, method, settings } = evaluation;
  // The folder's name, not the split's: the same data set in the result files of other programs.
  const dataset = { name: basename(settings.data), labelled: true };
  return { method, rows: measureChains(chains, () => dataset), chains, evaluation, judges: { reasoning: settings.judge } };
}

function inferenceRows(value: unknown, path: string): AnswerRow[] {
  return (value as unknown[]).map((raw, index) => {
    const record = parseInferenceRow(raw, index, path);
    const status = record.failed !== undefined ? "failed" : record.answer === null ? "none" : "not asked";
    return { record, dataset: record.dataset ?? stemOf(path), labelled: record.dataset !== undefined, verdict: { status } };
  });
}

type Kind = { readonly kind: "evaluation" | "answers" | "reasoning" | "inference"; readonly value: unknown };

/** By what is in it. @throws UserError for what is none of them. */
function kindOf(path: string): Kind {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UserError(`${path}: no such run folder or result file`);
  if (found.isDirectory()) return { kind: "evaluation", value: null };
  const wayOut = "Name run folders, and files of breakwater eval, eval answers, eval reasoning or infer.";
  const value = readJson(path, wayOut);
  if (Array.isArray(value)) return { kind: "inference", value };
  if (isRecord(value)) {
    if (value.format === EVALUATION_FORMAT || "chains" in value) return { kind: "evaluation", value };
    const first: unknown = Array.isArray(value.results) ? value.results[0] : undefined;
    if (isRecord(first) && "Sentence_Evaluation" in first) return { kind: "reasoning", value };
    if (isRecord(first) && "judge" in first) return { kind: "answers", value };
  }
  throw new UserError(`${path} holds no results that can be compared. ${wayOut}`);
}

function judgeWarnings(opened: readonly Opened[]): string[] {
  return (["answers", "reasoning"] as const).flatMap((what) => {
    const judges = new Set(opened.flatMap(({ judges }) => judges[what] ?? []));
    return judges.size > 1 ? [`${what} were judged by different judges (${[...judges].join(", ")}): differences may be the judges'`] : [];
  });
}
