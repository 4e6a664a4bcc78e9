import { expect, it } from "vitest";
import type { Engine } from "../../src/engine/engine.js";
import type { Datum } from "../../src/types.js";
import { adamW, exampleData, using, type Contract } from "./engine-contract-common.js";

async function train(engine: Engine, data: readonly Datum[], steps: number): Promise<number[]> {
  const values: number[] = [];
  for (let step = 0; step < steps; step++) {
    values.push((await engine.forwardBackward(data, { kind: "cross_entropy" })).loss);
    values.push((await engine.optimStep(adamW)).gradNorm);
  }
  return values;
}

export function stateContract({ make, helpers }: Contract): void {
  const data = exampleData(helpers);

  it("goes on from a saved state bit for bit, in the same engine and in a new one", async () => {
    const dir = helpers.tempDir();
    const straight = await using(make, async (engine) => {
      await train(engine, data, 2);
      await engine.save(dir, "state");
      const values = await train(engine, data, 2);
      const logprobs = await engine.forward(data);
      await engine.load(dir);
      expect(await train(engine, data, 2)).toEqual(values);
      expect(await engine.forward(data)).toEqual(logprobs);
      return { values, logprobs };
    });
    await using(make, async (engine) => {
      const reference = await engine.forward(data);
      await engine.load(dir);
      if (engine.capabilities.reference) expect(await engine.forward(data, { weights: "reference" })).toEqual(reference);
      expect(await train(engine, data, 2)).toEqual(straight.values);
      expect(await engine.forward(data)).toEqual(straight.logprobs);
      if (engine.capabilities.reference) expect(await engine.forward(data, { weights: "reference" })).toEqual(reference);
    });
  });

  it("drops gradients that were added before a state is loaded", () =>
    using(make, async (engine) => {
      const dir = helpers.tempDir();
      await engine.save(dir, "state");
      await engine.forwardBackward(data, { kind: "cross_entropy" });
      await engine.load(dir);
      expect((await engine.optimStep({ ...adamW, learningRate: 0 })).gradNorm).toBe(0);
    }));

  it("refuses to load a folder that holds no state, and stays as it was", () =>
    using(make, async (engine) => {
      const before = await engine.forward(data);
      await expect(engine.load(helpers.tempDir())).rejects.toThrow();
      const weightsOnly = helpers.tempDir();
      await engine.save(weightsOnly, "weights");
      await expect(engine.load(weightsOnly)).rejects.toThrow();
      expect(await engine.forward(data)).toEqual(before);
    }));

  it("changes nothing when the gradient is not finite, and goes on afterwards", async () => {
    const expected = await using(make, (engine) => train(engine, data, 2));
    await using(make, async (engine) => {
      const before = await engine.forward(data);
      const broken = data.map((d) => ({ ...d, weights: d.weights.map((_, t) => (t === 1 ? Number.NaN : 1)) }));
      await engine.forwardBackward(broken, { kind: "cross_entropy" });
      await expect(engine.optimStep(adamW)).rejects.toThrow(/not finite/);
      expect(await engine.forward(data)).toEqual(before);
      expect(await train(engine, data, 2)).toEqual(expected);
    });
  });
}
