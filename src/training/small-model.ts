import { createModelFolder, qwen3vlConfig, type ModelSize } from "../engine/local/create-model.js";
import { imageConfigJson, type QwenImageConfig } from "../images/qwen-vl.js";
import { SMALL_CHAT_TEMPLATE } from "../prompts/small-template.js";
import { SPECIAL_TOKENS } from "../tokenizer/tokenizer.js";
import { trainBpe } from "../tokenizer/train-bpe.js";

export interface SmallModelOptions {
  readonly size: ModelSize;
  /** Texts for the tokenizer. */
  readonly texts: Iterable<string>;
  /** Largest vocabulary; a small corpus gives fewer. */
  readonly vocabulary: number;
  /** Bounds of an image's pixels after resizing. */
  readonly minPixels: number;
  readonly maxPixels: number;
  readonly seed: number;
}

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value, null, 2) + "\n");

/** Writes a Hugging Face folder of a new small Qwen3-VL: a byte-level tokenizer trained on texts, random weights. */
export function createSmallModel(dir: string, options: SmallModelOptions): { vocabulary: number } {
  const { size, texts, vocabulary, minPixels, maxPixels, seed } = options;
  const trained = trainBpe(texts, { vocabularySize: vocabulary });
  const image: QwenImageConfig = {
    patchSize: size.patch, temporalPatchSize: 2, mergeSize: 2, minPixels, maxPixels, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5],
  };
  const added = (trained.tokenizer as { added_tokens: { id: number; content: string }[] }).added_tokens;
  const idOf = (content: string): number => {
    const found = added.find((t) => t.content === content);
    if (!found) throw new Error(`the tokenizer has no ${content}`);
    return found.id;
  };
  const end = idOf(SPECIAL_TOKENS.imEnd);
  const config = qwen3vlConfig(size, trained.vocabularySize, {
    image: idOf(SPECIAL_TOKENS.imagePad), video: idOf(SPECIAL_TOKENS.videoPad),
    visionStart: idOf(SPECIAL_TOKENS.visionStart), visionEnd: idOf(SPECIAL_TOKENS.visionEnd), end,
  });
  const files = new Map<string, Uint8Array>([
    ["tokenizer.json", json(trained.tokenizer)],
    ["tokenizer_config.json", json(trained.config)],
    ["preprocessor_config.json", json(imageConfigJson(image))],
    ["chat_template.jinja", new TextEncoder().encode(SMALL_CHAT_TEMPLATE)],
    ["generation_config.json", json({ eos_token_id: [end, idOf(SPECIAL_TOKENS.endOfText)], pad_token_id: idOf(SPECIAL_TOKENS.endOfText), do_sample: true, temperature: 1, top_p: 1, top_k: 0 })],
  ]);
  createModelFolder(dir, { config, files, seed });
  return { vocabulary: trained.vocabularySize };
}
