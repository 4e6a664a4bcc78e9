/** The losses as servers compute them (written out here from their definitions) against our own loss and its gradient. */
import { describe, expect, it } from "vitest";
import type { Datum } from "../../types.js";
import { RandomStream } from "../../util/random.js";
import type { LossSpec } from "../engine.js";
import { fusedLoss, linearLoss, lossAt, tensors, type Reduction, type ServerLoss } from "./losses.js";

type Policy = Extract<LossSpec, { kind: "policy" }>;
const random = new RandomStream(4);
const lengths = [5, 3, 7];
const total = 15;
const rows = (value: () => number): number[][] => lengths.map((n) => Array.from({ length: n }, value));
const current = rows(() => -2 * random.uniform());

function dataAround(spread: number): Datum[] {
  const sampled = current.map((row) => row.map((p) => p + spread * random.normal()));
  const reference = current.map((row) => row.map((p) => p + 0.5 * random.normal()));
  return lengths.map((n, i) => ({
    prompt: { tokens: [1, 2], images: [] },
    completion: new Array<number>(n).fill(3),
    // One token in four is masked, and what stands beside it must not matter.
    weights: current[i].map((_, t) => (t % 4 === 3 ? 0 : (1 + t) / total)),
    advantages: current[i].map((_, t) => (t % 4 === 3 ? Number.NaN : random.normal())),
    logprobs: sampled[i].map((p, t) => (t % 4 === 3 ? Number.NaN : p)),
    referenceLogprobs: reference[i].map((p, t) => (t % 4 === 3 ? Number.NaN : p)),
  }));
}

/** A server's loss of all data at log-probabilities p, reduced as that server does. */
function serverLoss({ name, config, terms }: ServerLoss, p: readonly (readonly number[])[], reduction: Reduction): number {
  const { clip_low_threshold: low = 0, clip_high_threshold: high = 0 } = config ?? {};
  // The ratio of CISPO carries no gradient: here it is held where the current policy puts it.
  const perDatum = terms.map(({ mask, advantages, sampled }, i) => {
    const loss = mask.map((weight, t) => {
      if (weight === 0) return 0;
      const ratio = Math.exp(p[i][t] - sampled[t]);
      const clip = (r: number): number => Math.min(Math.max(r, low), high);
      if (name === "cross_entropy") return -weight * p[i][t];
      if (name === "cispo") return -weight * clip(Math.exp(current[i][t] - sampled[t])) * p[i][t] * advantages[t];
      return -weight * Math.min(ratio * advantages[t], clip(ratio) * advantages[t]);
    });
    const sum = loss.reduce((a, b) => a + b, 0);
    return reduction === "sum" ? sum : sum / Math.max(mask.reduce((a, b) => a + b, 0), 1e-9);
  });
  const sum = perDatum.reduce((a, b) => a + b, 0);
  return reduction === "sum" ? sum : sum / terms.length;
}

/** Central differences in each log-probability. */
function slopes(loss: ServerLoss, reduction: Reduction): number[][] {
  const h = 1e-5;
  return current.map((row, i) =>
    row.map((_, t) => {
      const moved = (by: number): number[][] => current.map((r, j) => r.map((p, u) => (j === i && u === t ? p + by : p)));
      return (serverLoss(loss, moved(h), reduction) - serverLoss(loss, moved(-h), reduction)) / (2 * h);
    }),
  );
}

const close = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): void =>
  a.forEach((row, i) => row.forEach((value, t) => expect(value).toBeCloseTo(b[i][t], 6)));

const policy: Policy = { kind: "policy", epsLow: 0.1, epsHigh: 0.25, klCoef: 0.3, temperature: 1 };

describe.each(["sum", "mean"] as const)("a server that takes the %s", (reduction) => {
  it.each([["cross entropy", { kind: "cross_entropy" }], ["policy loss", policy]] as const)("is given the gradient of our %s exactly, off-policy too", (_name, spec) => {
    const { gradients } = lossAt(dataAround(0.4), current, spec);
    close(slopes(linearLoss(gradients, reduction), reduction), gradients);
  });

  it("clips as we do in one pass, without a KL term, however far off-policy", () => {
    const data = dataAround(0.4);
    const spec = { ...policy, klCoef: 0 };
    close(slopes(fusedLoss(data, spec, reduction), reduction), lossAt(data, current, spec).gradients);
  });

  it("gets the KL term exactly in one pass on-policy, and to first order near it", () => {
    const data = dataAround(0);
    close(slopes(fusedLoss(data, policy, reduction), reduction), lossAt(data, current, policy).gradients);
    const near = dataAround(0.01);
    const error = slopes(fusedLoss(near, policy, reduction), reduction).flatMap((row, i) => row.map((g, t) => Math.abs(g - lossAt(near, current, policy).gradients[i][t])));
    expect(Math.max(...error)).toBeGreaterThan(1e-6);
    expect(Math.max(...error)).toBeLessThan(0.02);
  });

  it("sends finite numbers for masked tokens, and none of a datum that is masked whole", () => {
    const data = dataAround(0.2).map((datum, i) => (i === 1 ? { ...datum, weights: datum.weights.map(() => 0) } : datum));
    for (const loss of [fusedLoss(data, policy, reduction), linearLoss(lossAt(data, current, policy).gradients, reduction)]) {
      for (const { mask, advantages, sampled } of loss.terms) expect([...mask, ...advantages, ...sampled].every(Number.isFinite)).toBe(true);
      expect(loss.terms[1].mask.every((m) => m === 0)).toBe(true);
      expect(slopes(loss, reduction)[1].every((g) => g === 0)).toBe(true);
    }
  });
});

describe("tensors", () => {
  it("are shifted by one: the prompt's part is masked, the completion's stands last", () => {
    const terms = { mask: [1, 0], advantages: [2, 3], sampled: [-1, -2] };
    expect(tensors([7, 8, 9], [4, 5], terms)).toEqual({
      target_tokens: { dtype: "int64", data: [8, 9, 4, 5] },
      weights: { dtype: "float32", data: [0, 0, 1, 0] },
      advantages: { dtype: "float32", data: [0, 0, 2, 3] },
      logprobs: { dtype: "float32", data: [0, 0, -1, -2] },
    });
  });
});
