import type { StepVerdict } from "../types.js";
import { bootstrapInterval, type Interval } from "../util/statistics.js";

/** A chain with its true bits and what a judge said; `null` where the judge could not tell. */
export interface JudgedChain {
  readonly id: string;
  readonly truth: readonly StepVerdict[];
  readonly judged: readonly StepVerdict[] | null;
}

/** The truth's bit first: `falsePositive` counts steps whose bit is 0 and that the judge gave 1. */
export interface Confusion {
  readonly truePositive: number;
  readonly falsePositive: number;
  readonly falseNegative: number;
  readonly trueNegative: number;
}

export interface Agreement extends Confusion {
  readonly steps: number;
  /** Share of steps with the same bit; `null` without steps. */
  readonly agreement: number | null;
  /** Cohen's kappa (1960); `null` where chance alone would agree on every step, as when all bits are alike. */
  readonly kappa: number | null;
  /** 95% percentile bootstrap over chains. */
  readonly kappaInterval: Interval | null;
}

export const verdictBits = ["alignment", "contribution", "valid"] as const;
export type VerdictBit = (typeof verdictBits)[number];
/** Thirds of a chain by (k−1)/K of step k, as the first failure point is counted. */
export const positions = ["early", "mid", "late"] as const;
export type Position = (typeof positions)[number];

export interface AgreementReport {
  readonly chains: number;
  /** Chains that the judge gave no marks: in no figure below. */
  readonly unscored: number;
  readonly bits: Readonly<Record<VerdictBit, Agreement>>;
  readonly byPosition: Readonly<Record<Position, Readonly<Record<VerdictBit, Agreement>>>>;
  /** Validity by the number of the step, from 1; the steps from the tenth on together. */
  readonly byStep: readonly Agreement[];
}

const LAST_STEP = 10;

/** How far a judge agrees with the truth, step by step. @throws RangeError where a chain's lengths differ. */
export function agreementReport(chains: readonly JudgedChain[], options: { readonly seed?: number; readonly resamples?: number } = {}): AgreementReport {
  const pairs_C = chains.flatMap((chain) => {
    if (chain.judged === null) return [];
    if (chain.judged.length !== chain.truth.length) throw new RangeError(`chain ${chain.id}: ${chain.judged.length} verdicts for ${chain.truth.length} steps`);
    return [pairsOf(chain.truth, chain.judged)];
  });
  const bitsOf = (keep: (pair: Pair) => boolean) =>
    Object.fromEntries(verdictBits.map((bit) => [bit, agreementOf(pairs_C.map((pairs) => pairs.filter(keep)), bit, options)])) as Record<VerdictBit, Agreement>;
  const longest = Math.min(LAST_STEP, pairs_C.reduce((most, pairs) => Math.max(most, pairs.length), 0));
  return {
    chains: chains.length,
    unscored: chains.length - pairs_C.length,
    bits: bitsOf(() => true),
    byPosition: Object.fromEntries(positions.map((position) => [position, bitsOf((pair) => pair.position === position)])) as AgreementReport["byPosition"],
    byStep: Array.from({ length: longest }, (_, i) =>
      agreementOf(pairs_C.map((pairs) => pairs.filter(({ k }) => Math.min(k, LAST_STEP - 1) === i)), "valid", options),
    ),
  };
}

/** Cohen's kappa of two raters' 2×2 table; `null` where it is not defined. */
export function cohenKappa({ truePositive: a, falsePositive: b, falseNegative: c, trueNegative: d }: Confusion): number | null {
  const n = a + b + c + d;
  if (n === 0) return null;
  const observed = (a + d) / n;
  const chance = ((a + c) * (a + b) + (b + d) * (c + d)) / (n * n);
  return chance === 1 ? null : (observed - chance) / (1 - chance);
}

interface Pair {
  readonly k: number;
  readonly position: Position;
  readonly truth: StepVerdict;
  readonly judged: StepVerdict;
}

function pairsOf(truth: readonly StepVerdict[], judged: readonly StepVerdict[]): Pair[] {
  return truth.map((step, k) => ({ k, position: positions[Math.min(2, Math.floor((3 * k) / truth.length))], truth: step, judged: judged[k] }));
}

function agreementOf(pairs_C: readonly (readonly Pair[])[], bit: VerdictBit, { seed = 1, resamples = 1000 }: { readonly seed?: number; readonly resamples?: number }): Agreement {
  const tables_C = pairs_C.filter((pairs) => pairs.length > 0).map((pairs) => confusionOf(pairs, bit));
  const total = addTables(tables_C);
  const steps = total.truePositive + total.falsePositive + total.falseNegative + total.trueNegative;
  return {
    ...total,
    steps,
    agreement: steps === 0 ? null : (total.truePositive + total.trueNegative) / steps,
    kappa: cohenKappa(total),
    kappaInterval: bootstrapInterval(tables_C, (sample) => cohenKappa(addTables(sample)) ?? NaN, { seed, resamples }),
  };
}

function confusionOf(pairs: readonly Pair[], bit: VerdictBit): Confusion {
  const count = (truth: boolean, judged: boolean) => pairs.filter((pair) => Boolean(pair.truth[bit]) === truth && Boolean(pair.judged[bit]) === judged).length;
  return { truePositive: count(true, true), falsePositive: count(false, true), falseNegative: count(true, false), trueNegative: count(false, false) };
}

function addTables(tables: readonly Confusion[]): Confusion {
  const sum = { truePositive: 0, falsePositive: 0, falseNegative: 0, trueNegative: 0 };
  for (const table of tables) {
    sum.truePositive += table.truePositive;
    sum.falsePositive += table.falsePositive;
    sum.falseNegative += table.falseNegative;
    sum.trueNegative += table.trueNegative;
  }
  return sum;
}
