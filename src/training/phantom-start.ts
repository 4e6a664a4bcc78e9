/**
 * The start policy of the phantom task, from nothing: a tokenizer trained on its sentences, a small Qwen3-VL with
 * random weights, supervised learning on gold chains (it learns to see), then on chains that misread by class (it
 * learns to fail early, as real models do, while the right early fact stays within reach of sampling).
 */
import { modelSizes } from "../engine/local/create-model.js";
import { loadModelFolder, saveModelFolder } from "../checkpoints/hf-folder.js";
import { corpusForTokenizer, corruptionProfiles, drawScene, phantomExample, sftCompletion, slots, type Difficulty, type Facts, type ProfileName } from "../datasets/phantom/index.js";
import type { Engine } from "../engine/engine.js";
import { prepareRgb, type QwenImageConfig } from "../images/qwen-vl.js";
import type { Processor } from "../prompts/processor.js";
import type { Datum, PreparedImage } from "../types.js";
import { createSmallModel } from "./small-model.js";

/** The phantom's policy before any training. */
export function createPhantomModel(dir: string, seed: number): { vocabulary: number } {
  const pixels = 64 * 64;
  return createSmallModel(dir, { size: modelSizes.phantom, texts: corpusForTokenizer(), vocabulary: 1024, minPixels: pixels, maxPixels: pixels, seed });
}

export interface Stage {
  /** Whose chains are imitated; `facts`: the bare facts, a short text with no wording to learn beside what is seen. */
  readonly profile: ProfileName | "facts";
  readonly steps: number;
  readonly learningRate: number;
}

export interface StageOptions {
  readonly batch: number;
  readonly seed: number;
  readonly difficulty: Difficulty;
  readonly onStep: (step: number, steps: number, loss: number) => void;
}

/** A drawn scene as the policy's input. */
export function preparePhantom(scene: Parameters<typeof drawScene>[0], config: QwenImageConfig, difficulty: Difficulty): PreparedImage {
  const size = 64;
  const grey = drawScene(scene, { size, difficulty });
  const data = new Uint8Array(grey.length * 3);
  for (let i = 0; i < grey.length; i++) data.fill(grey[i], i * 3, i * 3 + 3);
  return prepareRgb({ source: "phantom", width: size, height: size, data, notes: [] }, config);
}

function factsText(facts: Facts): string {
  return slots.map((slot) => ` ${facts[slot]}`).join("");
}

/** Supervised learning on freshly drawn training scenes; each has a misreading of its own. */
export async function runStage(engine: Engine, processor: Processor, { profile, steps, learningRate }: Stage, options: StageOptions): Promise<void> {
  const { batch, seed, difficulty, onStep } = options;
  const { image: config } = processor;
  if (!config) throw new Error("the phantom needs a model with a vision tower");
  const batchOf = (step: number): Datum[] =>
    Array.from({ length: batch }, (_, b) => {
      const { example, scene } = phantomExample(seed, "train", step * batch + b);
      const prompt = processor.assemble(example, [preparePhantom(scene, config, difficulty)], { instruction: "none" });
      const text = profile === "facts" ? factsText(scene.facts) : sftCompletion(example, corruptionProfiles[profile], seed);
      const completion = processor.encodeTarget(text);
      return { prompt, completion, weights: completion.map(() => 1 / (batch * completion.length)) };
    });
  let data = batchOf(0);
  for (let step = 0; step < steps; step++) {
    const running = engine.forwardBackward(data, { kind: "cross_entropy" });
    // The next batch is drawn while the workers are busy with this one.
    data = step + 1 < steps ? batchOf(step + 1) : [];
    const { loss } = await running;
    const warm = Math.min(1, (step + 1) / 50);
    const decay = 0.5 * (1 + Math.cos((Math.PI * step) / steps));
    await engine.optimStep({ learningRate: learningRate * warm * (0.05 + 0.95 * decay), beta1: 0.9, beta2: 0.98, eps: 1e-8, weightDecay: 0.01, maxGradNorm: 1 });
    onStep(step + 1, steps, loss);
  }
}

/** Copies a model folder with its weights in half precision. */
export function halve(from: string, to: string): void {
  const { config, tensors, files } = loadModelFolder(from);
  saveModelFolder(to, { config: config, tensors, files }, { format: "F16" });
}
