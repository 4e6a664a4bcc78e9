import type { EvaluationFile } from "../evaluation/file.js";
import { FAR_BIN_KEYS, METRIC_KEYS, type MetricKey } from "../evaluation/metrics.js";
import type { EvaluationRow, MetricsRow, StoredExample, TimelineSpan, TimingsRow } from "../store/types.js";
import type { ChainVerdict, Rewards, Span } from "../types.js";
import { meanSpread, type MeanSpread } from "./format.js";

/** One run of a report: what its folder holds and, where there is one, its evaluation on held-out questions. */
export interface ReportRun {
  readonly name: string;
  /** Runs of one method are shown as one system, with their spread. */
  readonly method: string;
  readonly seed: number | null;
  readonly config: Readonly<Record<string, unknown>>;
  readonly metrics: readonly MetricsRow[];
  readonly timings: readonly TimingsRow[];
  readonly timeline: readonly TimelineSpan[];
  /** Evaluations made while training. */
  readonly evaluations: readonly EvaluationRow[];
  /** Evaluation of the final model. */
  readonly final: EvaluationFile | null;
  readonly gallery: readonly GalleryChain[];
}

/** A completion for the gallery. */
export interface GalleryChain {
  /** `MRPO, seed 1, step 40`. */
  readonly label: string;
  readonly method: string;
  readonly example: StoredExample;
  readonly text: string;
  readonly answer: string | null;
  /** UTF-16 spans in `text`. */
  readonly steps: readonly Span[];
  readonly verdict: ChainVerdict;
  readonly rewards: Rewards;
  readonly correct: boolean | null;
  /** Group advantage; `null` outside training. */
  readonly advantage: number | null;
  /** One span of `text` and one advantage a token; `null` outside training. */
  readonly tokens: { readonly offsets: readonly Span[]; readonly advantages: readonly number[] } | null;
}

/** Where a method's end point comes from, best first. */
export type EndSource = "held-out" | "evaluation" | "training" | "none";

export interface EndPoint {
  readonly source: EndSource;
  readonly values: Readonly<Partial<Record<MetricKey, number | null>>>;
}

/** Steps at the end of training that stand in where nothing was evaluated. */
const LAST_STEPS = 10;

/** The run's end point: its held-out evaluation, else the last one while training, else its last training steps. */
export function endPoint(run: ReportRun): EndPoint {
  if (run.final !== null) {
    const { metrics } = run.final.summary;
    return { source: "held-out", values: Object.fromEntries(METRIC_KEYS.map((key) => [key, metrics[key].value])) };
  }
  const last = run.evaluations.at(-1);
  if (last !== undefined) return { source: "evaluation", values: valuesOfEvaluation(last) };
  const tail = run.metrics.slice(-LAST_STEPS);
  if (tail.length === 0) return { source: "none", values: {} };
  const mean = (of: (row: MetricsRow) => number | null) => meanSpread(tail.map(of)).mean;
  return {
    source: "training",
    values: {
      accuracy: mean((row) => row.accuracy),
      answerReward: mean((row) => row.rewardAnswer),
      stepValidity: mean((row) => row.stepValidity),
      failing: mean((row) => row.failingShare),
      early: mean((row) => row.earlyShare),
      mid: mean((row) => row.midShare),
      late: mean((row) => row.lateShare),
      earlyOfAll: mean((row) => product(row.earlyShare, row.failingShare)),
      far: mean((row) => row.far),
      stepsPerChain: mean((row) => row.stepsPerChain),
      tokensPerChain: mean((row) => row.completionTokens),
      truncated: mean((row) => row.truncatedShare),
    },
  };
}

/** A training evaluation's row under the names of the metrics. */
export function valuesOfEvaluation(row: EvaluationRow): EndPoint["values"] {
  return {
    accuracy: row.accuracy,
    stepValidity: row.stepValidity,
    failing: row.failingShare,
    early: row.early,
    mid: row.mid,
    late: row.late,
    earlyOfAll: product(row.early, row.failingShare),
    far: row.far,
    ...Object.fromEntries(FAR_BIN_KEYS.map((key, b) => [key, row.farByBin[b] ?? null])),
    stepsPerChain: row.stepsPerChain,
    tokensPerChain: row.completionTokens,
    truncated: row.truncatedShare,
  };
}

/** No failing chain means no early failure, though the early share does not exist then. */
function product(early: number | null, failing: number | null): number | null {
  if (failing === 0) return 0;
  return early === null || failing === null ? null : early * failing;
}

/** All runs of one method. */
export interface MethodGroup {
  readonly method: string;
  readonly runs: readonly ReportRun[];
  readonly sources: readonly EndSource[];
  readonly values: Readonly<Record<MetricKey, MeanSpread>>;
  readonly tokensPerSecond: MeanSpread;
}

/** Runs by method, methods in order of first appearance; values are means over the runs (the seeds). */
export function groupByMethod(runs: readonly ReportRun[]): MethodGroup[] {
  const methods = [...new Set(runs.map((run) => run.method))];
  return methods.map((method) => {
    const members = runs.filter((run) => run.method === method);
    const ends = members.map(endPoint);
    return {
      method,
      runs: members,
      sources: [...new Set(ends.map((end) => end.source))],
      values: Object.fromEntries(
        METRIC_KEYS.map((key) => [key, meanSpread(ends.map((end) => end.values[key]))]),
      ) as Record<MetricKey, MeanSpread>,
      tokensPerSecond: meanSpread(members.map((run) => meanSpread(run.timings.map((row) => row.tokensPerSecond)).mean)),
    };
  });
}
