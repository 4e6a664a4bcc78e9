import { areaUnderCurve, overSeeds, pairedDifference, stepsToReach, type PairedDifference, type SeedMean } from "../campaign/measures.js";
import { metricInfo, type MetricKey } from "../evaluation/metrics.js";
import { meanCurve, type CurveKey, type RunResult } from "./collect.js";

/** A number of one run, comparable between methods. */
export interface Measure {
  readonly key: string;
  readonly label: string;
  readonly unit: "share" | "number";
  /** 1 where more is better, −1 where less is. */
  readonly better: 1 | -1;
  readonly of: (run: RunResult) => number | null;
}

/** A level of step validity and how far it lies from the start's to that of GRPO's end. */
export interface Threshold {
  readonly level: number;
  readonly share: number;
}

const SHARES = [0.5, 0.9] as const;

/** Levels on the way from the start's step validity to GRPO's mean at the end; none where GRPO does not rise. */
export function thresholdsOf(grpo: readonly RunResult[]): Threshold[] {
  const curve = meanCurve(grpo.map(({ curves }) => curves.stepValidity));
  if (curve.length < 2) return [];
  const from = curve[0].value;
  const to = curve[curve.length - 1].value;
  return to <= from ? [] : SHARES.map((share) => ({ share, level: from + share * (to - from) }));
}

export function endMeasure(key: MetricKey, greedy = false): Measure {
  const { label, unit, better } = metricInfo(key);
  return {
    key: greedy ? `greedy-${key}` : key,
    label,
    unit,
    better: better < 0 ? -1 : 1,
    of: (run) => (greedy ? run.greedy : run.sampled)?.metrics[key].value ?? null,
  };
}

/** Mean height of a curve over training: its area divided by its length. */
export function areaMeasure(key: CurveKey): Measure {
  const { label, better } = metricInfo(key);
  return { key: `area-${key}`, label, unit: "share", better: better < 0 ? -1 : 1, of: ({ curves }) => areaUnderCurve(curves[key]) };
}

/** Steps to a level of step validity; a run that never reaches it counts with its last step. */
export function stepsMeasure({ level, share }: Threshold): Measure {
  return {
    key: `steps-${share}`,
    label: `Steps to ${(100 * level).toFixed(1)}% valid`,
    unit: "number",
    better: -1,
    of: ({ curves: { stepValidity } }) => stepsToReach(stepValidity, level) ?? stepValidity.at(-1)?.step ?? null,
  };
}

export function reached(runs: readonly RunResult[], { level }: Threshold): number {
  return runs.filter(({ curves }) => stepsToReach(curves.stepValidity, level) !== null).length;
}

export function seedMean(runs: readonly RunResult[], measure: Measure): SeedMean {
  return overSeeds(runs.map(measure.of));
}

/** `runs − baseline`, matched by seed. */
export function seedDifference(runs: readonly RunResult[], baseline: readonly RunResult[], measure: Measure): PairedDifference {
  const bySeed = (all: readonly RunResult[]) => new Map(all.map((run) => [run.seed, measure.of(run)]));
  return pairedDifference(bySeed(runs), bySeed(baseline), measure.better);
}

/** −1, 0, 1: worse, not told apart, better, by the 95% interval of the difference. */
export function verdictOf({ interval }: PairedDifference, better: 1 | -1): -1 | 0 | 1 {
  if (interval === null || (interval.low <= 0 && interval.high >= 0)) return 0;
  return interval.low > 0 === better > 0 ? 1 : -1;
}
