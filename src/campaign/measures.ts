import { mean, sampleStd, studentInterval } from "../util/statistics.js";

/** A learning curve: values at ascending steps. */
export type Curve = readonly { readonly step: number; readonly value: number }[];

/** Trapezoid area under a curve divided by its length in steps: the mean height; `null` below two points. */
export function areaUnderCurve(curve: Curve): number | null {
  if (curve.length < 2) return null;
  let area = 0;
  for (let i = 1; i < curve.length; i++) {
    area += ((curve[i].value + curve[i - 1].value) / 2) * (curve[i].step - curve[i - 1].step);
  }
  return area / (curve[curve.length - 1].step - curve[0].step);
}

/** First step at which the curve reaches the threshold, between points by straight lines; `null` where it never does. */
export function stepsToReach(curve: Curve, threshold: number): number | null {
  const at = curve.findIndex(({ value }) => value >= threshold);
  if (at < 0) return null;
  if (at === 0) return curve[0].step;
  const [from, to] = [curve[at - 1], curve[at]];
  return from.step + ((threshold - from.value) / (to.value - from.value)) * (to.step - from.step);
}

/** Each point replaced by the mean of it and up to `window − 1` points before it. */
export function trailingMean(curve: Curve, window: number): Curve {
  return curve.map(({ step }, i) => ({ step, value: mean(curve.slice(Math.max(0, i - window + 1), i + 1).map(({ value }) => value)) }));
}

/** The highest value that every curve reaches; `null` without points. */
export function commonLevel(curves: readonly Curve[]): number | null {
  if (curves.length === 0 || curves.some((curve) => curve.length === 0)) return null;
  return Math.min(...curves.map((curve) => Math.max(...curve.map(({ value }) => value))));
}

export interface SeedMean {
  readonly n: number;
  readonly mean: number | null;
  /** Sample (n−1) standard deviation; `null` below two values. */
  readonly sd: number | null;
  /** 95% interval of the mean, Student's t over seeds; `null` below two values. */
  readonly interval: { readonly low: number; readonly high: number } | null;
}

/** Mean over the seeds that have a value. */
export function overSeeds(values: readonly (number | null)[]): SeedMean {
  const present = values.filter((value): value is number => value !== null && Number.isFinite(value));
  const n = present.length;
  return {
    n,
    mean: n === 0 ? null : mean(present),
    sd: n < 2 ? null : sampleStd(present),
    interval: studentInterval(present),
  };
}

export interface PairedDifference extends SeedMean {
  /** Seeds in which `a` was better than `b`, and those in which they were equal. */
  readonly wins: number;
  readonly ties: number;
}

/** `a − b` over the seeds that both have; `better` is 1 where more is better, −1 where less is. */
export function pairedDifference(
  a: ReadonlyMap<number, number | null>,
  b: ReadonlyMap<number, number | null>,
  better: 1 | -1,
): PairedDifference {
  const differences = [...a].flatMap(([seed, value]) => {
    const other = b.get(seed);
    return value === null || other === null || other === undefined ? [] : [value - other];
  });
  return {
    ...overSeeds(differences),
    wins: differences.filter((difference) => difference * better > 0).length,
    ties: differences.filter((difference) => difference === 0).length,
  };
}
