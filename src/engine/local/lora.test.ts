import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createTinyModel } from "../../../test/support/tiny-model.js";
import { readAdapter } from "../../checkpoints/adapter.js";
import { loadModelFolder, saveModelFolder } from "../../checkpoints/hf-folder.js";
import type { Datum } from "../../types.js";
import type { AdamWParams, Engine } from "../engine.js";
import { createLocalEngine, type LocalEngineOptions } from "./local-engine.js";

const tiny = createTinyModel();
afterAll(() => tiny.remove());

const lora = { rank: 3, alpha: 12, targets: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"] };
const open = (options: Partial<LocalEngineOptions> = {}): Promise<Engine> => createLocalEngine({ model: tiny.folder, workers: 0, threads: 1, ...options });
const adamW: AdamWParams = { learningRate: 2e-2, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, maxGradNorm: 0 };
const data: Datum[] = tiny.prompts.map((prompt, p) => {
  const completion = Array.from({ length: 5 + p }, (_, t) => (31 * p + 7 * t) % 250);
  return { prompt, completion, weights: completion.map(() => 0.05) };
});

async function train(engine: Engine, steps: number): Promise<void> {
  for (let i = 0; i < steps; i++) {
    await engine.forwardBackward(data, { kind: "cross_entropy" });
    await engine.optimStep(adamW);
  }
}

describe("adapters", () => {
  it("start as nothing: the base's log-probabilities", async () => {
    const [base, adapted] = [await open(), await open({ trainable: "lora", lora })];
    const [a, b] = [await base.forward(data), await adapted.forward(data)];
    for (const [i, row] of a.entries()) for (const [t, p] of row.entries()) expect(b[i][t]).toBeCloseTo(p, 5);
    await Promise.all([base.close(), adapted.close()]);
  });

  it("train alone, are saved in PEFT's layout, open again, and equal a base with W + alpha/rank·B·A", async () => {
    const original = readFileSync(join(tiny.folder, "model.safetensors"));
    const adapterDir = tiny.tempDir();
    const engine = await open({ trainable: "lora", lora });
    const start = await engine.forward(data, { weights: "reference" });
    await train(engine, 3);
    const trained = await engine.forward(data);
    expect(Math.max(...trained.flatMap((row, i) => row.map((p, t) => Math.abs(p - start[i][t]))))).toBeGreaterThan(0.05);
    expect(await engine.forward(data, { weights: "reference" })).toEqual(start);
    await engine.save(adapterDir, "weights");
    await engine.close();

    // Only the adapter is written, and the base folder is what it was.
    expect(existsSync(join(adapterDir, "model.safetensors"))).toBe(false);
    expect(readFileSync(join(tiny.folder, "model.safetensors")).equals(original)).toBe(true);

    const again = await open({ adapter: adapterDir });
    expect(await again.forward(data)).toEqual(trained);
    const sampled = await again.sample(tiny.prompts.map((prompt) => ({ prompt, seeds: [1] })), { maxTokens: 8, temperature: 1 });
    // The start policy of this engine is the base with the adapter that it was given.
    await train(again, 1);
    expect(await again.forward(data)).not.toEqual(trained);
    expect(await again.forward(data, { weights: "reference" })).toEqual(trained);
    await again.close();

    const { modules, rank, alpha } = readAdapter(adapterDir);
    expect(modules.size).toBe(lora.targets.length * 2);
    const base = loadModelFolder(tiny.folder);
    const tensors = new Map(base.tensors);
    for (const [module, { a, b }] of modules) {
      const weight = tensors.get(`${module}.weight`);
      if (!weight) throw new Error(`no ${module}`);
      const [outputs, inputs] = weight.shape;
      expect(a.shape).toEqual([rank, inputs]);
      expect(b.shape).toEqual([outputs, rank]);
      const merged = weight.data.map((w, i) => {
        const [o, n] = [Math.floor(i / inputs), i % inputs];
        let sum = 0;
        for (let r = 0; r < rank; r++) sum += b.data[o * rank + r] * a.data[r * inputs + n];
        return w + (alpha / rank) * sum;
      });
      tensors.set(`${module}.weight`, { shape: weight.shape, data: merged });
    }
    const mergedDir = tiny.tempDir();
    saveModelFolder(mergedDir, { ...base, tensors });
    const mergedEngine = await open({ model: mergedDir });
    const expected = await mergedEngine.forward(data);
    for (const [i, row] of expected.entries()) for (const [t, p] of row.entries()) expect(trained[i][t]).toBeCloseTo(p, 4);
    const mergedSample = await mergedEngine.sample(tiny.prompts.map((prompt) => ({ prompt, seeds: [1] })), { maxTokens: 8, temperature: 1 });
    expect(mergedSample.map(([s]) => s.tokens)).toEqual(sampled.map(([s]) => s.tokens));
    await mergedEngine.close();
  });

  it("draw A from the seed", async () => {
    const saved = async (seed: number): Promise<number[]> => {
      const engine = await open({ trainable: "lora", lora, seed });
      const dir = tiny.tempDir();
      await engine.save(dir, "weights");
      await engine.close();
      const halves = [...readAdapter(dir).modules.values()];
      expect(halves.every(({ b }) => b.data.every((v) => v === 0))).toBe(true);
      return Array.from(halves[0].a.data);
    };
    const first = await saved(1);
    expect(await saved(1)).toEqual(first);
    expect(await saved(2)).not.toEqual(first);
  });

  it("refuse targets that match no module, and a base where full training is asked of an adapter", async () => {
    await expect(open({ trainable: "lora", lora: { ...lora, targets: ["qq_proj"] } })).rejects.toThrow(/qq_proj.*q_proj/);
    await expect(open({ trainable: "lora", lora: { ...lora, rank: 0 } })).rejects.toThrow(/rank/);
    await expect(open({ trainable: "full", adapter: tiny.tempDir() })).rejects.toThrow(/lora/);
  });
});
