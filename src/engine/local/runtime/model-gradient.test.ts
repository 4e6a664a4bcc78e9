/** The whole model's gradient, vision tower included, against central differences in double precision. */
import { describe, expect, it } from "vitest";
import { tinySize } from "../../../../test/support/tiny-model.js";
import type { PreparedImage } from "../../../types.js";
import { RandomStream, seedFrom } from "../../../util/random.js";
import type { LossSpec } from "../../engine.js";
import { qwen3vlConfig } from "../create-model.js";
import { parseQwen3VLConfig } from "../model/config.js";
import { parameterShapes } from "../model/parameters.js";
import type { LoraSpec } from "../model/weights.js";
import { LocalModel, type LossSums } from "./model.js";
import type { Row } from "./pack.js";
import { FlatTensors } from "./parameters.js";

const imageToken = 20;
const size = { ...tinySize, width: 24, mlpWidth: 32, visionMlpWidth: 28 };

function configOf(tied: boolean) {
  const json = qwen3vlConfig(size, 24, { image: imageToken, video: 21, visionStart: 22, visionEnd: 23, end: 0 });
  const text = { ...(json.text_config as object), tie_word_embeddings: tied };
  return parseQwen3VLConfig({ ...json, tie_word_embeddings: tied, text_config: text }, "test");
}

const random = new RandomStream(21);

function image(name: string, h: number, w: number): PreparedImage {
  const patches = Float32Array.from({ length: h * w * 3 * 2 * size.patch ** 2 }, () => random.normal());
  return { source: name, grid: { t: 1, h, w }, patches, tokenCount: (h * w) / 4 };
}

/** Prompts with one image, two images of other grids, and text alone; two completions of each. */
function rows(): Row[] {
  const [a, b, c] = [image("a", 4, 4), image("b", 2, 4), image("c", 4, 2)];
  const slot = (i: PreparedImage): number[] => new Array<number>(i.tokenCount).fill(imageToken);
  const prompts = [
    { tokens: [1, 2, ...slot(a), 3, 4], images: [a] },
    { tokens: [...slot(b), 5, ...slot(c), 2], images: [b, c] },
    { tokens: [6, 7, 1, 1], images: [] },
  ];
  return prompts.flatMap((prompt) =>
    [4, 2].map((length) => {
      const draw = (scale: number): number[] => Array.from({ length }, () => scale * random.normal());
      const completion = Array.from({ length }, () => random.int(20));
      const weights = completion.map((_, t) => (t === 1 ? 0 : 0.2 + random.uniform()));
      return { prompt, completion, weights, advantages: draw(2), logprobs: draw(0.3).map((v) => v - 3.2), referenceLogprobs: draw(0.3).map((v) => v - 3.2) };
    }),
  );
}

async function lossAndGradient(model: LocalModel, data: readonly Row[], loss: LossSpec): Promise<{ loss: number; gradient: FlatTensors }> {
  const gradient = new FlatTensors(model.trainable.shapes, model.allocate);
  const sums: LossSums = { logprobs: [], loss: 0, kl: 0, clipped: 0, entropy: 0, weight: 0, tokens: 0 };
  await model.accumulate(data, model.batches(data), loss, gradient, sums);
  return { loss: sums.loss, gradient };
}

function randomise(tensors: FlatTensors): void {
  for (const [name, shape] of tensors.shapes) {
    const stream = new RandomStream(seedFrom("weights", name));
    const view = tensors.view(name);
    const fanIn = shape.slice(1).reduce((p, n) => p * n, 1);
    const centre = shape.length === 1 && name.endsWith("weight") ? 1 : 0;
    const scale = shape.length === 1 ? 0.2 : name.includes("embed") || name === "lm_head.weight" ? 0.4 : 1 / Math.sqrt(fanIn);
    for (let i = 0; i < view.length; i++) view[i] = centre + scale * stream.normal();
  }
}

const decoderModules = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"];
const lora: LoraSpec = { rank: 2, alpha: 3, modules: new Set(decoderModules.map((m) => `model.language_model.layers.0.${m}`)) };

/** One of each kind is enough: layers and blocks share their code. */
const kindOf = (name: string): string => name.replace(/\.\d+\./g, ".n.");

const policy: LossSpec = { kind: "policy", epsLow: 0.2, epsHigh: 0.3, klCoef: 0.4, temperature: 0.8 };

describe.each([
  ["cross entropy, tied head", { kind: "cross_entropy" }, true, null],
  ["policy, untied head", policy, false, null],
  ["policy, adapters", policy, true, lora],
] as const)("gradient of the whole model: %s", (_name, loss, tied, adapters) => {
  it("agrees with central differences for every kind of tensor", async () => {
    const config = configOf(tied);
    const model = new LocalModel(config, { threads: 1, provider: "cpu", lora: adapters, maxRows: 4, floatType: "float64" });
    randomise(model.trainable);
    if (model.frozen) randomise(model.frozen);
    const data = rows();
    const { gradient } = await lossAndGradient(model, data, loss);
    const kinds = new Map([...model.trainable.shapes.keys()].map((name) => [kindOf(name), name]));
    expect(kinds.size).toBeGreaterThan(adapters ? 13 : 20);
    if (!adapters) expect([...parameterShapes(config).keys()].every((name) => model.trainable.has(name))).toBe(true);
    for (const [kind, name] of kinds) {
      const view = model.trainable.view(name);
      const analytic = gradient.view(name);
      expect(analytic.some((v) => v !== 0), `${name} gets a gradient`).toBe(true);
      const stream = new RandomStream(seedFrom("direction", kind));
      // A random direction sees every element; the largest element is looked at alone.
      const start = view.slice();
      const largest = Array.from(analytic).reduce((best, v, i) => (Math.abs(v) > Math.abs(analytic[best]) ? i : best), 0);
      const directions = [Float64Array.from(view, () => stream.normal()), Float64Array.from(view, (_, i) => (i === largest ? 1 : 0))];
      for (const direction of directions) {
        const at = async (step: number): Promise<number> => {
          for (let i = 0; i < view.length; i++) view[i] = start[i] + step * direction[i];
          return (await lossAndGradient(model, data, loss)).loss;
        };
        const h = 1e-5;
        const numeric = ((await at(h)) - (await at(-h))) / (2 * h);
        view.set(start);
        const expected = direction.reduce((sum, d, i) => sum + d * analytic[i], 0);
        expect(Math.abs(expected - numeric), name).toBeLessThan(1e-5 * (1 + Math.abs(numeric)));
      }
    }
    await model.close();
  });
});
