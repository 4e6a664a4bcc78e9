import { commonLevel, overSeeds, stepsToReach, trailingMean, type Curve, type SeedMean } from "../campaign/measures.js";
import type { EvaluationFile } from "../evaluation/file.js";
import type { MetricKey } from "../evaluation/metrics.js";
import { formatCount, formatMeanSpread } from "../report/format.js";
import { methodLabel } from "../report/palette.js";
import type { Table } from "../report/tables.js";
import type { MetricsRow, TimingsRow } from "../store/types.js";
import { mean } from "../util/statistics.js";

const KEYS = ["accuracy", "stepValidity", "early", "mid", "late", "far"] as const satisfies readonly MetricKey[];

/** Shares in [0, 1]; `null` where no chain tells (no failing one). */
export type DemoFigures = Readonly<Record<(typeof KEYS)[number], number | null>> & { readonly questions: number };

/** summary.json: means over the seeds. */
export interface DemoSummary {
  readonly start: DemoFigures;
  readonly grpo: DemoFigures;
  readonly mrpo: DemoFigures;
  readonly seeds: number;
  /** Of the whole command. */
  readonly seconds: number;
}

/** What the demo knows of one method: its runs in order of their seeds. */
export interface DemoResult {
  readonly method: string;
  readonly runs: readonly DemoRun[];
}

export interface DemoRun {
  readonly evaluation: EvaluationFile;
  /** Empty for the start policy. */
  readonly metrics: readonly MetricsRow[];
  readonly timings: readonly TimingsRow[];
}

export function demoSummary(start: DemoResult, grpo: DemoResult, mrpo: DemoResult, seconds: number): DemoSummary {
  return {
    start: figuresOf(start),
    grpo: figuresOf(grpo),
    mrpo: figuresOf(mrpo),
    seeds: grpo.runs.length,
    seconds: Math.round(seconds * 10) / 10,
  };
}

function figuresOf({ runs }: DemoResult): DemoFigures {
  const values = Object.fromEntries(KEYS.map((key) => [key, valueOf(runs, key).mean])) as Record<(typeof KEYS)[number], number | null>;
  return { ...values, questions: runs[0].evaluation.summary.questions };
}

function valueOf(runs: readonly DemoRun[], key: MetricKey): SeedMean {
  return overSeeds(runs.map(({ evaluation }) => evaluation.summary.metrics[key].value));
}

export interface DemoTable {
  readonly table: Table;
  /** What the columns mean. */
  readonly notes: readonly string[];
}

/** One row a method: mean ± sample standard deviation over its seeds. */
export function demoTable(results: readonly DemoResult[], smoothing: number): DemoTable {
  const curves = results.map(({ runs }) => runs.map(({ metrics }) => trailingMean(validityCurve(metrics), smoothing)));
  const trained = curves.flat().filter((curve) => curve.length > 0);
  const level = commonLevel(trained);
  const columns = ["Method", "Seeds", "Accuracy", "Step validity", "Early share", "Early of all", "FAR", level === null ? "Steps to validity" : `Steps to ${percent(level)} valid`, "Tokens/s"];
  const share = (runs: readonly DemoRun[], key: MetricKey) => formatMeanSpread(valueOf(runs, key), "share");
  const rows = results.map(({ method, runs }, r) => {
    const trainedRuns = runs.filter(({ timings }) => timings.length > 0);
    const speed = overSeeds(trainedRuns.map(({ timings }) => mean(timings.map((row) => row.tokensPerSecond))));
    const steps = overSeeds(curves[r].map((curve) => (level === null ? null : stepsToReach(curve, level))));
    return [
      methodLabel(method),
      trainedRuns.length > 0 ? String(runs.length) : "–",
      share(runs, "accuracy"),
      share(runs, "stepValidity"),
      share(runs, "early"),
      share(runs, "earlyOfAll"),
      share(runs, "far"),
      formatMeanSpread(steps, "number"),
      speed.mean === null ? "–" : formatCount(speed.mean),
    ];
  });
  const notes = [
    "Early share: of the chains with a wrong step, those whose first one lies in the first third; FAR: share of wrong steps after it.",
    ...(level === null ? [] : [`Steps to ${percent(level)} valid: the highest step validity that every run reached in training (mean of ${smoothing} steps).`]),
    "Tokens/s: tokens learned from over the seconds of whole steps of one run, while another one runs beside it.",
  ];
  return { table: { columns: columns.map((title, c) => ({ title, align: c === 0 ? "left" : "right" })), rows }, notes };
}

/** Step validity of the rollouts of each training step. */
export function validityCurve(metrics: readonly MetricsRow[]): Curve {
  return metrics.flatMap(({ step, stepValidity }) => (stepValidity === null ? [] : [{ step, value: stepValidity }]));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)}%`;
}
