/**
 * The policy loss in plain numbers: what every engine's graph must equal, and the weights that make its means.
 */

export const aggregations = ["sequence-mean", "token-mean", "constant-length"] as const;
export type Aggregation = (typeof aggregations)[number];

/**
 * `[N][T]` weight of each token's loss term, for N completions of the given lengths.
 * `sequence-mean` (GRPO, MRPO): mean over a completion's tokens, then over completions, `1/(T_i·N)`.
 * `token-mean` (DAPO): mean over all tokens, `1/ΣT`.
 * `constant-length` (Dr. GRPO): `1/(maxLength·N)`, so that long completions are not diluted.
 * N counts empty completions too.
 */
export function tokenWeights(
  lengths_N: readonly number[],
  aggregation: Aggregation,
  { maxLength }: { readonly maxLength?: number } = {},
): number[][] {
  const N = lengths_N.length;
  const all = lengths_N.reduce((sum, T) => sum + T, 0);
  if (aggregation === "constant-length" && !(maxLength !== undefined && maxLength > 0)) {
    throw new RangeError(`aggregation "constant-length" needs maxLength, a positive number of tokens; got ${maxLength}`);
  }
  return lengths_N.map((T) => {
    const weight =
      aggregation === "sequence-mean" ? 1 / (T * N) : aggregation === "token-mean" ? 1 / all : 1 / ((maxLength ?? 1) * N);
    return new Array<number>(T).fill(weight);
  });
}

export interface PolicyLossOptions {
  readonly epsLow: number;
  readonly epsHigh: number;
  /** β; 0 needs no reference. */
  readonly klCoef: number;
}

/** Log-probabilities are natural; `reference` is the frozen start policy's. */
export interface TokenTerm {
  readonly logprob: number;
  readonly sampled: number;
  readonly reference?: number;
  readonly advantage: number;
}

export interface TokenLoss {
  /** −min(ρA, clip(ρ)A) + β·k3. */
  readonly loss: number;
  /** k3 = exp(r−p) − (r−p) − 1 ≥ 0. */
  readonly kl: number;
  readonly clipped: boolean;
  /** ∂loss/∂logprob. */
  readonly gradient: number;
}

export function tokenLoss(
  { logprob, sampled, reference, advantage }: TokenTerm,
  { epsLow, epsHigh, klCoef }: PolicyLossOptions,
): TokenLoss {
  const ratio = Math.exp(logprob - sampled);
  const bounded = Math.min(Math.max(ratio, 1 - epsLow), 1 + epsHigh);
  const clipped = bounded * advantage < ratio * advantage;
  const surrogate = clipped ? bounded * advantage : ratio * advantage;
  let kl = 0;
  let klGradient = 0;
  if (klCoef !== 0) {
    if (reference === undefined) throw new RangeError("a KL term needs the reference's log-probability");
    const gap = reference - logprob;
    kl = Math.expm1(gap) - gap;
    klGradient = -Math.expm1(gap);
  }
  return { loss: klCoef * kl - surrogate, kl, clipped, gradient: klCoef * klGradient - (clipped ? 0 : ratio * advantage) };
}

export interface SequenceTerms {
  readonly weights: readonly number[];
  readonly logprobs: readonly number[];
  readonly sampled: readonly number[];
  readonly reference?: readonly number[];
  readonly advantages: readonly number[];
}

export interface PolicyLoss {
  readonly loss: number;
  /** Weighted mean of k3. */
  readonly kl: number;
  /** Share of the weight on clipped tokens. */
  readonly clipFraction: number;
  /** `[N][T]`: ∂loss/∂logprob. */
  readonly gradients: number[][];
}

/** Σ w·loss over all tokens of all completions. A token of weight 0 is not looked at, whatever stands there. */
export function policyLoss(sequences: readonly SequenceTerms[], options: PolicyLossOptions): PolicyLoss {
  let loss = 0;
  let kl = 0;
  let clipped = 0;
  let total = 0;
  const gradients = sequences.map((sequence) =>
    sequence.weights.map((weight, t) => {
      if (weight === 0) return 0;
      const term = tokenLoss(
        {
          logprob: sequence.logprobs[t],
          sampled: sequence.sampled[t],
          reference: sequence.reference?.[t],
          advantage: sequence.advantages[t],
        },
        options,
      );
      loss += weight * term.loss;
      kl += weight * term.kl;
      if (term.clipped) clipped += weight;
      total += weight;
      return weight * term.gradient;
    }),
  );
  return { loss, kl: total === 0 ? 0 : kl / total, clipFraction: total === 0 ? 0 : clipped / total, gradients };
}
