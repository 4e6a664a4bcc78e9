import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readSafetensors } from "../../../checkpoints/safetensors.js";
import type { PreparedImage, Prompt } from "../../../types.js";
import { parseQwen3VLConfig } from "../model/config.js";
import { parameterShapes } from "../model/parameters.js";
import { LocalModel, type LossSums, type ModelOptions } from "./model.js";
import type { Row } from "./pack.js";
import { FlatTensors } from "./parameters.js";

interface Expected {
  readonly images: readonly { grid: [number, number, number]; tokens: number }[];
  readonly sequences: readonly { images: number[]; completionStart: number; length: number; weights: number[] }[];
  readonly loss: number;
  readonly gradients: Readonly<Record<string, { norm: number; sum: number; first: number[] }>>;
}

/** Values that Hugging Face transformers gave for random weights (interop/qwen3vl_fixtures.py). */
function fixture(name: string) {
  const dir = new URL(`../../../../interop/fixtures/${name}/`, import.meta.url).pathname;
  const config = parseQwen3VLConfig(JSON.parse(readFileSync(`${dir}config.json`, "utf8")), name);
  const weights = readSafetensors(`${dir}model.safetensors`);
  const values = readSafetensors(`${dir}expected.safetensors`);
  const expected = JSON.parse(readFileSync(`${dir}expected.json`, "utf8")) as Expected;
  const of = (key: string): Float32Array => values.get(key)?.data ?? new Float32Array();
  const images = expected.images.map((image, i): PreparedImage => {
    const [t, h, w] = image.grid;
    return { source: `image${i}`, grid: { t, h, w }, patches: of(`image${i}.pixel_values`), tokenCount: image.tokens };
  });
  const rows = expected.sequences.map((s, i): Row => {
    const tokens = Array.from(of(`seq${i}.input_ids`));
    const prompt: Prompt = { tokens: tokens.slice(0, s.completionStart), images: s.images.map((j) => images[j]) };
    return { prompt, completion: tokens.slice(s.completionStart), weights: s.weights };
  });
  return { config, weights, expected, rows, logprobs: rows.map((_, i) => Array.from(of(`seq${i}.logprobs`))) };
}

function load(f: ReturnType<typeof fixture>, options: Partial<ModelOptions> = {}): LocalModel {
  const model = new LocalModel(f.config, { threads: 2, provider: "cpu", lora: null, maxRows: 8, ...options });
  for (const name of parameterShapes(f.config).keys()) model.trainable.view(name).set(f.weights.get(name)?.data ?? []);
  return model;
}

const sums = (): LossSums => ({ logprobs: [], loss: 0, kl: 0, clipped: 0, entropy: 0, weight: 0, tokens: 0 });

describe.each(["qwen3vl-tiny", "qwen3vl-untied"])("%s against transformers", (name) => {
  const f = fixture(name);

  it.each(["float32", "float64"] as const)("gives the same log-probabilities in %s", async (floatType) => {
    const model = load(f, { floatType });
    const got: number[][] = [];
    await model.logprobs(f.rows, model.batches(f.rows), got, { useReference: false, temperature: 1 });
    const worst = Math.max(...f.logprobs.flatMap((row, i) => row.map((v, t) => Math.abs(v - got[i][t]))));
    expect(worst).toBeLessThan(2e-4);
    await model.close();
  });

  it("gives the same loss and gradients, also multi-threaded and repeated", async () => {
    const model = load(f);
    const runs: FlatTensors[] = [];
    for (let i = 0; i < 3; i++) {
      const gradient = new FlatTensors(model.trainable.shapes, model.allocate);
      const total = sums();
      await model.accumulate(f.rows, model.batches(f.rows), { kind: "cross_entropy" }, gradient, total);
      expect(total.loss).toBeCloseTo(f.expected.loss, 3);
      runs.push(gradient);
    }
    for (const [tensor, { norm, sum, first }] of Object.entries(f.expected.gradients)) {
      const got = Array.from(runs[0].view(tensor));
      expect(Math.abs(Math.hypot(...got) - norm) / Math.max(norm, 1e-3), tensor).toBeLessThan(1e-3);
      expect(Math.abs(got.reduce((a, b) => a + b, 0) - sum), tensor).toBeLessThan(1e-3 * (1 + norm));
      for (const [i, value] of first.entries()) expect(Math.abs(got[i] - value), `${tensor}[${i}]`).toBeLessThan(1e-3 * (0.1 + norm));
    }
    expect(runs[1].flat).toEqual(runs[0].flat);
    expect(runs[2].flat).toEqual(runs[0].flat);
    await model.close();
  });
});
