/** Graphs of sampling: prefill (a prompt's prefix → keys and values) and decode (one token for each of R rows). */
import { Graph, type Tensor } from "../graph/graph.js";
import { attention, groupAttention, joinQueryHeads, splitQueryHeads, splitHeads, vocabularyLogprobs, type Rotation } from "../graph/layers.js";
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
      const keys = splitHeads(g, kv.keys, [P], Tp, text.headDim);
      const out = attention(g, queries, keys, splitHeads(g, kv.values, [P], Tp, text.headDim), mask, 1 / Math.sqrt(text.headDim));
      return joinQueryHeads(g, out, [P], Tp);
    });
    x = embedded.inject(layer, x);
  }
  return { ...g.build(), gradients: [] };
}

export interface DecodeShape {
  /** G: slots of a lane, which share a prompt. */
  readonly group: number;
  /** `draw`: sample in the graph; `greedy`: the most probable; `logprobs`: give all, the caller chooses. */
  readonly choose: "draw" | "greedy" | "logprobs";
}

/** Sizes that change from step to step, so that one graph serves them all. */
export interface DecodeSizes {
  /** R: completions under way. */
  readonly rows: number;
  /** P: prompts under way. */
  readonly lanes: number;
  /** Tp: places for a prompt's prefix. */
  readonly prefix: number;
  /** To: places for a completion's own tokens. */
  readonly own: number;
  /** Tp + To + 1 */
  readonly places: number;
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
 * One decoding step of R rows. Caches are the caller's and are only read; the step's own keys and values come out as
 * `keys.<layer>` and `values.<layer>` `[R, keyHeads·headDim]` for the caller to store.
 *
 * @param values weights to keep in the graph, packed once; null: they are fed at every run
 */
export function buildDecodeGraph({ config, shapes, lora }: GraphContext, shape: DecodeShape, values: ((name: string) => Float32Array | Float64Array) | null): BuiltGraph {
  const g = new Graph();
  const w = new Weights(g, shapes, new Set(), lora, values);
  const { text } = config;
  const { group: G } = shape;
  const { headDim: d, keyHeads, heads } = text;
  const size = (name: keyof DecodeSizes): number => g.size(name);
  const [R, P, Tp, To] = [size("rows"), size("lanes"), size("prefix"), size("own")];
  const rotation: Rotation = { cos: g.input(decodeFeeds.cos, [R, d / 2]), sin: g.input(decodeFeeds.sin, [R, d / 2]) };
  const mask = g.input(decodeFeeds.mask, [P, 1, G, 1, 1, size("places")]);
  const parts = g.input(decodeFeeds.parts, [3], "int64");
  const slotRows = g.input(decodeFeeds.slotRows, [P, keyHeads, G], "int64");
  const rowSlots = g.input(decodeFeeds.rowSlots, [R, keyHeads], "int64");
  /** `[R, keyHeads·q·d]` → `[P, keyHeads, G, q, 1, d]` */
  const toSlots = (x: Tensor, q: number): Tensor => gatherRows(g, reshape(g, x, [R * keyHeads, q, 1, d]), slotRows);
  const scale = g.scalar(1 / Math.sqrt(d));
  let x = gatherRows(g, w.get(embeddingName), g.input(decodeFeeds.tokens, [R], "int64"));
  for (let layer = 0; layer < text.layers; layer++) {
    x = decoderLayer(g, w, text, layer, x, rotation, (q, { keys, values: v }) => {
      g.output(`keys.${layer}`, keys);
      g.output(`values.${layer}`, v);
      const out = groupAttention(g, toSlots(g.node("Mul", [q, scale], q.shape), heads / keyHeads), {
        prefixKeys: g.input(`prefix.keys.${layer}`, [P, keyHeads, Tp, d]),
        prefixValues: g.input(`prefix.values.${layer}`, [P, keyHeads, Tp, d]),
        keys: g.input(`own.keys.${layer}`, [P, keyHeads, G, 1, To, d]),
        values: g.input(`own.values.${layer}`, [P, keyHeads, G, 1, To, d]),
        newKeys: toSlots(keys, 1),
        newValues: toSlots(v, 1),
        mask,
        parts,
      });
      return reshape(g, gatherRows(g, reshape(g, out, [P * keyHeads * G, (heads / keyHeads) * d]), rowSlots), [R, heads * d]);
    });
  }
  const hidden = finalNorm(g, w, text, x);
  const { logprobs } = vocabularyLogprobs(g, hidden, w.get(headName(config)), g.input(decodeFeeds.inverseTemperature, []));
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
