/** Graphs of sampling: prefill (a prompt's prefix → keys and values) and decode (one token for each of R rows). */
import { Graph, type Tensor } from "../graph/graph.js";
import { attention, cachedAttention, joinQueryHeads, splitKeysT, splitQueryHeads, splitValues, type Rotation } from "../graph/layers.js";
import { gatherRows, reshape } from "../graph/ops.js";
import type { Qwen3VLConfig } from "./config.js";
import { decoderLayer, finalNorm, inputNorm, keysValues, type KeysValues } from "./decoder.js";
import { embed, type VisionShape } from "./embedding.js";
import { decodeFeeds, trainFeeds } from "./feeds.js";
import { causalMask, type BuiltGraph } from "./train-graph.js";
import { embeddingName, headName } from "./parameters.js";
import { Weights, type LoraSpec } from "./weights.js";

export interface GraphContext {
  readonly config: Qwen3VLConfig;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly lora: LoraSpec | null;
}

export interface PrefillShape {
  readonly prompts: number;
  /** Tokens of a prefix, padding included. */
  readonly prefix: number;
  readonly vision: VisionShape | null;
}

/** Outputs `keys.<layer>` and `values.<layer>`, each `[prompts·prefix, keyHeads·headDim]`. */
export function buildPrefillGraph({ config, shapes, lora }: GraphContext, shape: PrefillShape): BuiltGraph {
  const g = new Graph();
  const w = new Weights(g, shapes, new Set(), lora);
  const { text } = config;
  const { prompts: P, prefix: Tp } = shape;
  const per = text.heads / text.keyHeads;
  const embedded = embed(g, w, config, g.input(trainFeeds.prefixTokens, [P * Tp], "int64"), shape.vision);
  const half = text.headDim / 2;
  const rotation: Rotation = { cos: g.input(trainFeeds.prefixCos, [P * Tp, half]), sin: g.input(trainFeeds.prefixSin, [P * Tp, half]) };
  const padding = g.input(trainFeeds.prefixMask, [P, 1, 1, Tp]);
  const mask = g.node("Add", [causalMask(g, Tp, per, [1, 1, per * Tp, Tp]), padding], [P, 1, per * Tp, Tp]);
  let x = embedded.x;
  for (let layer = 0; layer < text.layers; layer++) {
    const give = ({ keys, values }: KeysValues): void => {
      g.output(`keys.${layer}`, keys);
      g.output(`values.${layer}`, values);
    };
    if (layer === text.layers - 1) {
      give(keysValues(g, w, text, layer, inputNorm(g, w, text, layer, x), rotation));
      break;
    }
    x = decoderLayer(g, w, text, layer, x, rotation, (q, kv) => {
      give(kv);
      const queries = splitQueryHeads(g, q, [P], Tp, text.keyHeads, text.headDim);
      const keysT = splitKeysT(g, kv.keys, [P], Tp, text.headDim);
      const out = attention(g, queries, keysT, splitValues(g, kv.values, [P], Tp, text.headDim), mask, 1 / Math.sqrt(text.headDim));
      return joinQueryHeads(g, out, [P], Tp);
    });
    x = embedded.inject(layer, x);
  }
  return { ...g.build(), gradients: [] };
}

export interface DecodeShape {
  readonly rows: number;
  /** Places in the cache, unused ones included. */
  readonly capacity: number;
  /** `draw`: sample in the graph; `greedy`: the most probable; `logprobs`: give all, the caller chooses. */
  readonly choose: "draw" | "greedy" | "logprobs";
}

/** Index of the first token whose cumulative probability exceeds u·total, `[R, 1]` int64. */
function drawToken(g: Graph, logprobs: Tensor, uniforms: Tensor): Tensor {
  const [rows, vocabulary] = logprobs.shape;
  const cumulative = g.node("CumSum", [g.node("Exp", [logprobs], logprobs.shape), g.ints([1], [])], logprobs.shape);
  const total = g.node("Slice", [cumulative, g.ints([vocabulary - 1]), g.ints([vocabulary]), g.ints([1])], [rows, 1]);
  const threshold = g.node("Mul", [uniforms, total], [rows, 1]);
  const before = g.node("LessOrEqual", [cumulative, threshold], logprobs.shape, { dtype: "bool" });
  const count = g.node("ReduceSum", [g.node("Cast", [before], logprobs.shape, { dtype: "int32", attributes: { to: 6 } }), g.ints([1])], [rows, 1], {
    dtype: "int32",
    attributes: { keepdims: 1 },
  });
  const index = g.node("Cast", [count], [rows, 1], { dtype: "int64", attributes: { to: 7 } });
  return g.node("Min", [index, g.ints([vocabulary - 1], [1, 1])], [rows, 1], { dtype: "int64" });
}

/**
 * One decoding step. The cache is the caller's and is only read; the step's own keys and values come out as
 * `keys.<layer>` and `values.<layer>` `[R, keyHeads·headDim]` for the caller to store.
 */
export function buildDecodeGraph({ config, shapes, lora }: GraphContext, shape: DecodeShape): BuiltGraph {
  const g = new Graph();
  const w = new Weights(g, shapes, new Set(), lora);
  const { text } = config;
  const { rows: R, capacity: T } = shape;
  const { headDim: d, keyHeads } = text;
  const rotation: Rotation = { cos: g.input(decodeFeeds.cos, [R, d / 2]), sin: g.input(decodeFeeds.sin, [R, d / 2]) };
  const mask = g.input(decodeFeeds.mask, [R, 1, 1, T]);
  let x = gatherRows(g, w.get(embeddingName), g.input(decodeFeeds.tokens, [R], "int64"));
  for (let layer = 0; layer < text.layers; layer++) {
    x = decoderLayer(g, w, text, layer, x, rotation, (q, { keys, values }) => {
      g.output(`keys.${layer}`, keys);
      g.output(`values.${layer}`, values);
      const cache = {
        keys: g.input(`cache.keys.${layer}`, [R, keyHeads, T, d]),
        values: g.input(`cache.values.${layer}`, [R, keyHeads, T, d]),
        mask,
        ownKeys: reshape(g, keys, [R, keyHeads, 1, d]),
        ownValues: reshape(g, values, [R, keyHeads, 1, d]),
      };
      const out = cachedAttention(g, splitQueryHeads(g, q, [R], 1, keyHeads, d), cache, 1 / Math.sqrt(d));
      return joinQueryHeads(g, out, [R], 1);
    });
  }
  const head = w.get(headName(config));
  const raw = g.node("Gemm", [finalNorm(g, w, text, x), head], [R, text.vocabulary], { attributes: { transB: 1 } });
  const logits = g.node("Mul", [raw, g.input(decodeFeeds.inverseTemperature, [])], raw.shape);
  const logprobs = g.node("LogSoftmax", [logits], raw.shape, { attributes: { axis: -1 } });
  if (shape.choose === "logprobs") {
    g.output("logprobs", logprobs);
    return { ...g.build(), gradients: [] };
  }
  const token =
    shape.choose === "greedy"
      ? g.node("ArgMax", [logprobs], [R, 1], { dtype: "int64", attributes: { axis: 1, keepdims: 1 } })
      : drawToken(g, logprobs, g.input(decodeFeeds.uniforms, [R, 1]));
  g.output("token", token);
  g.output("logprob", g.node("GatherElements", [logprobs, token], [R, 1], { attributes: { axis: 1 } }));
  return { ...g.build(), gradients: [] };
}
