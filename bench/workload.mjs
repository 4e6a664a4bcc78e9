// What is measured: a small Qwen3-VL of a named size and batches of the phantom's images, questions and gold chains.
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { modelSizes } from "../dist/engine/local/create-model.js";
import { createLocalEngine } from "../dist/engine/local/index.js";
import { parseQwen3VLConfig } from "../dist/engine/local/model/config.js";
import { corpusForTokenizer, corruptionProfiles, phantomExample, sftCompletion } from "../dist/datasets/phantom/index.js";
import { Processor } from "../dist/prompts/processor.js";
import { createSmallModel } from "../dist/training/small-model.js";
import { preparePhantom, runStage } from "../dist/training/phantom-start.js";
import { readJsonObject } from "../dist/checkpoints/hf-folder.js";

export const PROMPTS = 8;
export const GROUP = 8;
/** Completion tokens of row i: 80 to 100. */
const completionLength = (i) => 80 + ((i * 7) % 21);
export const ROLLOUT_TOKENS = 96;

export const policyLoss = { kind: "policy", epsLow: 0.2, epsHigh: 0.2, klCoef: 0.04, temperature: 1 };
export const adamW = { learningRate: 1e-4, beta1: 0.9, beta2: 0.98, eps: 1e-8, weightDecay: 0.01, maxGradNorm: 1 };

/** A model folder in `root`; it has no end token, so that every completion runs to its full length. */
export function makeModel(root, size) {
  const dir = join(root, `model-${size}`);
  const pixels = 64 * 64;
  createSmallModel(dir, { size: modelSizes[size], texts: corpusForTokenizer(), vocabulary: 1024, minPixels: pixels, maxPixels: pixels, seed: 1 });
  const generation = readJsonObject(join(dir, "generation_config.json"));
  const endTokens = generation.eos_token_id;
  const setEnd = (ids) => writeFileSync(join(dir, "generation_config.json"), JSON.stringify({ ...generation, eos_token_id: ids }));
  setEnd([]);
  const json = readJsonObject(join(dir, "config.json"));
  return { dir, json, config: parseQwen3VLConfig(json, dir), restoreEnd: () => setEnd(endTokens) };
}

const difficulty = "normal";

/** PROMPTS prompts with an image each. */
export function makePrompts(processor) {
  return Array.from({ length: PROMPTS }, (_, p) => {
    const { example, scene } = phantomExample(1, "train", p);
    return { example, prompt: processor.assemble(example, [preparePhantom(scene, processor.image, difficulty)], { instruction: "none" }) };
  });
}

/** GROUP completions of each prompt, with advantages of both signs and log-probabilities near the policy's. */
export async function makeBatch(engine, processor) {
  const rows = makePrompts(processor).flatMap(({ example, prompt }, p) => {
    const chain = processor.encodeTarget(sftCompletion(example, corruptionProfiles.gold, p));
    return Array.from({ length: GROUP }, (_, g) => {
      const length = completionLength(p * GROUP + g);
      const completion = Array.from({ length }, (_, t) => chain[(t + g) % chain.length]);
      const weight = 1 / (PROMPTS * GROUP * length);
      return { prompt, completion, weights: completion.map(() => weight), advantages: completion.map((_, t) => ((t + g) % 2 === 0 ? 1 : -0.5)) };
    });
  });
  const logprobs = await engine.forward(rows);
  return rows.map((row, i) => ({ ...row, logprobs: logprobs[i].map((p, t) => p + 0.1 * Math.sin(t)), referenceLogprobs: logprobs[i] }));
}

export const rowTokens = (rows) => rows.reduce((n, { prompt, completion }) => n + prompt.tokens.length + completion.length, 0);
export const openEngine = (dir) => createLocalEngine({ model: dir });
export const openProcessor = (dir) => Processor.fromFolder(dir);

/** Some supervised steps, so that rollouts of the whole step hold sentences to segment and to judge. */
export async function teach(model, steps) {
  model.restoreEnd();
  const engine = await openEngine(model.dir);
  const options = { batch: 32, seed: 1, difficulty, onStep() {} };
  await runStage(engine, openProcessor(model.dir), { profile: "gold", steps, learningRate: 3e-3 }, options);
  return engine;
}

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length === 0 ? NaN : sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
