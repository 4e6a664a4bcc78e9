/**
 * Our losses in the server's terms. Ours are weighted sums over all tokens, Σ w·loss; the gradient that reaches the
 * weights is a number per token, g = ∂loss/∂log p. Two ways to have the server make it (docs/tinker-engine.md):
 *
 * - `exact`: log p is known from a forward pass, so g is computed here, clipping and KL term included, and the server
 *   is given a loss that is linear in log p with the slope g.
 * - `fused`: the server's own clipped loss in one pass. The KL term's gradient is part of the advantages, taken at the
 *   sampling policy: exact where that is the current policy.
 *
 * Servers differ in what they do with a batch. `sum`: Σ over tokens and data. `mean` (SkyRL's JAX backend): the mean over
 * data of means over unmasked tokens; the factors T·N that undo it are part of the advantages.
 */
import { policyLoss } from "../../advantages/loss.js";
import type { Datum } from "../../types.js";
import type { LossSpec } from "../engine.js";
import type { LossName, WireTensor } from "./wire.js";

export type Reduction = "sum" | "mean";

/** What stands beside one completion's tokens in a request. Arrays have length T. */
export interface TokenTerms {
  readonly mask: readonly number[];
  readonly advantages: readonly number[];
  readonly sampled: readonly number[];
}

export interface ServerLoss {
  readonly name: LossName;
  readonly config?: Readonly<Record<string, number>>;
  /** Per datum. */
  readonly terms: readonly TokenTerms[];
}

/** Whether all of its numbers are finite: another must not reach the server. */
export const finite = ({ terms }: ServerLoss): boolean =>
  terms.every(({ mask, advantages, sampled }) => [mask, advantages, sampled].every((row) => row.every(Number.isFinite)));

export interface LossValue {
  readonly loss: number;
  readonly kl: number;
  readonly clipFraction: number;
  /** `[N][T]`: ∂loss/∂log p, weights included. */
  readonly gradients: readonly (readonly number[])[];
}

/** The loss at given log-probabilities of the current policy. */
export function lossAt(data: readonly Datum[], logprobs: readonly (readonly number[])[], spec: LossSpec): LossValue {
  if (spec.kind === "policy") {
    const sequences = data.map((datum, i) => ({
      weights: datum.weights,
      logprobs: logprobs[i],
      sampled: datum.logprobs ?? [],
      reference: datum.referenceLogprobs,
      advantages: datum.advantages ?? [],
    }));
    return policyLoss(sequences, spec);
  }
  let loss = 0;
  const gradients = data.map(({ weights }, i) =>
    weights.map((weight, t) => {
      if (weight === 0) return 0;
      loss -= weight * logprobs[i][t];
      return -weight;
    }),
  );
  return { loss, kl: 0, clipFraction: 0, gradients };
}

/** A loss of the given slopes g: minimising it moves log p of each token by −g. */
export function linearLoss(gradients: readonly (readonly number[])[], reduction: Reduction): ServerLoss {
  const terms = gradients.map((row) => ({
    mask: row.map((g) => (g === 0 ? 0 : 1)),
    advantages: row.map((g) => (g === 0 ? 0 : -g)),
    sampled: row.map(() => 0),
  }));
  // A sum takes any weights, of either sign. A mean divides by their sum, so they must be a mask; CISPO with both
  // thresholds at 1 is −A·log p with the ratio held at 1.
  return reduction === "sum"
    ? { name: "cross_entropy", terms: terms.map(({ advantages, ...rest }) => ({ ...rest, mask: advantages, advantages })) }
    : { name: "cispo", config: { clip_low_threshold: 1, clip_high_threshold: 1 }, terms: undoMean(terms) };
}

/** The server's own loss, for data whose sampling policy is (nearly) the current one. */
export function fusedLoss(data: readonly Datum[], spec: LossSpec, reduction: Reduction): ServerLoss {
  if (spec.kind === "cross_entropy") return linearLoss(data.map(({ weights }) => weights.map((w) => -w)), reduction);
  const terms = data.map(({ weights, advantages = [], logprobs = [], referenceLogprobs = [] }) => {
    const active = weights.map((w) => w !== 0);
    const zeroElsewhere = (value: (t: number) => number): number[] => active.map((on, t) => (on ? value(t) : 0));
    return {
      mask: zeroElsewhere(() => 1),
      sampled: zeroElsewhere((t) => logprobs[t]),
      // ∂k3/∂log p = 1 − exp(r − p): at p = q a change of the advantage by −β(1 − exp(r − q)).
      advantages: zeroElsewhere((t) => {
        const penalty = spec.klCoef === 0 ? 0 : spec.klCoef * -Math.expm1(referenceLogprobs[t] - logprobs[t]);
        return weights[t] * (advantages[t] - penalty);
      }),
    };
  });
  const config = { clip_low_threshold: 1 - spec.epsLow, clip_high_threshold: 1 + spec.epsHigh };
  return { name: "ppo", config, terms: reduction === "sum" ? terms : undoMean(terms) };
}

/** The mean over N data of means over unmasked tokens becomes a sum. */
function undoMean(terms: readonly TokenTerms[]): TokenTerms[] {
  const N = terms.length;
  return terms.map(({ mask, advantages, sampled }) => {
    const factor = N * mask.reduce((a, b) => a + b, 0);
    return { mask, sampled, advantages: advantages.map((a) => a * factor) };
  });
}

/**
 * The tensors of one datum: prompt (P tokens) and completion (T) are one sequence whose position i predicts token i + 1,
 * so each has P + T − 1 values and the completion's are the last T.
 */
export function tensors(promptTokens: readonly number[], completion: readonly number[], terms: TokenTerms | null): Record<string, WireTensor> {
  const before = promptTokens.length - 1;
  const values = (row: readonly number[]): WireTensor => ({ dtype: "float32", data: [...new Array<number>(before).fill(0), ...row] });
  const target: WireTensor = { dtype: "int64", data: [...promptTokens.slice(1), ...completion] };
  if (terms === null) return { target_tokens: target, weights: values(completion.map(() => 1)) };
  return { target_tokens: target, weights: values(terms.mask), advantages: values(terms.advantages), logprobs: values(terms.sampled) };
}
