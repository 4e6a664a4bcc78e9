import type { Qwen3VLConfig } from "./config.js";

/** Name, as Hugging Face saves it, and shape of every tensor, in a fixed order. The patch kernel is kept flat. */
export function parameterShapes(config: Qwen3VLConfig): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const dense = (name: string, outputs: number, inputs: number): void => {
    shapes.set(`${name}.weight`, [outputs, inputs]);
    shapes.set(`${name}.bias`, [outputs]);
  };
  const norm = (name: string, width: number): void => {
    shapes.set(`${name}.weight`, [width]);
    shapes.set(`${name}.bias`, [width]);
  };
  const { text, vision } = config;
  const visual = "model.visual";
  dense(`${visual}.patch_embed.proj`, vision.width, vision.patchInputs);
  shapes.set(`${visual}.pos_embed.weight`, [vision.positionGrid ** 2, vision.width]);
  for (let i = 0; i < vision.depth; i++) {
    const block = `${visual}.blocks.${i}`;
    norm(`${block}.norm1`, vision.width);
    dense(`${block}.attn.qkv`, 3 * vision.width, vision.width);
    dense(`${block}.attn.proj`, vision.width, vision.width);
    norm(`${block}.norm2`, vision.width);
    dense(`${block}.mlp.linear_fc1`, vision.mlpWidth, vision.width);
    dense(`${block}.mlp.linear_fc2`, vision.width, vision.mlpWidth);
  }
  const merged = vision.width * vision.merge ** 2;
  const merger = (name: string, normWidth: number): void => {
    norm(`${name}.norm`, normWidth);
    dense(`${name}.linear_fc1`, merged, merged);
    dense(`${name}.linear_fc2`, vision.outWidth, merged);
  };
  merger(`${visual}.merger`, vision.width);
  for (const i of vision.deepstack.keys()) merger(`${visual}.deepstack_merger_list.${i}`, merged);

  const language = "model.language_model";
  shapes.set(`${language}.embed_tokens.weight`, [text.vocabulary, text.width]);
  for (let i = 0; i < text.layers; i++) {
    const layer = `${language}.layers.${i}`;
    shapes.set(`${layer}.input_layernorm.weight`, [text.width]);
    shapes.set(`${layer}.self_attn.q_proj.weight`, [text.heads * text.headDim, text.width]);
    shapes.set(`${layer}.self_attn.k_proj.weight`, [text.keyHeads * text.headDim, text.width]);
    shapes.set(`${layer}.self_attn.v_proj.weight`, [text.keyHeads * text.headDim, text.width]);
    shapes.set(`${layer}.self_attn.o_proj.weight`, [text.width, text.heads * text.headDim]);
    shapes.set(`${layer}.self_attn.q_norm.weight`, [text.headDim]);
    shapes.set(`${layer}.self_attn.k_norm.weight`, [text.headDim]);
    shapes.set(`${layer}.post_attention_layernorm.weight`, [text.width]);
    shapes.set(`${layer}.mlp.gate_proj.weight`, [text.mlpWidth, text.width]);
    shapes.set(`${layer}.mlp.up_proj.weight`, [text.mlpWidth, text.width]);
    shapes.set(`${layer}.mlp.down_proj.weight`, [text.width, text.mlpWidth]);
  }
  shapes.set(`${language}.norm.weight`, [text.width]);
  if (!text.tied) shapes.set("lm_head.weight", [text.vocabulary, text.width]);
  return shapes;
}

export const embeddingName = "model.language_model.embed_tokens.weight";

export function headName(config: Qwen3VLConfig): string {
  return config.text.tied ? embeddingName : "lm_head.weight";
}
