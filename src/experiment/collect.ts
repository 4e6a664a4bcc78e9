import { existsSync } from "node:fs";
import { savedEvaluation } from "../campaign/evaluate-run.js";
import { overSeeds, type Curve } from "../campaign/measures.js";
import { readEvaluation } from "../evaluation/file.js";
import type { Summary } from "../evaluation/summary.js";
import { valuesOfEvaluation } from "../report/data.js";
import { openRun } from "../store/reader.js";
import type { EvaluationRow, RunReader } from "../store/types.js";
import { hasFinished } from "../campaign/train-run.js";
import type { PlannedRun } from "./arms.js";
import { BlameSum, type Blame } from "./blame.js";
import { endEvaluation, experimentFiles } from "./files.js";
import type { ExperimentSettings } from "./settings.js";

export const curveKeys = ["accuracy", "stepValidity", "early", "earlyOfAll", "far"] as const;
export type CurveKey = (typeof curveKeys)[number];

/** What one finished run tells. */
export interface RunResult extends PlannedRun {
  /** End point at temperature 1 and by greedy decoding. */
  readonly sampled: Summary;
  readonly greedy: Summary | null;
  /** Held-out values at temperature 1 over training steps, the start (step 0) included. */
  readonly curves: Readonly<Record<CurveKey, Curve>>;
  /** Over all training rollouts. */
  readonly blame: Blame;
}

export interface StartResult {
  readonly name: string;
  readonly sampled: Summary | null;
  readonly greedy: Summary | null;
}

export interface ExperimentResults {
  readonly starts: readonly StartResult[];
  readonly runs: readonly RunResult[];
}

/** Reads every finished run of the plan; the others are left out. */
export function collectResults(
  out: string,
  starts: readonly string[],
  planned: readonly PlannedRun[],
  settings: ExperimentSettings,
): ExperimentResults {
  const ofStart = (name: string, temperature: number): Summary | null => {
    const file = experimentFiles.startEvaluation(out, name, temperature);
    return existsSync(file) ? readEvaluation(file).summary : null;
  };
  return {
    starts: starts.map((name) => ({ name, sampled: ofStart(name, 1), greedy: ofStart(name, 0) })),
    runs: planned.flatMap((run) => runResult(out, run, settings) ?? []),
  };
}

function runResult(out: string, planned: PlannedRun, settings: ExperimentSettings): RunResult | null {
  const dir = experimentFiles.run(out, planned);
  if (!hasFinished(dir)) return null;
  const sampled = savedEvaluation(dir, endEvaluation(out, settings, 1));
  if (sampled === null) return null;
  const greedy = savedEvaluation(dir, endEvaluation(out, settings, 0));
  const run = openRun(dir);
  try {
    return { ...planned, sampled: sampled.summary, greedy: greedy?.summary ?? null, curves: curvesOf(run.evaluations()), blame: blameOf(run) };
  } finally {
    run.close();
  }
}

function blameOf(run: RunReader): Blame {
  const sum = new BlameSum();
  for (const step of run.rolloutSteps()) for (const rollout of run.rollouts({ step })) sum.add(rollout);
  return sum.value;
}

function curvesOf(rows: readonly EvaluationRow[]): RunResult["curves"] {
  const values = rows.map((row) => ({ step: row.step, values: valuesOfEvaluation(row) }));
  const curve = (key: CurveKey): Curve =>
    values.flatMap(({ step, values: at }) => {
      const value = at[key];
      return value === null || value === undefined ? [] : [{ step, value }];
    });
  return Object.fromEntries(curveKeys.map((key) => [key, curve(key)])) as Record<CurveKey, Curve>;
}

/** Mean curve over runs at the steps that all of them have. */
export function meanCurve(curves: readonly Curve[]): Curve {
  const [first = [], ...others] = curves.map((curve) => new Map(curve.map(({ step, value }) => [step, value])));
  return [...first].flatMap(([step, value]) => {
    const rest = others.map((other) => other.get(step) ?? null);
    const { mean } = overSeeds([value, ...rest]);
    return mean === null || rest.includes(null) ? [] : [{ step, value: mean }];
  });
}
