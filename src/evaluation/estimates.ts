import { seedFrom } from "../util/random.js";
import { bootstrapPValue, percentileInterval, resampleRatios, type BootstrapOptions, type Estimate, type RatioSums } from "./bootstrap.js";
import { RESULT_METRICS, type Measured, type ResultKey } from "./measured.js";

/** Only metrics that have a value. */
export type ResultEstimates = Readonly<Partial<Record<ResultKey, Estimate>>>;

export interface DatasetEstimates {
  readonly questions: number;
  readonly chains: number;
  readonly metrics: ResultEstimates;
}

/** A system's figures by data set, and their mean over the data sets (macro: each counts the same). */
export interface SystemEstimates {
  readonly datasets: Readonly<Record<string, DatasetEstimates>>;
  /** `n` is the number of data sets that have the metric. */
  readonly macro: ResultEstimates;
}

/** A difference with its two-sided p-value. */
export type DifferenceEstimate = Estimate & { readonly p: number | null };
export type DifferenceEstimates = Readonly<Partial<Record<ResultKey, DifferenceEstimate>>>;

export interface PairedEstimates {
  readonly datasets: Readonly<Record<string, { readonly questions: number; readonly metrics: DifferenceEstimates }>>;
  readonly macro: DifferenceEstimates;
}

const KEYS = RESULT_METRICS.map(({ key }) => key);

/** One data set's replicates: values of all metrics, with a Float64Array of resampled ones each. */
interface Sampled {
  readonly value: number;
  readonly n: number;
  readonly replicates: Float64Array;
}

/** Estimates with 95% intervals, questions resampled whole within each data set. */
export function estimateSystem(rows: readonly Measured[], options: BootstrapOptions = {}): SystemEstimates {
  const names = datasetsOf(rows);
  const sampled = names.map((name) => {
    const own = rows.filter(({ dataset }) => dataset === name);
    return { name, own, metrics: sampleMetrics(own, questionsOf(own), name, options) };
  });
  const finish = ({ value, n, replicates }: Sampled): Estimate => ({ value, ...percentileInterval(replicates, options), n });
  return {
    datasets: Object.fromEntries(
      sampled.map(({ name, own, metrics }) => [name, { questions: questionsOf(own).length, chains: own.length, metrics: mapMetrics(metrics, finish) }]),
    ),
    macro: mapMetrics(macroOf(sampled.map(({ metrics }) => metrics)), finish),
  };
}

/** Estimates by kind of question over all data sets; `null` where fewer than two kinds are told. */
export function estimateKinds(rows: readonly Measured[], options: BootstrapOptions = {}): SystemEstimates | null {
  // A question of another data set is another question, whatever its key.
  const byKind = rows.flatMap((row) => (row.kind === null ? [] : [{ ...row, question: `${row.dataset} ${row.question}`, dataset: row.kind }]));
  return datasetsOf(byKind).length < 2 ? null : estimateSystem(byKind, options);
}

/**
 * `b − a` over the questions of each data set that both answered, each resample taking the same questions for both; data
 * sets without such a question are left out.
 */
export function estimateDifference(a: readonly Measured[], b: readonly Measured[], options: BootstrapOptions = {}): PairedEstimates {
  const finish = ({ value, n, replicates }: Sampled): DifferenceEstimate => ({ value, ...percentileInterval(replicates, options), n, p: bootstrapPValue(replicates) });
  const sampled = datasetsOf(a).flatMap((name) => {
    const ofB = b.filter(({ dataset }) => dataset === name);
    const answered = new Set(ofB.map(({ question }) => question));
    const ofA = a.filter(({ dataset }) => dataset === name);
    const questions = questionsOf(ofA).filter((question) => answered.has(question));
    if (questions.length === 0) return [];
    const from = sampleMetrics(ofA, questions, name, options);
    const to = sampleMetrics(ofB, questions, name, options);
    return [{ name, questions: questions.length, metrics: subtract(from, to) }];
  });
  return {
    datasets: Object.fromEntries(sampled.map(({ name, questions, metrics }) => [name, { questions, metrics: mapMetrics(metrics, finish) }])),
    macro: mapMetrics(macroOf(sampled.map(({ metrics }) => metrics)), finish),
  };
}

export function datasetsOf(rows: readonly Measured[]): string[] {
  return [...new Set(rows.map(({ dataset }) => dataset))];
}

function questionsOf(rows: readonly Measured[]): string[] {
  return [...new Set(rows.map(({ question }) => question))];
}

type Metrics = ReadonlyMap<ResultKey, Sampled>;

/** The draw of questions depends on the data set and their number alone, so it is the same for every system. */
function sampleMetrics(rows: readonly Measured[], questions: readonly string[], dataset: string, options: BootstrapOptions): Metrics {
  const place = new Map(questions.map((id, at) => [id, at]));
  const sums = new Map<ResultKey, { readonly numerator: number[]; readonly denominator: number[] }>();
  for (const { question, parts } of rows) {
    const at = place.get(question);
    if (at === undefined) continue;
    for (const key of KEYS) {
      const part = parts[key];
      if (part === undefined) continue;
      let sum = sums.get(key);
      if (sum === undefined) sums.set(key, (sum = { numerator: new Array<number>(questions.length).fill(0), denominator: new Array<number>(questions.length).fill(0) }));
      sum.numerator[at] += part[0];
      sum.denominator[at] += part[1];
    }
  }
  const keys = [...sums.keys()];
  const ratios: RatioSums[] = keys.map((key) => sums.get(key) ?? { numerator: [], denominator: [] });
  const replicates = resampleRatios(ratios, { ...options, seed: seedFrom("dataset", options.seed ?? 1, dataset) });
  return new Map(
    keys.flatMap((key, m): [ResultKey, Sampled][] => {
      const n = total(ratios[m].denominator);
      return n === 0 ? [] : [[key, { value: total(ratios[m].numerator) / n, n, replicates: replicates[m] }]];
    }),
  );
}

function subtract(from: Metrics, to: Metrics): Metrics {
  return new Map(
    [...from].flatMap(([key, a]): [ResultKey, Sampled][] => {
      const b = to.get(key);
      return b === undefined ? [] : [[key, { value: b.value - a.value, n: Math.min(a.n, b.n), replicates: b.replicates.map((x, r) => x - a.replicates[r]) }]];
    }),
  );
}

/** Mean over the data sets that have the metric, resample by resample. */
function macroOf(datasets: readonly Metrics[]): Metrics {
  return new Map(
    KEYS.flatMap((key): [ResultKey, Sampled][] => {
      const own = datasets.flatMap((metrics) => metrics.get(key) ?? []);
      if (own.length === 0) return [];
      const replicates = own[0].replicates.map((_, r) => own.reduce((sum, sampled) => sum + sampled.replicates[r], 0) / own.length);
      return [[key, { value: own.reduce((sum, { value }) => sum + value, 0) / own.length, n: own.length, replicates }]];
    }),
  );
}

function mapMetrics<T>(metrics: Metrics, finish: (sampled: Sampled) => T): Readonly<Partial<Record<ResultKey, T>>> {
  const out: Partial<Record<ResultKey, T>> = {};
  for (const key of KEYS) {
    const sampled = metrics.get(key);
    if (sampled !== undefined) out[key] = finish(sampled);
  }
  return out;
}

function total(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
