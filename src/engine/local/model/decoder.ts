/** The Qwen3 decoder layer, written once: training, log-probability, prefill and decoding differ only in `attend`. */
import type { Graph, Tensor } from "../graph/graph.js";
import { rmsNorm, rotary, swiglu, type Rotation } from "../graph/layers.js";
import { add, reshape } from "../graph/ops.js";
import type { TextConfig } from "./config.js";
import type { Weights } from "./weights.js";

export interface KeysValues {
  /** `[rows, keyHeads·headDim]`, normalised and rotated. */
  readonly keys: Tensor;
  /** `[rows, keyHeads·headDim]` */
  readonly values: Tensor;
}

/** Queries `[queryRows, heads·headDim]` → attended `[queryRows, heads·headDim]`. */
export type Attend = (queries: Tensor, kv: KeysValues) => Tensor;

/** Takes the rows that are still wanted after the last layer's keys and values are made. */
export interface Narrow {
  readonly rows: (x: Tensor) => Tensor;
  readonly rotation: Rotation;
}

function headNorm(g: Graph, w: Weights, config: TextConfig, x: Tensor, name: string): Tensor {
  const [rows, width] = x.shape;
  const perHead = reshape(g, x, [(rows * width) / config.headDim, config.headDim]);
  return reshape(g, rmsNorm(g, perHead, w.get(name), config.eps), [rows, width]);
}

/** Keys and values of a layer from its normalised input. */
export function keysValues(g: Graph, w: Weights, config: TextConfig, layer: number, normed: Tensor, rotation: Rotation): KeysValues {
  const name = `model.language_model.layers.${layer}.self_attn`;
  const keys = headNorm(g, w, config, w.linear(normed, `${name}.k_proj`), `${name}.k_norm.weight`);
  return { keys: rotary(g, keys, rotation, config.keyHeads), values: w.linear(normed, `${name}.v_proj`) };
}

export function inputNorm(g: Graph, w: Weights, config: TextConfig, layer: number, x: Tensor): Tensor {
  return rmsNorm(g, x, w.get(`model.language_model.layers.${layer}.input_layernorm.weight`), config.eps);
}

/** One decoder layer on rows `[N, D]`; with `narrow` the result has only the narrowed rows. */
export function decoderLayer(
  g: Graph,
  w: Weights,
  config: TextConfig,
  layer: number,
  x: Tensor,
  rotation: Rotation,
  attend: Attend,
  narrow: Narrow | null = null,
): Tensor {
  const name = `model.language_model.layers.${layer}`;
  const normed = inputNorm(g, w, config, layer, x);
  const kv = keysValues(g, w, config, layer, normed, rotation);
  const q = w.linear(narrow ? narrow.rows(normed) : normed, `${name}.self_attn.q_proj`);
  const queries = rotary(g, headNorm(g, w, config, q, `${name}.self_attn.q_norm.weight`), narrow?.rotation ?? rotation, config.heads);
  const attended = w.linear(attend(queries, kv), `${name}.self_attn.o_proj`);
  const middle = add(g, narrow ? narrow.rows(x) : x, attended);
  const inner = rmsNorm(g, middle, w.get(`${name}.post_attention_layernorm.weight`), config.eps);
  const hidden = swiglu(g, w.linear(inner, `${name}.mlp.gate_proj`), w.linear(inner, `${name}.mlp.up_proj`));
  return add(g, middle, w.linear(hidden, `${name}.mlp.down_proj`));
}

export function finalNorm(g: Graph, w: Weights, config: TextConfig, x: Tensor): Tensor {
  return rmsNorm(g, x, w.get("model.language_model.norm.weight"), config.eps);
}
