import { RandomStream } from "../util/random.js";
import { quantile } from "../util/statistics.js";

/** A mean or share with its percentile interval; all `null` where nothing could be counted. */
export interface Estimate {
  readonly value: number | null;
  readonly low: number | null;
  readonly high: number | null;
  /** What the value divides by: chains, steps or failing chains, as the metric says. */
  readonly n: number;
}

/** Per question, what a ratio's numerator and denominator get from it: both have one entry a question (P). */
export interface RatioSums {
  readonly numerator: readonly number[];
  readonly denominator: readonly number[];
}

export interface BootstrapOptions {
  /** Resamples of the questions. */
  readonly resamples?: number;
  readonly seed?: number;
  /** Coverage of the interval. */
  readonly level?: number;
}

/**
 * Percentile bootstrap (Efron 1979) of several ratios of sums at once, resampling whole questions, so that the
 * chains and the sentences of one question stay together. Resamples in which a denominator is 0 are left out of that
 * ratio's interval; where they are most of them there is no interval. A share seen as exactly 0 or 1 has a width of 0:
 * the resamples contain nothing else.
 */
export function bootstrapRatios(ratios: readonly RatioSums[], options: BootstrapOptions = {}): Estimate[] {
  const replicates = resampleRatios(ratios, options);
  return ratios.map((ratio, m) => {
    const n = sum(ratio.denominator);
    if (n === 0) return { value: null, low: null, high: null, n };
    return { value: sum(ratio.numerator) / n, ...percentileInterval(replicates[m], options), n };
  });
}

/**
 * Differences `b − a` of several ratios over the same questions, each resample taking the same questions for both,
 * so that what makes a question hard cancels. `n` is the smaller denominator.
 */
export function bootstrapDifferences(
  a: readonly RatioSums[],
  b: readonly RatioSums[],
  options: BootstrapOptions = {},
): Estimate[] {
  if (a.length !== b.length) throw new RangeError(`paired bootstrap of ${a.length} and ${b.length} ratios`);
  const replicates = resampleRatios([...a, ...b], options);
  return a.map((ratio, m) => {
    const n = Math.min(sum(ratio.denominator), sum(b[m].denominator));
    if (n === 0) return { value: null, low: null, high: null, n };
    const value = sum(b[m].numerator) / sum(b[m].denominator) - sum(ratio.numerator) / sum(ratio.denominator);
    const differences = replicates[m].map((x, r) => replicates[a.length + m][r] - x);
    return { value, ...percentileInterval(differences, options), n };
  });
}

/** One Float64Array a ratio, one entry a resample; NaN where the resample has nothing to divide by. */
export function resampleRatios(ratios: readonly RatioSums[], options: BootstrapOptions): Float64Array[] {
  const { resamples = 2000, seed = 1 } = options;
  const questions = ratios[0]?.numerator.length ?? 0;
  for (const ratio of ratios) {
    if (ratio.numerator.length !== questions || ratio.denominator.length !== questions) {
      throw new RangeError(`bootstrap over ${questions} questions got a ratio with ${ratio.numerator.length}`);
    }
  }
  const numerators = ratios.map((ratio) => Float64Array.from(ratio.numerator));
  const denominators = ratios.map((ratio) => Float64Array.from(ratio.denominator));
  const out = ratios.map(() => new Float64Array(resamples).fill(NaN));
  if (questions === 0) return out;
  const random = new RandomStream(seed);
  const times = new Float64Array(questions);
  for (let r = 0; r < resamples; r++) {
    times.fill(0);
    for (let q = 0; q < questions; q++) times[random.int(questions)]++;
    for (let m = 0; m < ratios.length; m++) {
      const d = dot(times, denominators[m]);
      if (d > 0) out[m][r] = dot(times, numerators[m]) / d;
    }
  }
  return out;
}

/** None where most resamples had nothing to divide by. */
export function percentileInterval(
  replicates: Float64Array,
  options: BootstrapOptions = {},
): { readonly low: number | null; readonly high: number | null } {
  const tail = (1 - (options.level ?? 0.95)) / 2;
  const defined = [...replicates].filter((x) => !Number.isNaN(x));
  if (defined.length * 2 < replicates.length || defined.length === 0) return { low: null, high: null };
  return { low: quantile(defined, tail), high: quantile(defined, 1 - tail) };
}

/**
 * Two-sided p-value of "no difference" from the resamples of one: twice the smaller share of resamples on either side
 * of 0, so that it is below 0.05 about where the 95% interval leaves out 0. Never below 2/(resamples + 1); `null` where
 * most resamples had nothing to divide by.
 */
export function bootstrapPValue(differences: Float64Array): number | null {
  const defined = differences.filter((x) => !Number.isNaN(x));
  if (defined.length * 2 < differences.length || defined.length === 0) return null;
  // Sums of equal terms in another order differ in the last bits.
  const below = defined.filter((x) => x <= 1e-12).length;
  const above = defined.filter((x) => x >= -1e-12).length;
  return Math.min(1, (2 * (Math.min(below, above) + 1)) / (defined.length + 1));
}

function dot(a: Float64Array, b: Float64Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
