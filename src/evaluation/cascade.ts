/**
 * Where chains first fail and how errors accumulate afterwards.
 *
 * A chain has K steps with validity bits v_1 … v_K; k* (1-based) is its first invalid step.
 * First Failure Point: FFP = (k*−1)/K, so a first step is at 0 and the last one just below 1. The paper's plots do
 * not give their exact formula; this one is named in every output. Stages are thirds of [0, 1), bins fifths; their
 * borders are compared in whole numbers (3(k*−1) against K), so no rounding moves a chain across one.
 * Failure Accumulation Rate: the share of invalid steps among the K−k* steps after the first failure. It is undefined
 * where the failure is the last step: such a chain counts in the stages, not in any FAR mean, and is counted apart.
 */

export const ffpFormula = "(k*-1)/K";
export const stages = ["early", "mid", "late"] as const;
export type Stage = (typeof stages)[number];

/** Validity bits of a chain, `null` where a step could not be judged. */
export type ChainValidity = readonly (boolean | null)[];

export interface FirstFailure {
  /** 0-based index of the first invalid step. */
  readonly step: number;
  /** (k*−1)/K in [0, 1). */
  readonly position: number;
  readonly stage: Stage;
  /** 0 … 4: fifths of [0, 1). */
  readonly bin: number;
  /** Steps after it, and how many of them are invalid. */
  readonly following: number;
  readonly invalidFollowing: number;
  /** Their share; `null` where the failure is the last step. */
  readonly accumulation: number | null;
}

export const ffpBins = 5;

/** The first failure of a fully judged chain; `null` where every step is valid. Throws on an unjudged step. */
export function firstFailure(valid: ChainValidity): FirstFailure | null {
  if (valid.some((bit) => bit === null)) throw new RangeError("firstFailure of a chain with an unjudged step");
  const step = valid.indexOf(false);
  if (step < 0) return null;
  const K = valid.length;
  const following = K - step - 1;
  const invalidFollowing = valid.slice(step + 1).filter((bit) => bit === false).length;
  return {
    step,
    position: step / K,
    stage: stages[Math.floor((3 * step) / K)],
    bin: Math.floor((ffpBins * step) / K),
    following,
    invalidFollowing,
    accumulation: ratio(invalidFollowing, following),
  };
}

/** FAR over a set of failing chains. */
export interface AccumulationRate {
  /** Mean of the chains' own shares; `null` without a chain that has steps after its failure. */
  readonly mean: number | null;
  /** All invalid steps after a first failure over all steps after one; `null` likewise. */
  readonly pooled: number | null;
  /** Chains that the two are over. */
  readonly chains: number;
  /** Failing chains without a step after the failure: in no mean. */
  readonly undefinedChains: number;
}

export interface CascadeBin {
  /** FFP in [from, to). */
  readonly from: number;
  readonly to: number;
  readonly chains: number;
  /** Of the failing chains; `null` where none fails. */
  readonly share: number | null;
  readonly far: AccumulationRate;
}

export interface CascadeSummary {
  readonly formula: typeof ffpFormula;
  /** All chains of the input. */
  readonly chains: number;
  /** Chains with at least one step and every step judged; all figures below are over these. */
  readonly judged: number;
  readonly leftOut: { readonly chains: number; readonly noSteps: number; readonly unjudgedStep: number };
  readonly steps: number;
  readonly validSteps: number;
  /** Per sentence, over all steps; `null` without a step. */
  readonly meanValidity: number | null;
  readonly failing: number;
  readonly faultless: number;
  /** Of the judged chains. */
  readonly failingShare: number | null;
  readonly stages: Readonly<
    Record<Stage, { readonly chains: number; readonly share: number | null; readonly shareOfAll: number | null }>
  >;
  /** Mean FFP of the failing chains. */
  readonly meanFirstFailure: number | null;
  readonly far: AccumulationRate;
  readonly farByBin: readonly CascadeBin[];
}

/** Left-out chains: one without steps, and one with any unjudged step (its first failure is not known). */
export function summariseCascades(chains: Iterable<ChainValidity>): CascadeSummary {
  let total = 0;
  let noSteps = 0;
  let unjudgedStep = 0;
  let judged = 0;
  let steps = 0;
  let validSteps = 0;
  const failures: FirstFailure[] = [];
  for (const chain of chains) {
    total++;
    if (chain.length === 0) {
      noSteps++;
      continue;
    }
    if (chain.some((bit) => bit === null)) {
      unjudgedStep++;
      continue;
    }
    judged++;
    steps += chain.length;
    validSteps += chain.filter((bit) => bit === true).length;
    const failure = firstFailure(chain);
    if (failure) failures.push(failure);
  }
  const share = (count: number): number | null => ratio(count, failures.length);
  const stageOf = (stage: Stage): CascadeSummary["stages"][Stage] => {
    const count = failures.filter((failure) => failure.stage === stage).length;
    return { chains: count, share: share(count), shareOfAll: ratio(count, judged) };
  };
  const farByBin = Array.from({ length: ffpBins }, (_, bin): CascadeBin => {
    const inBin = failures.filter((failure) => failure.bin === bin);
    return { from: bin / ffpBins, to: (bin + 1) / ffpBins, chains: inBin.length, share: share(inBin.length), far: accumulationOf(inBin) };
  });
  return {
    formula: ffpFormula,
    chains: total,
    judged,
    leftOut: { chains: noSteps + unjudgedStep, noSteps, unjudgedStep },
    steps,
    validSteps,
    meanValidity: ratio(validSteps, steps),
    failing: failures.length,
    faultless: judged - failures.length,
    failingShare: ratio(failures.length, judged),
    stages: { early: stageOf("early"), mid: stageOf("mid"), late: stageOf("late") },
    meanFirstFailure: ratio(failures.reduce((sum, failure) => sum + failure.position, 0), failures.length),
    far: accumulationOf(failures),
    farByBin,
  };
}

function accumulationOf(failures: readonly FirstFailure[]): AccumulationRate {
  let sum = 0;
  let chains = 0;
  let invalid = 0;
  let following = 0;
  for (const failure of failures) {
    if (failure.accumulation === null) continue;
    chains++;
    sum += failure.accumulation;
    following += failure.following;
    invalid += failure.invalidFollowing;
  }
  return { mean: ratio(sum, chains), pooled: ratio(invalid, following), chains, undefinedChains: failures.length - chains };
}

function ratio(numerator: number, denominator: number): number | null {
  return denominator === 0 ? null : numerator / denominator;
}
