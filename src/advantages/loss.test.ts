import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { policyLoss, tokenLoss, tokenWeights, type PolicyLossOptions, type SequenceTerms } from "./loss.js";

interface LossCase {
  readonly options: PolicyLossOptions;
  readonly sequences: readonly Omit<SequenceTerms, "weights">[];
  readonly loss: number;
  readonly gradients: number[][];
}
const fixture = JSON.parse(
  readFileSync(new URL("../../interop/fixtures/advantages.json", import.meta.url), "utf8"),
) as { readonly loss: readonly LossCase[] };

describe("token weights", () => {
  test("worked values", () => {
    expect(tokenWeights([1, 3], "sequence-mean")).toEqual([[0.5], [1 / 6, 1 / 6, 1 / 6]]);
    expect(tokenWeights([1, 3], "token-mean")).toEqual([[0.25], [0.25, 0.25, 0.25]]);
    expect(tokenWeights([1, 3], "constant-length", { maxLength: 5 })).toEqual([[0.1], [0.1, 0.1, 0.1]]);
    expect(tokenWeights([0, 2], "sequence-mean")).toEqual([[], [0.25, 0.25]]);
    expect(tokenWeights([], "token-mean")).toEqual([]);
    expect(() => tokenWeights([1], "constant-length")).toThrow(/maxLength/);
  });

  test("means sum to 1", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 9 }), (lengths) => {
        for (const aggregation of ["sequence-mean", "token-mean"] as const) {
          const sum = tokenWeights(lengths, aggregation).flat().reduce((a, b) => a + b, 0);
          expect(sum).toBeCloseTo(1, 12);
        }
      }),
    );
  });
});

describe("policy loss", () => {
  test("value and gradient of PyTorch", () => {
    for (const { options, sequences, loss, gradients } of fixture.loss) {
      const weights = tokenWeights(sequences.map((s) => s.logprobs.length), "sequence-mean");
      const ours = policyLoss(sequences.map((s, i) => ({ ...s, weights: weights[i] })), options);
      expect(Math.abs(ours.loss - loss)).toBeLessThan(1e-12);
      ours.gradients.forEach((row, i) => row.forEach((value, t) => expect(Math.abs(value - gradients[i][t])).toBeLessThan(1e-12)));
    }
  });

  test("on the sampling policy the gradient is −A and nothing is clipped", () => {
    const term = tokenLoss({ logprob: -1, sampled: -1, advantage: 2 }, { epsLow: 0.2, epsHigh: 0.2, klCoef: 0 });
    expect(term).toEqual({ loss: -2, kl: 0, clipped: false, gradient: -2 });
  });

  test("clipping acts on the side of the advantage only", () => {
    const options = { epsLow: 0.2, epsHigh: 0.3, klCoef: 0 };
    const at = (ratio: number, advantage: number) => tokenLoss({ logprob: Math.log(ratio), sampled: 0, advantage }, options);
    expect(at(1.5, 1)).toMatchObject({ clipped: true, gradient: 0, loss: -1.3 });
    expect(at(1.5, -1).clipped).toBe(false);
    expect(at(0.5, -1)).toMatchObject({ clipped: true, loss: 0.8 });
    expect(at(0.5, 1).clipped).toBe(false);
  });

  test("NaN and Infinity behind a weight of 0 are not looked at", () => {
    const sequence = { weights: [1, 0], logprobs: [-1, NaN], sampled: [-1, -Infinity], reference: [-1, NaN], advantages: [1, NaN] };
    expect(policyLoss([sequence], { epsLow: 0.2, epsHigh: 0.2, klCoef: 0.04 })).toEqual({ loss: -1, kl: 0, clipFraction: 0, gradients: [[-1, 0]] });
  });

  test("nothing to learn from", () => {
    expect(policyLoss([], { epsLow: 0.2, epsHigh: 0.2, klCoef: 1 })).toEqual({ loss: 0, kl: 0, clipFraction: 0, gradients: [] });
  });

  test("a KL term without a reference is an error; k3 is never negative", () => {
    expect(() => tokenLoss({ logprob: 0, sampled: 0, advantage: 1 }, { epsLow: 0.2, epsHigh: 0.2, klCoef: 1 })).toThrow(/reference/);
    fc.assert(
      fc.property(fc.double({ min: -20, max: 0, noNaN: true }), fc.double({ min: -20, max: 0, noNaN: true }), (logprob, reference) => {
        const { kl } = tokenLoss({ logprob, sampled: logprob, reference, advantage: 0 }, { epsLow: 0.2, epsHigh: 0.2, klCoef: 1 });
        expect(kl).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
