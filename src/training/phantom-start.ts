/**
 * The start policy of the phantom task, from nothing: a tokenizer trained on its sentences, a small Qwen3-VL with
 * random weights, supervised learning on gold chains (it learns to see), then on chains that misread by class (it
 * learns to fail early, as real models do, while the right early fact stays within reach of sampling).
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { modelSizes } from "../engine/local/create-model.js";
import { loadModelFolder, saveModelFolder } from "../checkpoints/hf-folder.js";
import { corpusForTokenizer, corruptionProfiles, drawScene, phantomExample, sftCompletion, slots, type Difficulty, type Facts, type ProfileName } from "../datasets/phantom/index.js";
import type { Engine } from "../engine/engine.js";
import { createLocalEngine } from "../engine/local/local-engine.js";
import type { ImageGeometry } from "../images/geometry.js";
import { Processor } from "../prompts/processor.js";
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
  readonly difficulty: Difficulty;
  /** Seed of its scenes. */
  readonly seed: number;
  /** Rows of a micro-batch: it changes the order of summation, so it belongs to the recipe. */
  readonly maxRows: number;
}

export interface StageOptions {
  readonly batch: number;
  readonly onStep: (step: number, steps: number, loss: number) => void;
}

/** A drawn scene as the policy's input. */
export function preparePhantom(scene: Parameters<typeof drawScene>[0], geometry: ImageGeometry, difficulty: Difficulty): PreparedImage {
  const size = 64;
  const grey = drawScene(scene, { size, difficulty });
  const data = new Uint8Array(grey.length * 3);
  for (let i = 0; i < grey.length; i++) data.fill(grey[i], i * 3, i * 3 + 3);
  return geometry.prepare({ source: "phantom", width: size, height: size, data, notes: [] });
}

function factsText(facts: Facts): string {
  return slots.map((slot) => ` ${facts[slot]}`).join("");
}

/** Supervised learning on freshly drawn training scenes; each has a misreading of its own. */
export async function runStage(engine: Engine, processor: Processor, { profile, steps, learningRate, seed, difficulty }: Stage, options: StageOptions): Promise<void> {
  const { batch, onStep } = options;
  const { image } = processor;
  if (!image) throw new Error("the phantom needs a model with a vision tower");
  const batchOf = (step: number): Datum[] =>
    Array.from({ length: batch }, (_, b) => {
      const { example, scene } = phantomExample(seed, "train", step * batch + b);
      const prompt = processor.assemble(example, [preparePhantom(scene, image, difficulty)], { instruction: "none" });
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

/** How the shipped start policies were made: each stage begins with fresh optimiser moments. */
export function startStages(profile: ProfileName): readonly Stage[] {
  return [
    { profile: "gold", steps: 900, learningRate: 2e-3, difficulty: "normal", seed: 7, maxRows: 8 },
    { profile: "facts", steps: 1500, learningRate: 3e-3, difficulty: "easy", seed: 8, maxRows: 16 },
    { profile: "facts", steps: 800, learningRate: 1.5e-3, difficulty: "easy", seed: 10, maxRows: 16 },
    { profile, steps: 500, learningRate: 1.5e-3, difficulty: "easy", seed: 9, maxRows: 16 },
  ];
}

export interface StartPolicyOptions {
  readonly profile: ProfileName;
  readonly stages?: readonly Stage[];
  /** Of the engine; it chooses where not given. */
  readonly workers?: number;
  readonly onStep: (stage: Stage, step: number, loss: number) => void;
}

/** Makes a start policy in `out` (weights in half precision); works in a temporary folder beside it. */
export async function makeStartPolicy(out: string, { profile, stages = startStages(profile), workers, onStep }: StartPolicyOptions): Promise<void> {
  const work = mkdtempSync(join(dirname(resolve(out)), ".start-policy-"));
  try {
    let from = join(work, "0");
    createPhantomModel(from, 1);
    const processor = Processor.fromFolder(from);
    for (const [i, stage] of stages.entries()) {
      const engine = await createLocalEngine({ model: from, workers, maxRows: stage.maxRows });
      try {
        await runStage(engine, processor, stage, { batch: 32, onStep: (step, _steps, loss) => onStep(stage, step, loss) });
        from = join(work, String(i + 1));
        mkdirSync(from);
        await engine.save(from, "weights");
      } finally {
        await engine.close();
      }
    }
    mkdirSync(out, { recursive: true });
    halve(from, out);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Copies a model folder with its weights in half precision. */
export function halve(from: string, to: string): void {
  const { config, tensors, files } = loadModelFolder(from);
  saveModelFolder(to, { config: config, tensors, files }, { format: "F16" });
}
