/** The forward graph of BERT (Devlin et al. 2019) and of its kin, up to one of its blocks: post-norm transformer encoder. */
import { Graph, type Tensor } from "../graph/graph.js";
import { attention, gelu, layerNorm } from "../graph/layers.js";
import { add, gatherRows, reshape, transpose } from "../graph/ops.js";
import type { BuiltGraph } from "../model/train-graph.js";
import { Weights } from "../model/weights.js";
import { bertShapes, type BertConfig } from "./config.js";

export interface BertShape {
  /** B */
  readonly rows: number;
  /** T, padding included. */
  readonly tokens: number;
}

/**
 * Inputs `ids` `[B, T]` and `mask`, additive `[B, 1, 1, T]`, and the weights by name; output `hidden` `[B·T, D]`, the
 * hidden state behind block `layer` (0: the embeddings), as `hidden_states[layer]` of Hugging Face.
 */
export function bertGraph(config: BertConfig, layer: number, { rows, tokens }: BertShape): BuiltGraph {
  const g = new Graph();
  const w = new Weights(g, bertShapes(config, layer), new Set());
  const ids = g.input("ids", [rows, tokens], "int64");
  const mask = g.input("mask", [rows, 1, 1, tokens]);
  const normed = (x: Tensor, name: string): Tensor => layerNorm(g, x, w.get(`${name}.weight`), w.get(`${name}.bias`), config.eps);

  let x = gatherRows(g, w.get("embeddings.word_embeddings.weight"), ids);
  const places = Array.from({ length: tokens }, (_, i) => config.firstPosition + i);
  x = add(g, x, gatherRows(g, w.get("embeddings.position_embeddings.weight"), g.ints(places)));
  if (config.tokenTypes > 0) x = add(g, x, gatherRows(g, w.get("embeddings.token_type_embeddings.weight"), g.ints([0])));
  x = reshape(g, normed(x, "embeddings.LayerNorm"), [rows * tokens, config.embeddingWidth]);
  if (config.embeddingWidth !== config.width) x = w.linear(x, "embeddings_project", true);

  const perHead = config.width / config.heads;
  const heads = (t: Tensor, perm: readonly number[]): Tensor => transpose(g, reshape(g, t, [rows, tokens, config.heads, perHead]), perm);
  for (let i = 0; i < layer; i++) {
    const block = `encoder.layer.${i}`;
    const part = (name: string): Tensor => w.linear(x, `${block}.attention.self.${name}`, true);
    const queries = heads(part("query"), [0, 2, 1, 3]);
    const attended = attention(g, queries, heads(part("key"), [0, 2, 1, 3]), heads(part("value"), [0, 2, 1, 3]), mask, 1 / Math.sqrt(perHead));
    const joined = reshape(g, transpose(g, attended, [0, 2, 1, 3]), [rows * tokens, config.width]);
    x = normed(add(g, x, w.linear(joined, `${block}.attention.output.dense`, true)), `${block}.attention.output.LayerNorm`);
    const inner = activate(g, w.linear(x, `${block}.intermediate.dense`, true), config.activation);
    x = normed(add(g, x, w.linear(inner, `${block}.output.dense`, true)), `${block}.output.LayerNorm`);
  }
  g.output("hidden", x);
  return { ...g.build(), gradients: [] };
}

function activate(g: Graph, x: Tensor, activation: BertConfig["activation"]): Tensor {
  if (activation === "relu") return g.node("Relu", [x], x.shape);
  return gelu(g, x, activation === "gelu" ? "erf" : "tanh");
}
