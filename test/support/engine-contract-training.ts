import { expect, it } from "vitest";
import { policyLoss } from "../../src/advantages/loss.js";
import type { Engine, LossSpec } from "../../src/engine/engine.js";
import type { Datum } from "../../src/types.js";
import { RandomStream, seedFrom } from "../../src/util/random.js";
import { adamW, exampleData, maxDifference, using, type Contract } from "./engine-contract-common.js";

type PolicySpec = Extract<LossSpec, { kind: "policy" }>;
const crossEntropy: LossSpec = { kind: "cross_entropy" };
const policy: PolicySpec = { kind: "policy", epsLow: 0.1, epsHigh: 0.2, klCoef: 0.3, temperature: 1 };

/** Advantages of both signs, ratios on both sides of the clipping range, some tokens masked with NaN beside them. */
async function policyData(engine: Engine, data: readonly Datum[], temperature: number): Promise<Datum[]> {
  const now = await engine.forward(data, { temperature });
  return data.map((datum, i) => {
    const random = new RandomStream(seedFrom("policy", i));
    const masked = datum.completion.map((_, t) => (t + i) % 4 === 3);
    const or = (t: number, value: number): number => (masked[t] ? Number.NaN : value);
    return {
      ...datum,
      weights: datum.weights.map((w, t) => (masked[t] ? 0 : w)),
      advantages: datum.completion.map((_, t) => or(t, random.normal() * 2)),
      logprobs: now[i].map((p, t) => or(t, p + 0.3 * random.normal())),
      referenceLogprobs: now[i].map((p, t) => or(t, p + 0.5 * random.normal())),
    };
  });
}

function expectedLoss(data: readonly Datum[], logprobs: readonly (readonly number[])[], spec: PolicySpec) {
  const sequences = data.map((d, i) => ({
    weights: d.weights, logprobs: logprobs[i], sampled: d.logprobs ?? [], reference: d.referenceLogprobs, advantages: d.advantages ?? [],
  }));
  return policyLoss(sequences, spec);
}

export function trainingContract({ make, helpers }: Contract): void {
  const data = exampleData(helpers);

  it("reports the weighted cross entropy, the log-probabilities and the tokens", () =>
    using(make, async (engine) => {
      const logprobs = await engine.forward(data);
      const result = await engine.forwardBackward(data, crossEntropy);
      const loss = -data.reduce((sum, d, i) => sum + d.weights.reduce((s, w, t) => s + w * logprobs[i][t], 0), 0);
      expect(result.loss).toBeCloseTo(loss, 4);
      expect(maxDifference(result.logprobs, logprobs)).toBeLessThan(1e-4);
      expect(result.tokens).toBe(data.reduce((n, d) => n + d.prompt.tokens.length + d.completion.length, 0));
      expect(result.kl).toBe(0);
      expect(result.clipFraction).toBe(0);
      if (!Number.isNaN(result.entropy)) expect(result.entropy).toBeLessThan(Math.log(engine.capabilities.vocabularySize));
    }));

  it("lowers the cross entropy by training on it, and leaves the reference as it was", () =>
    using(make, async (engine) => {
      const start = await engine.forward(data);
      const losses: number[] = [];
      for (let step = 0; step < 4; step++) {
        losses.push((await engine.forwardBackward(data, crossEntropy)).loss);
        expect((await engine.optimStep(adamW)).gradNorm).toBeGreaterThan(0);
      }
      for (let i = 1; i < losses.length; i++) expect(losses[i]).toBeLessThan(losses[i - 1]);
      expect(maxDifference(await engine.forward(data), start)).toBeGreaterThan(1e-3);
      if (engine.capabilities.reference) expect(await engine.forward(data, { weights: "reference" })).toEqual(start);
    }));

  it("adds gradients until a step, which clears them", () =>
    using(make, async (engine) => {
      const still = { ...adamW, learningRate: 0, weightDecay: 0 };
      const norm = async (times: number): Promise<number> => {
        for (let i = 0; i < times; i++) await engine.forwardBackward(data, crossEntropy);
        return (await engine.optimStep(still)).gradNorm;
      };
      const once = await norm(1);
      expect(await norm(3)).toBeCloseTo(3 * once, 4);
      expect(await norm(1)).toBe(once);
      expect(await norm(0)).toBe(0);
    }));

  it("makes the same update from parts as from one large batch", async () => {
    const updated = (parts: readonly (readonly Datum[])[]): Promise<[number[][], number]> =>
      using(make, async (engine) => {
        for (const part of parts) await engine.forwardBackward(part, crossEntropy);
        // Plain gradient descent in effect: a large eps keeps the update linear in the gradient.
        const { gradNorm } = await engine.optimStep({ ...adamW, eps: 1, weightDecay: 0, maxGradNorm: 0, learningRate: 1 });
        return [await engine.forward(data), gradNorm];
      });
    const [whole, norm] = await updated([data]);
    for (const parts of [[data.slice(0, 2), data.slice(2)], data.map((d) => [d])]) {
      const [inParts, partsNorm] = await updated(parts);
      expect(partsNorm).toBeCloseTo(norm, 4);
      expect(maxDifference(inParts, whole)).toBeLessThan(2e-4);
    }
  });

  it.each([
    ["clipped, with a KL term", policy],
    ["clipped, without one", { ...policy, klCoef: 0 }],
    ["at another temperature", { ...policy, temperature: 0.7 }],
    ["asymmetric range", { ...policy, epsLow: 0.02, epsHigh: 0.5 }],
  ] as const)("gives the policy loss of the pure reference: %s", (_name, spec) =>
    using(make, async (engine) => {
      const rows = await policyData(engine, data, spec.temperature);
      const result = await engine.forwardBackward(rows, spec);
      const expected = expectedLoss(rows, result.logprobs, spec);
      expect(expected.clipFraction).toBeGreaterThan(0.05);
      expect(result.loss).toBeCloseTo(expected.loss, 4);
      expect(result.kl).toBeCloseTo(expected.kl, 4);
      expect(result.clipFraction).toBeCloseTo(expected.clipFraction, 5);
      expect(maxDifference(result.logprobs, await engine.forward(rows, { temperature: spec.temperature }))).toBeLessThan(1e-4);
    }));

  it("gives the policy loss's gradient: that of a cross entropy weighted by −dloss/dlogprob", async () => {
    const step = { ...adamW, eps: 1, weightDecay: 0, maxGradNorm: 0, learningRate: 1 };
    const [viaPolicy, viaWeights] = [true, false].map((whichLoss) =>
      using(make, async (engine) => {
        const rows = await policyData(engine, data, 1);
        const { gradients } = expectedLoss(rows, await engine.forward(rows), policy);
        if (whichLoss) await engine.forwardBackward(rows, policy);
        else await engine.forwardBackward(rows.map((d, i) => ({ ...d, weights: gradients[i].map((g) => -g) })), crossEntropy);
        const { gradNorm } = await engine.optimStep(step);
        return { gradNorm, after: await engine.forward(rows) };
      }),
    );
    const [a, b] = [await viaPolicy, await viaWeights];
    expect(a.gradNorm).toBeCloseTo(b.gradNorm, 3);
    expect(maxDifference(a.after, b.after)).toBeLessThan(5e-4);
  });

  it("keeps what is masked out of the loss: no value there matters, however extreme", () =>
    using(make, async (engine) => {
      // At a low temperature, improbable tokens have log-probabilities whose exponentials overflow.
      const spec = { ...policy, temperature: 0.01 };
      const rows = await policyData(engine, data, spec.temperature);
      const safe = rows.map((d) => ({ ...d, logprobs: d.weights.map(() => -1e-3), referenceLogprobs: d.weights.map(() => -1e-3), weights: d.weights.map(() => 0) }));
      const result = await engine.forwardBackward(safe, spec);
      expect(result.loss).toBe(0);
      expect(result.kl).toBe(0);
      expect((await engine.optimStep({ ...adamW, learningRate: 0 })).gradNorm).toBe(0);
    }));

  for (const alternative of helpers.alternatives ?? []) {
    it(`gives the same bits: ${alternative.name}`, async () => {
      const run = async (engine: Engine) => {
        const rows = await policyData(engine, data, 1);
        const results = [];
        for (let step = 0; step < 2; step++) {
          results.push(await engine.forwardBackward(rows, policy), await engine.optimStep(adamW));
        }
        const samples = await engine.sample(helpers.prompts.map((prompt, p) => ({ prompt, seeds: [p, p + 50] })), { maxTokens: 8, temperature: 1 });
        return { logprobs: await engine.forward(data), norms: results.map((r) => ("gradNorm" in r ? r.gradNorm : r.loss)), tokens: samples.map((g) => g.map((s) => s.tokens)) };
      };
      expect(await using(alternative.make, run)).toEqual(await using(make, run));
    });
  }

  it("refuses arrays of the wrong length", () =>
    using(make, async (engine) => {
      const [datum] = await policyData(engine, data.slice(0, 1), 1);
      for (const key of ["weights", "advantages", "logprobs", "referenceLogprobs"] as const) {
        await expect(engine.forwardBackward([{ ...datum, [key]: (datum[key] ?? []).slice(1) }], policy)).rejects.toThrow(key);
        await expect(engine.forwardBackward([{ ...datum, [key]: undefined as unknown as number[] }], policy)).rejects.toThrow(key);
      }
      await expect(engine.forwardBackward([{ ...datum, prompt: { tokens: [], images: [] } }], policy)).rejects.toThrow(/empty prompt/);
      expect((await engine.optimStep({ ...adamW, learningRate: 0 })).gradNorm).toBe(0);
    }));
}
