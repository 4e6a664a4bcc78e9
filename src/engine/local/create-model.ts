/** New small Qwen3-VL models with random weights. */
import { mkdirSync } from "node:fs";
import { saveModelFolder, type JsonObject } from "../../checkpoints/hf-folder.js";
import type { Tensor } from "../../checkpoints/safetensors.js";
import { RandomStream, seedFrom } from "../../util/random.js";
import { parseQwen3VLConfig } from "./model/config.js";
import { parameterShapes } from "./model/parameters.js";

export interface ModelSize {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headDim: number;
  readonly mlpWidth: number;
  readonly visionWidth: number;
  readonly visionDepth: number;
  readonly visionHeads: number;
  readonly visionMlpWidth: number;
  readonly patch: number;
  /** Side of the learned grid of positions, merged patches times two. */
  readonly positionGrid: number;
  /** Vision blocks injected into the first decoder layers. */
  readonly deepstack: readonly number[];
  readonly maxPositions: number;
}

/** Sizes by name: parameters are given for a vocabulary of about 800. */
export const modelSizes = {
  /** About 0.6M parameters: the phantom's policy. */
  phantom: {
    width: 96, layers: 4, heads: 4, keyHeads: 2, headDim: 32, mlpWidth: 256,
    visionWidth: 64, visionDepth: 2, visionHeads: 2, visionMlpWidth: 128, patch: 8, positionGrid: 8, deepstack: [0], maxPositions: 1024,
  },
  /** About 1M parameters in the decoder (width 128, 4 layers). */
  "1M": {
    width: 128, layers: 4, heads: 4, keyHeads: 2, headDim: 32, mlpWidth: 384,
    visionWidth: 64, visionDepth: 2, visionHeads: 2, visionMlpWidth: 128, patch: 8, positionGrid: 8, deepstack: [0], maxPositions: 1024,
  },
  /** About 6M parameters in the decoder (width 256, 6 layers). */
  "6M": {
    width: 256, layers: 6, heads: 8, keyHeads: 4, headDim: 32, mlpWidth: 768,
    visionWidth: 128, visionDepth: 3, visionHeads: 4, visionMlpWidth: 256, patch: 8, positionGrid: 8, deepstack: [0, 1], maxPositions: 1024,
  },
} as const satisfies Record<string, ModelSize>;

export interface SpecialTokens {
  readonly image: number;
  readonly video: number;
  readonly visionStart: number;
  readonly visionEnd: number;
  readonly end: number;
}

/** `config.json` of a small Qwen3-VL. */
export function qwen3vlConfig(size: ModelSize, vocabulary: number, tokens: SpecialTokens): JsonObject {
  const half = size.headDim / 2;
  const third = Math.floor(half / 3);
  return {
    architectures: ["Qwen3VLForConditionalGeneration"],
    model_type: "qwen3_vl",
    dtype: "float32",
    image_token_id: tokens.image,
    video_token_id: tokens.video,
    vision_start_token_id: tokens.visionStart,
    vision_end_token_id: tokens.visionEnd,
    tie_word_embeddings: true,
    text_config: {
      model_type: "qwen3_vl_text",
      hidden_size: size.width,
      intermediate_size: size.mlpWidth,
      num_hidden_layers: size.layers,
      num_attention_heads: size.heads,
      num_key_value_heads: size.keyHeads,
      head_dim: size.headDim,
      vocab_size: vocabulary,
      hidden_act: "silu",
      rms_norm_eps: 1e-6,
      attention_bias: false,
      attention_dropout: 0,
      max_position_embeddings: size.maxPositions,
      rope_theta: 10000,
      rope_scaling: { rope_type: "default", mrope_interleaved: true, mrope_section: [half - 2 * third, third, third] },
      tie_word_embeddings: true,
      eos_token_id: tokens.end,
      pad_token_id: tokens.end,
      use_cache: true,
    },
    vision_config: {
      model_type: "qwen3_vl",
      depth: size.visionDepth,
      hidden_size: size.visionWidth,
      intermediate_size: size.visionMlpWidth,
      num_heads: size.visionHeads,
      in_channels: 3,
      patch_size: size.patch,
      spatial_merge_size: 2,
      temporal_patch_size: 2,
      out_hidden_size: size.width,
      num_position_embeddings: size.positionGrid ** 2,
      deepstack_visual_indexes: [...size.deepstack],
      hidden_act: "gelu_pytorch_tanh",
    },
  };
}

/** Learned positions start about as large as patch embeddings: smaller, they drown and the model cannot locate. */
const positionScale = 0.3;

function initialTensor(name: string, shape: readonly number[], random: RandomStream): Float32Array {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  if (shape.length === 1) return name.endsWith(".bias") ? data : data.fill(1);
  const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
  // Projections into the residual stream start smaller, embeddings as GPT-2 does.
  const scale = name.includes("pos_embed") ? positionScale : name.includes("embed_tokens") ? 0.05 : 1 / Math.sqrt(fanIn);
  const residual = /o_proj|down_proj|attn\.proj|mlp\.linear_fc2/.test(name) ? 0.5 : 1;
  for (let i = 0; i < data.length; i++) data[i] = random.normal() * scale * residual;
  return data;
}

export interface NewModel {
  readonly config: JsonObject;
  /** Tokenizer, preprocessor, chat template, generation config: file name → bytes. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly seed: number;
}

/** Writes a Hugging Face folder with random weights. */
export function createModelFolder(dir: string, { config, files, seed }: NewModel): void {
  mkdirSync(dir, { recursive: true });
  const parsed = parseQwen3VLConfig(config, "config.json");
  const vision = config.vision_config as { temporal_patch_size: number; patch_size: number; in_channels: number };
  const tensors = new Map<string, Tensor>();
  for (const [name, shape] of parameterShapes(parsed)) {
    const onDisk = name.endsWith("patch_embed.proj.weight")
      ? [shape[0], vision.in_channels, vision.temporal_patch_size, vision.patch_size, vision.patch_size]
      : shape;
    tensors.set(name, { shape: onDisk, data: initialTensor(name, shape, new RandomStream(seedFrom(seed, name))) });
  }
  saveModelFolder(dir, { config, tensors, files });
}
