import { z } from "zod";
import { UserError } from "../../../util/errors.js";

const ropeSchema = z.looseObject({
  rope_theta: z.number().positive().optional(),
  mrope_section: z.array(z.number().int().nonnegative()).length(3).optional(),
  mrope_interleaved: z.boolean().optional(),
  rope_type: z.string().optional(),
});

const textSchema = z.looseObject({
  hidden_size: z.number().int().positive(),
  intermediate_size: z.number().int().positive(),
  num_hidden_layers: z.number().int().positive(),
  num_attention_heads: z.number().int().positive(),
  num_key_value_heads: z.number().int().positive(),
  head_dim: z.number().int().positive().optional(),
  vocab_size: z.number().int().positive(),
  rms_norm_eps: z.number().positive().default(1e-6),
  max_position_embeddings: z.number().int().positive().default(32768),
  rope_theta: z.number().positive().optional(),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
  hidden_act: z.literal("silu").default("silu"),
  attention_bias: z.literal(false).default(false),
  tie_word_embeddings: z.boolean().optional(),
});

const visionSchema = z.looseObject({
  depth: z.number().int().positive(),
  hidden_size: z.number().int().positive(),
  intermediate_size: z.number().int().positive(),
  num_heads: z.number().int().positive(),
  in_channels: z.number().int().positive().default(3),
  patch_size: z.number().int().positive().default(16),
  spatial_merge_size: z.number().int().positive().default(2),
  temporal_patch_size: z.number().int().positive().default(2),
  out_hidden_size: z.number().int().positive(),
  num_position_embeddings: z.number().int().positive().default(2304),
  deepstack_visual_indexes: z.array(z.number().int().nonnegative()).default([8, 16, 24]),
  hidden_act: z.literal("gelu_pytorch_tanh").default("gelu_pytorch_tanh"),
});

const configSchema = z.looseObject({
  model_type: z.literal("qwen3_vl"),
  text_config: textSchema,
  vision_config: visionSchema,
  image_token_id: z.number().int().nonnegative(),
  tie_word_embeddings: z.boolean().optional(),
});

export interface TextConfig {
  readonly width: number;
  readonly mlpWidth: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headDim: number;
  readonly vocabulary: number;
  readonly eps: number;
  readonly maxPositions: number;
  readonly ropeTheta: number;
  /** Frequencies that follow time, height and width; they add up to headDim / 2. */
  readonly ropeSections: readonly [number, number, number];
  readonly tied: boolean;
}

export interface VisionConfig {
  readonly depth: number;
  readonly width: number;
  readonly mlpWidth: number;
  readonly heads: number;
  readonly patchInputs: number;
  readonly merge: number;
  readonly outWidth: number;
  /** Side of the learned position grid. */
  readonly positionGrid: number;
  /** Blocks whose output is injected into the first decoder layers, in order. */
  readonly deepstack: readonly number[];
}

/** What the graphs need of a Qwen3-VL `config.json`. */
export interface Qwen3VLConfig {
  readonly text: TextConfig;
  readonly vision: VisionConfig;
  readonly imageToken: number;
}

/** Validates a `config.json` of model type qwen3_vl; `place` (the file) goes into messages. */
export function parseQwen3VLConfig(json: unknown, place: string): Qwen3VLConfig {
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new UserError(`${place}: ${issue.path.join(".") || "config"}: ${issue.message}. The local engine runs Qwen3-VL checkpoints (model_type "qwen3_vl").`);
  }
  const { text_config: t, vision_config: v } = parsed.data;
  const rope = { ...t.rope_scaling, ...t.rope_parameters };
  if (rope.rope_type !== undefined && rope.rope_type !== "default") {
    throw new UserError(`${place}: text_config rope_type "${rope.rope_type}" is not supported; only "default" is`);
  }
  const headDim = t.head_dim ?? t.hidden_size / t.num_attention_heads;
  const sections = rope.mrope_section ?? [24, 20, 20];
  if (sections.reduce((a, b) => a + b, 0) * 2 !== headDim) {
    throw new UserError(`${place}: mrope_section [${sections.join(", ")}] must add up to head_dim / 2 = ${headDim / 2}`);
  }
  const grid = Math.sqrt(v.num_position_embeddings);
  if (!Number.isInteger(grid)) throw new UserError(`${place}: vision_config.num_position_embeddings ${v.num_position_embeddings} is not a square`);
  if (v.out_hidden_size !== t.hidden_size) {
    throw new UserError(`${place}: vision_config.out_hidden_size ${v.out_hidden_size} differs from text_config.hidden_size ${t.hidden_size}`);
  }
  if (t.num_attention_heads % t.num_key_value_heads !== 0) {
    throw new UserError(`${place}: num_attention_heads ${t.num_attention_heads} is not a multiple of num_key_value_heads ${t.num_key_value_heads}`);
  }
  const beyond = v.deepstack_visual_indexes.find((i) => i >= v.depth);
  if (beyond !== undefined) throw new UserError(`${place}: deepstack_visual_indexes names block ${beyond}, the vision tower has ${v.depth}`);
  if (v.deepstack_visual_indexes.length > t.num_hidden_layers) {
    throw new UserError(`${place}: ${v.deepstack_visual_indexes.length} deepstack_visual_indexes for ${t.num_hidden_layers} decoder layers`);
  }
  return {
    text: {
      width: t.hidden_size,
      mlpWidth: t.intermediate_size,
      layers: t.num_hidden_layers,
      heads: t.num_attention_heads,
      keyHeads: t.num_key_value_heads,
      headDim,
      vocabulary: t.vocab_size,
      eps: t.rms_norm_eps,
      maxPositions: t.max_position_embeddings,
      ropeTheta: rope.rope_theta ?? t.rope_theta ?? 5_000_000,
      ropeSections: [sections[0], sections[1], sections[2]],
      tied: parsed.data.tie_word_embeddings ?? t.tie_word_embeddings ?? false,
    },
    vision: {
      depth: v.depth,
      width: v.hidden_size,
      mlpWidth: v.intermediate_size,
      heads: v.num_heads,
      patchInputs: v.in_channels * v.temporal_patch_size * v.patch_size * v.patch_size,
      merge: v.spatial_merge_size,
      outWidth: v.out_hidden_size,
      positionGrid: grid,
      deepstack: v.deepstack_visual_indexes,
    },
    imageToken: parsed.data.image_token_id,
  };
}
