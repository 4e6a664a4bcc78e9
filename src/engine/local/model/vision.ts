/**
 * The Qwen3-VL vision transformer: patch embedding, interpolated learned positions, 2D rotary attention, patch merger,
 * and the deepstack features of early blocks (Qwen3-VL technical report, arXiv 2511.21631). Images of different grids
 * share a batch by padding; a patch attends only within its image.
 */
import type { Graph, Tensor } from "../graph/graph.js";
import { attention, gelu, layerNorm, rotary, type Rotation } from "../graph/layers.js";
import { add, matmul, reshape, split, transpose } from "../graph/ops.js";
import type { VisionConfig } from "./config.js";
import type { Weights } from "./weights.js";

const layerNormEps = 1e-6;

export interface VisionInputs {
  readonly images: number;
  /** Patches per image, padding included; a multiple of merge². */
  readonly patchesPerImage: number;
  /** `[images·patches, patchInputs]` */
  readonly patches: Tensor;
  /** `[images·patches, positionGrid²]`: bilinear weights of the learned positions. */
  readonly positions: Tensor;
  /** cos, sin `[images·patches, headDim/2]` */
  readonly rotation: Rotation;
  /** Additive, `[images, 1, 1, patches]`, −1e9 at padding. */
  readonly mask: Tensor;
}

export interface VisionFeatures {
  /** `[images·patches/merge², outWidth]` */
  readonly pooled: Tensor;
  /** One per deepstack block, same shape. */
  readonly deepstack: readonly Tensor[];
}

function heads(g: Graph, x: Tensor, v: VisionInputs, n: number, perm: readonly number[]): Tensor {
  return transpose(g, reshape(g, x, [v.images, v.patchesPerImage, n, x.shape[1] / n]), perm);
}

function block(g: Graph, w: Weights, config: VisionConfig, name: string, x: Tensor, v: VisionInputs): Tensor {
  const rows = x.shape[0];
  const headDim = config.width / config.heads;
  const normed = layerNorm(g, x, w.get(`${name}.norm1.weight`), w.get(`${name}.norm1.bias`), layerNormEps);
  const [q, k, values] = split(g, w.linear(normed, `${name}.attn.qkv`, true), 1, [config.width, config.width, config.width]);
  const attended = attention(
    g,
    heads(g, rotary(g, q, v.rotation, config.heads), v, config.heads, [0, 2, 1, 3]),
    heads(g, rotary(g, k, v.rotation, config.heads), v, config.heads, [0, 2, 1, 3]),
    heads(g, values, v, config.heads, [0, 2, 1, 3]),
    v.mask,
    1 / Math.sqrt(headDim),
  );
  const joined = reshape(g, transpose(g, attended, [0, 2, 1, 3]), [rows, config.width]);
  const middle = add(g, x, w.linear(joined, `${name}.attn.proj`, true));
  const inner = layerNorm(g, middle, w.get(`${name}.norm2.weight`), w.get(`${name}.norm2.bias`), layerNormEps);
  const hidden = gelu(g, w.linear(inner, `${name}.mlp.linear_fc1`, true), "tanh");
  return add(g, middle, w.linear(hidden, `${name}.mlp.linear_fc2`, true));
}

/** Joins merge² neighbouring patches (already adjacent rows) into one row of the decoder's width. */
function merger(g: Graph, w: Weights, config: VisionConfig, name: string, x: Tensor, normAfterShuffle: boolean): Tensor {
  const merged = config.width * config.merge ** 2;
  const rows = x.shape[0] / config.merge ** 2;
  const norm = (t: Tensor): Tensor => layerNorm(g, t, w.get(`${name}.norm.weight`), w.get(`${name}.norm.bias`), layerNormEps);
  const joined = normAfterShuffle ? norm(reshape(g, x, [rows, merged])) : reshape(g, norm(x), [rows, merged]);
  const hidden = gelu(g, w.linear(joined, `${name}.linear_fc1`, true), "erf");
  return w.linear(hidden, `${name}.linear_fc2`, true);
}

export function visionTower(g: Graph, w: Weights, config: VisionConfig, v: VisionInputs): VisionFeatures {
  const visual = "model.visual";
  const embedded = w.linear(v.patches, `${visual}.patch_embed.proj`, true);
  let x = add(g, embedded, matmul(g, v.positions, w.get(`${visual}.pos_embed.weight`)));
  const deepstack: Tensor[] = [];
  for (let i = 0; i < config.depth; i++) {
    x = block(g, w, config, `${visual}.blocks.${i}`, x, v);
    const at = config.deepstack.indexOf(i);
    if (at >= 0) deepstack[at] = merger(g, w, config, `${visual}.deepstack_merger_list.${at}`, x, true);
  }
  return { pooled: merger(g, w, config, `${visual}.merger`, x, false), deepstack };
}
