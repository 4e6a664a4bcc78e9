/**
 * MRPO's step-wise shaping: inside a completion whose answer is not right, tokens of valid steps are encouraged and
 * tokens of invalid ones penalised, the earlier the more.
 *
 * Departures from the reference: the factor is not rounded to two decimals, and steps come with exact tokens. The
 * named variants beyond `paper` are ours; each is one small function from a step's facts to its advantage.
 */

export const decays = ["exponential", "linear", "uniform", "none"] as const;
export type Decay = (typeof decays)[number];

export const shapings = [
  "paper",
  "own-fact",
  "origin-blame",
  "bounded",
  "confidence-aware",
  "token-confidence",
] as const;
export type Shaping = (typeof shapings)[number];

export interface ShapingOptions {
  /** How the penalty falls from the first step to the last. */
  readonly decay?: Decay;
  /** A completion whose answer reward is above it keeps its advantage everywhere. */
  readonly tau?: number;
  /** Valid steps get +|A|; off: they keep A. */
  readonly flipValid?: boolean;
  /** Only completions with an answer reward of at most tau are shaped; off: all are. */
  readonly answerGate?: boolean;
  readonly shaping?: Shaping;
  /** `bounded`: the largest penalty factor. */
  readonly penaltyCap?: number;
  /** `origin-blame`: penalty factor of a step that only repeats an earlier error; 0 leaves it out of the update. */
  readonly inheritedPenalty?: number;
}

export const shapingDefaults = {
  decay: "exponential",
  tau: 0.6,
  flipValid: true,
  answerGate: true,
  shaping: "paper",
  penaltyCap: 1.5,
  inheritedPenalty: 0,
} as const satisfies Required<ShapingOptions>;

/** What is known of one step. */
export interface StepFacts {
  readonly valid: boolean;
  /** The fact that this step adds is true, inherited errors apart; `undefined` where the judge does not tell. */
  readonly own?: boolean;
  /** 0-based index of the earlier step whose error this one repeats; `null`: the error begins here. */
  readonly origin?: number | null;
  /** Mean probability of the step's tokens under the policy that sampled them. */
  readonly meanProbability?: number;
}

/**
 * Penalty factor of step `k` (0-based) of K, from e at the first to 1 at the last:
 * exponential `exp(1 − k/(K−1))`; linear `e + (1−e)·k/(K−1)`; uniform 1; none: no penalty at all (`null`).
 * A chain of one step has factor 1.
 */
export function penaltyFactor(k: number, K: number, decay: Decay): number | null {
  switch (decay) {
    case "none":
      return null;
    case "uniform":
      return 1;
    case "exponential":
      return K > 1 ? Math.exp(1 - k / (K - 1)) : 1;
    case "linear":
      return K > 1 ? (Math.E * (K - 1 - k) + k) / (K - 1) : 1;
  }
}

interface Place {
  readonly k: number;
  readonly K: number;
  readonly facts: StepFacts;
}

/** Valid or not, and for invalid steps what the variant makes of the penalty factor. */
interface Variant {
  valid(place: Place): boolean;
  penalty(factor: number, place: Place, options: Required<ShapingOptions>): number;
}

const byWholeStep = ({ facts }: Place): boolean => facts.valid;
const unchanged = (factor: number): number => factor;

const variants: Readonly<Record<Shaping, Variant>> = {
  paper: { valid: byWholeStep, penalty: unchanged },
  // A right new fact beside a repeated error is not pushed down.
  "own-fact": { valid: (place) => ownFact(place, "own-fact"), penalty: unchanged },
  // The step where an error begins pays; one that repeats it and adds no error of its own was decided there.
  "origin-blame": {
    valid: byWholeStep,
    penalty: (factor, place, { inheritedPenalty }) => (isInherited(place) ? inheritedPenalty : factor),
  },
  bounded: { valid: byWholeStep, penalty: (factor, _, { penaltyCap }) => Math.min(factor, penaltyCap) },
  // What the policy rarely says is hardly pushed down: a rare word in a wrong step may be the right one.
  "confidence-aware": {
    valid: byWholeStep,
    penalty: (factor, { k, facts }) => factor * probability(facts.meanProbability, `step ${k + 1}`, "meanProbability"),
  },
  // The same token by token: applied in shapeTokens.
  "token-confidence": { valid: byWholeStep, penalty: unchanged },
};

function ownFact({ k, facts }: Place, shaping: Shaping): boolean {
  if (facts.own === undefined) {
    throw new RangeError(`shaping "${shaping}" needs to know of step ${k + 1} whether its own fact is true ("own"); this judge does not tell`);
  }
  return facts.own;
}

function isInherited({ k, facts }: Place): boolean {
  if (facts.origin === undefined) {
    throw new RangeError(`shaping "origin-blame" needs to know where the error of step ${k + 1} begins ("origin"); this judge does not tell`);
  }
  return facts.origin !== null && facts.own !== false;
}

function probability(value: number | undefined, place: string, name: string): number {
  if (value === undefined || !(value >= 0 && value <= 1)) {
    throw new RangeError(`${place}: ${name} must be a probability in [0, 1], got ${value === undefined ? "nothing" : value}`);
  }
  return value;
}

/** Advantage of the tokens of step `k` (0-based) of K in a completion with advantage A that is to be shaped. */
export function stepAdvantage(A: number, k: number, K: number, facts: StepFacts, options: ShapingOptions = {}): number {
  const all = { ...shapingDefaults, ...options };
  const variant = variants[all.shaping];
  const place = { k, K, facts };
  if (variant.valid(place)) return all.flipValid ? Math.abs(A) : A;
  const factor = penaltyFactor(k, K, all.decay);
  if (factor === null) return A;
  return negative(variant.penalty(factor, place, all) * Math.abs(A));
}

export interface ShapedCompletion {
  /** A_i. */
  readonly advantage: number;
  /** R_ans,i, unweighted. */
  readonly answerReward: number;
  /** `[T]`: index of each token's step, −1 outside every step. */
  readonly tokenStep: readonly number[];
  /** `[K]`. */
  readonly steps: readonly StepFacts[];
  /** `[T]`: probability of each token under the policy that sampled it; `token-confidence` only. */
  readonly tokenProbabilities?: readonly number[];
}

/** `[T]` token advantages of one scored completion. Tokens outside every step keep A. */
export function shapeTokens(completion: ShapedCompletion, options: ShapingOptions = {}): number[] {
  const { advantage, answerReward, tokenStep, steps, tokenProbabilities } = completion;
  const { tau, answerGate, shaping } = { ...shapingDefaults, ...options };
  if (answerGate && answerReward > tau) return tokenStep.map(() => advantage);
  const shaped_K = steps.map((facts, k) => stepAdvantage(advantage, k, steps.length, facts, options));
  return tokenStep.map((k, t) => {
    if (k < 0) return advantage;
    const value = shaped_K[k];
    if (shaping !== "token-confidence" || steps[k].valid || (options.decay ?? shapingDefaults.decay) === "none") return value;
    return negative(-value * probability(tokenProbabilities?.[t], `token ${t}`, "tokenProbabilities"));
  });
}

/** −x without a negative zero. */
function negative(x: number): number {
  return x === 0 ? 0 : -x;
}
