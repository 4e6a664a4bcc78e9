import { RandomStream } from "./random.js";

/** Sum in ascending order: the same for every order of the input. */
export function orderFreeSum(values: readonly number[]): number {
  let sum = 0;
  for (const value of [...values].sort((a, b) => a - b)) sum += value;
  return sum;
}

/** Arithmetic mean, NaN of nothing; the same for every order of the input. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? NaN : orderFreeSum(values) / values.length;
}

/** Standard deviation with n−1; NaN below two values. Exactly 0 where all values are equal. */
export function sampleStd(values: readonly number[]): number {
  if (values.length < 2) return NaN;
  if (values.every((value) => value === values[0])) return 0;
  const m = mean(values);
  return Math.sqrt(orderFreeSum(values.map((value) => (value - m) ** 2)) / (values.length - 1));
}

/** Quantile with linear interpolation between order statistics (NumPy's default, Hyndman & Fan type 7). */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const at = Math.min(Math.max(q, 0), 1) * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  readonly seed: number;
  readonly resamples?: number;
  readonly level?: number;
}

/**
 * Percentile bootstrap of a statistic over independent items (a chain, a question). Resamples where the statistic is
 * NaN (no failing chain drawn) are left out; `null` where every one is, or without items.
 */
export function bootstrapInterval<T>(
  items: readonly T[],
  statistic: (sample: readonly T[]) => number,
  { seed, resamples = 1000, level = 0.95 }: BootstrapOptions,
): Interval | null {
  if (items.length === 0) return null;
  const random = new RandomStream(seed);
  const values: number[] = [];
  for (let b = 0; b < resamples; b++) {
    const sample = Array.from(items, () => items[random.int(items.length)]);
    const value = statistic(sample);
    if (Number.isFinite(value)) values.push(value);
  }
  if (values.length === 0) return null;
  const tail = (1 - level) / 2;
  return { low: quantile(values, tail), high: quantile(values, 1 - tail) };
}

/** mean ± t·s/√n, two-sided; `null` below two values. */
export function studentInterval(values: readonly number[], level = 0.95): Interval | null {
  if (values.length < 2) return null;
  const half = (studentQuantile(0.5 + level / 2, values.length - 1) * sampleStd(values)) / Math.sqrt(values.length);
  const m = mean(values);
  return { low: m - half, high: m + half };
}

/** Quantile of Student's t with `df` degrees of freedom, by bisection of its distribution function (about 1e-12). */
export function studentQuantile(p: number, df: number): number {
  if (!(p > 0 && p < 1) || !(df > 0)) return NaN;
  if (p < 0.5) return -studentQuantile(1 - p, df);
  let low = 0;
  let high = 1;
  while (studentCdf(high, df) < p && high < 1e12) high *= 2;
  for (let i = 0; i < 200 && high - low > 1e-14 * high; i++) {
    const middle = (low + high) / 2;
    if (studentCdf(middle, df) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

function studentCdf(t: number, df: number): number {
  return 1 - regularisedBeta(df / (df + t * t), df / 2, 0.5) / 2;
}

/** I_x(a, b) by the continued fraction (modified Lentz), on the side of the mean where it converges fast. */
function regularisedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - regularisedBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x)) / a;
  const tiny = 1e-300;
  const keep = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / keep(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / keep(1 + even * d);
    c = keep(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / keep(1 + odd * d);
    c = keep(1 + odd / c);
    const change = d * c;
    fraction *= change;
    if (Math.abs(change - 1) < 1e-16) break;
  }
  return front * fraction;
}

/** ln Γ(x), x > 0: Stirling's series after shifting x above 15. */
function logGamma(x: number): number {
  let shift = 0;
  while (x < 15) shift -= Math.log(x++);
  const y = 1 / (x * x);
  const series = (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188)))) / x;
  return shift + (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}
