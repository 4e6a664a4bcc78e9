import type { MetricsRow } from "../store/types.js";
import { valuesOfEvaluation, type MethodGroup, type ReportRun } from "./data.js";
import { meanSpread } from "./format.js";
import type { CurvePoint } from "./plots.js";

/** A learning curve's title, unit and points; `source` says what it is measured on. */
export interface Curve {
  readonly key: string;
  readonly title: string;
  readonly unit: "share" | "number";
  readonly source: "evaluations" | "training";
  /** Steps that each training point is the mean of. */
  readonly window: number;
  readonly points: readonly CurvePoint[];
}

interface CurveSpec {
  readonly key: string;
  readonly title: string;
  readonly unit: "share" | "number";
  /** From an evaluation, where one tells it. */
  readonly evaluation?: "accuracy" | "stepValidity" | "early" | "earlyOfAll" | "far" | "stepsPerChain" | "tokensPerChain";
  readonly training: (row: MetricsRow) => number | null;
}

const SPECS: readonly CurveSpec[] = [
  { key: "accuracy", title: "Accuracy", unit: "share", evaluation: "accuracy", training: (row) => row.accuracy },
  { key: "stepValidity", title: "Step validity", unit: "share", evaluation: "stepValidity", training: (row) => row.stepValidity },
  { key: "early", title: "Early failures among failing chains", unit: "share", evaluation: "early", training: (row) => row.earlyShare },
  {
    key: "earlyOfAll",
    title: "Early failures among all chains",
    unit: "share",
    evaluation: "earlyOfAll",
    training: (row) => (row.earlyShare === null || row.failingShare === null ? null : row.earlyShare * row.failingShare),
  },
  { key: "far", title: "Failure accumulation rate", unit: "share", evaluation: "far", training: (row) => row.far },
  { key: "reward", title: "Reward (weighted sum)", unit: "number", training: (row) => row.rewardMean },
  { key: "stepsPerChain", title: "Steps per chain", unit: "number", evaluation: "stepsPerChain", training: (row) => row.stepsPerChain },
  { key: "loss", title: "Loss", unit: "number", training: (row) => row.loss },
  { key: "kl", title: "KL to the start policy (nats)", unit: "number", training: (row) => row.kl },
  { key: "entropy", title: "Entropy (nats per token)", unit: "number", training: (row) => row.entropy },
  { key: "gradNorm", title: "Gradient norm", unit: "number", training: (row) => row.gradNorm },
];

/** Points on a training curve at most; longer runs are averaged over windows of steps. */
const MOST_POINTS = 40;

/** The curves that have data: on evaluations where every run that has metrics has at least two, else on training steps. */
export function curvesOf(groups: readonly MethodGroup[]): Curve[] {
  const trained = groups.flatMap((group) => group.runs).filter((run) => run.metrics.length > 0 || run.evaluations.length > 0);
  const evaluated = trained.length > 0 && trained.every((run) => run.evaluations.length >= 2);
  const longest = Math.max(0, ...trained.map((run) => run.metrics.length));
  const trainingWindow = Math.max(1, Math.ceil(longest / MOST_POINTS));
  return SPECS.flatMap((spec): Curve[] => {
    const { evaluation } = spec;
    const fromEvaluations = evaluated && evaluation !== undefined;
    const seriesOf = (run: ReportRun): Series =>
      fromEvaluations
        ? run.evaluations.map((row) => ({ step: row.step, value: valuesOfEvaluation(row)[evaluation] ?? null }))
        : windows(run.metrics.map((row) => ({ step: row.step, value: spec.training(row) })), trainingWindow);
    const points = groups.flatMap((group) => pointsOf(group.method, group.runs.map(seriesOf)));
    if (points.length === 0) return [];
    const { key, title, unit } = spec;
    return [{ key, title, unit, source: fromEvaluations ? "evaluations" : "training", window: fromEvaluations ? 1 : trainingWindow, points }];
  });
}

type Series = readonly { readonly step: number; readonly value: number | null }[];

/** Mean of each `size` steps in a row, at their last step. */
function windows(series: Series, size: number): Series {
  if (size === 1) return series;
  const out: { step: number; value: number | null }[] = [];
  for (let at = 0; at < series.length; at += size) {
    const part = series.slice(at, at + size);
    out.push({ step: part[part.length - 1].step, value: meanSpread(part.map((row) => row.value)).mean });
  }
  return out;
}

/** Mean and spread over the seeds at each step that any of them has. */
function pointsOf(method: string, seeds: readonly Series[]): CurvePoint[] {
  const byStep = new Map<number, (number | null)[]>();
  for (const series of seeds) {
    for (const { step, value } of series) byStep.set(step, [...(byStep.get(step) ?? []), value]);
  }
  return [...byStep].sort(([a], [b]) => a - b).flatMap(([step, values]): CurvePoint[] => {
    const { mean, sd, n } = meanSpread(values);
    return mean === null ? [] : [{ method, step, mean, sd, n }];
  });
}
