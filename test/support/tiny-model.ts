/** A tiny Qwen3-VL folder with peaked next-token distributions, and prompts with images of several grids for it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModelFolder, saveModelFolder } from "../../src/checkpoints/hf-folder.js";
import type { ModelSize } from "../../src/engine/local/create-model.js";
import { Tokenizer } from "../../src/tokenizer/tokenizer.js";
import { createSmallModel } from "../../src/training/small-model.js";
import type { PreparedImage, Prompt } from "../../src/types.js";
import { RandomStream, seedFrom } from "../../src/util/random.js";

export const tinySize: ModelSize = {
  width: 32, layers: 2, heads: 4, keyHeads: 2, headDim: 12, mlpWidth: 48,
  visionWidth: 24, visionDepth: 2, visionHeads: 2, visionMlpWidth: 40, patch: 4, positionGrid: 4, deepstack: [0], maxPositions: 192,
};

/** Random embeddings are small; larger ones give logits of a few nats, so that tokens differ in probability. */
const sharpen = 10;

export interface TinyModel {
  readonly folder: string;
  readonly vocabulary: number;
  readonly tokenizer: Tokenizer;
  /** Text only, one image, another grid, two images. */
  readonly prompts: readonly Prompt[];
  tempDir(): string;
  remove(): void;
}

function tinyImage(name: string, h: number, w: number, patchInputs: number): PreparedImage {
  const random = new RandomStream(seedFrom("image", name));
  const patches = Float32Array.from({ length: h * w * patchInputs }, () => random.normal());
  return { source: name, grid: { t: 1, h, w }, patches, tokenCount: (h * w) / 4 };
}

export function createTinyModel(size: ModelSize = tinySize): TinyModel {
  const root = mkdtempSync(join(tmpdir(), "breakwater-tiny-"));
  const folder = join(root, "model");
  const texts = ["The image shows a chest X-ray.", "There is a nodule in the left lung.", "The scan shows no lesion in the liver."];
  const { vocabulary } = createSmallModel(folder, { size, texts, vocabulary: 300, minPixels: 64, maxPixels: 4096, seed: 3 });
  const model = loadModelFolder(folder);
  const tensors = new Map(
    [...model.tensors].map(([name, { shape, data }]) => [name, { shape, data: name.includes("embed_tokens") ? data.map((v) => v * sharpen) : data }]),
  );
  saveModelFolder(folder, { ...model, tensors });

  const tokenizer = Tokenizer.fromFolder(folder);
  const imageToken = Number(model.config.image_token_id);
  const patchInputs = 3 * 2 * size.patch ** 2;
  const text = (value: string): number[] => tokenizer.encode(value);
  const slot = (image: PreparedImage): number[] => new Array<number>(image.tokenCount).fill(imageToken);
  const [small, wide, tall] = [tinyImage("small", 4, 4, patchInputs), tinyImage("wide", 4, 8, patchInputs), tinyImage("tall", 6, 4, patchInputs)];
  const prompts: Prompt[] = [
    { tokens: text("What is in the lung?"), images: [] },
    { tokens: [...text("See"), ...slot(small), ...text("what is it?")], images: [small] },
    { tokens: [...slot(wide), ...text("Where is the lesion in this scan?")], images: [wide] },
    { tokens: [...text("A"), ...slot(tall), ...text("and"), ...slot(small), ...text("differ")], images: [tall, small] },
  ];
  let folders = 0;
  return {
    folder,
    vocabulary,
    tokenizer,
    prompts,
    tempDir: () => mkdtempSync(join(root, `t${folders++}-`)),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
