/**
 * The graph of a micro-batch: P prompts, each with G completions. A prompt's prefix (all but its last token) is run
 * once and its keys and values are broadcast over the G completions, whose first input is the prompt's last token:
 * the same numbers as running every row whole, with a fraction of the work. Completions stand one after another without
 * padding; only attention pads them. Used for log-probabilities and for training.
 */
import { Graph, type FloatType, type Tensor } from "../graph/graph.js";
import { attention, joinQueryHeads, repeatGroup, splitQueryHeads, splitHeads, tokenLogprobs, type Rotation } from "../graph/layers.js";
import { concat, gatherRows, moveRows, reshape, splitRows } from "../graph/ops.js";
import type { OnnxValue } from "../graph/onnx.js";
import type { Qwen3VLConfig } from "./config.js";
import { decoderLayer, finalNorm, type KeysValues } from "./decoder.js";
import { embed, type VisionShape } from "./embedding.js";
import { embeddingName, headName } from "./parameters.js";
import { trainFeeds, trainOutputs } from "./feeds.js";
import { policyLoss } from "./loss-graph.js";
import { Weights, type LoraSpec } from "./weights.js";

export interface TrainShape {
  /** P */
  readonly prompts: number;
  /** G: completions per prompt */
  readonly group: number;
  /** Tokens of a prefix, padding included. */
  readonly prefix: number;
  /** Tokens of a completion in attention, padding included: more than the longest has. */
  readonly completion: number;
  readonly vision: VisionShape | null;
}

/** `surrogate` is the policy loss without its KL term. */
export type TrainMode = "logprobs" | "cross_entropy" | "policy" | "surrogate";

export interface BuiltGraph {
  readonly bytes: Uint8Array;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodeCount: number;
  /** Parameters whose gradient `grad:<name>` is an output. */
  readonly gradients: readonly string[];
}

const masked = -1e9;

/** Additive causal mask `[repeats·T, T]`: the query rows of each head that shares a key head, one after another. */
export function causalMask(g: Graph, t: number, repeats: number, shape: readonly number[]): Tensor {
  const values = new Float32Array(repeats * t * t);
  for (let r = 0; r < repeats * t; r++) for (let k = (r % t) + 1; k < t; k++) values[r * t + k] = masked;
  return g.floats(values, shape);
}

/** M: rows of all completions together, known to the run. */
export const completionRowsSize = "completion_rows";

export function buildTrainGraph(
  config: Qwen3VLConfig,
  shapes: ReadonlyMap<string, readonly number[]>,
  shape: TrainShape,
  mode: TrainMode,
  trainable: ReadonlySet<string>,
  lora: LoraSpec | null = null,
  floatType: FloatType = "float32",
): BuiltGraph {
  const g = new Graph(floatType);
  const wanted: ReadonlySet<string> = mode === "logprobs" ? new Set() : trainable;
  const w = new Weights(g, shapes, wanted, lora);
  const { prompts: P, group: G, prefix: Tp, completion: Tc } = shape;
  const M = g.size(completionRowsSize);
  const { text } = config;
  const perKey = text.heads / text.keyHeads;
  const scale = 1 / Math.sqrt(text.headDim);

  const prefix = embed(g, w, config, g.input(trainFeeds.prefixTokens, [P * Tp], "int64"), shape.vision);
  const completionTokens = g.input(trainFeeds.tokens, [M], "int64");
  const completionRows = gatherRows(g, w.get(embeddingName), completionTokens);

  const half = text.headDim / 2;
  const prefixAngles = { cos: g.input(trainFeeds.prefixCos, [P * Tp, half]), sin: g.input(trainFeeds.prefixSin, [P * Tp, half]) };
  const ownRotation: Rotation = { cos: g.input(trainFeeds.cos, [M, half]), sin: g.input(trainFeeds.sin, [M, half]) };
  const rotation: Rotation = {
    cos: concat(g, [prefixAngles.cos, ownRotation.cos], 0),
    sin: concat(g, [prefixAngles.sin, ownRotation.sin], 0),
  };
  const prefixPadding = g.input(trainFeeds.prefixMask, [P, 1, 1, Tp]);
  const prefixMask = g.node("Add", [causalMask(g, Tp, perKey, [1, 1, perKey * Tp, Tp]), prefixPadding], [P, 1, perKey * Tp, Tp]);
  // Completions see their prompt's prefix, then themselves: one mask `[P, 1, 1, perKey·Tc, Tp + Tc]`.
  const crossPadding = g.node("Expand", [reshape(g, prefixPadding, [P, 1, 1, 1, Tp]), g.ints([P, 1, 1, perKey * Tc, Tp])], [P, 1, 1, perKey * Tc, Tp]);
  const causal = causalMask(g, Tc, perKey, [1, 1, 1, perKey * Tc, Tc]);
  const ownCausal = g.node("Expand", [causal, g.ints([P, 1, 1, perKey * Tc, Tc])], [P, 1, 1, perKey * Tc, Tc]);
  const ownMask = concat(g, [crossPadding, ownCausal], 4);

  const halves = (x: Tensor): [Tensor, Tensor] => splitRows(g, x, P * Tp);
  /** Index and inverse between the rows of some heads and their places. */
  const moves = (rows: string, places: string, heads: number): [Tensor, Tensor] => [
    g.input(rows, [P * G * heads * Tc], "int64"),
    reshape(g, g.input(places, [M, heads], "int64"), [M * heads]),
  ];
  const [queryRows, queryPlaces] = moves(trainFeeds.queryRows, trainFeeds.queryPlaces, text.heads);
  const [keyRows, keyPlaces] = moves(trainFeeds.keyRows, trainFeeds.keyPlaces, text.keyHeads);
  const attendOwn = (q: Tensor, kv: { prefix: KeysValues; own: KeysValues }): Tensor => {
    const { headDim: d } = text;
    const toPlaces = (x: Tensor, heads: number, index: Tensor, inverse: Tensor): Tensor => moveRows(g, reshape(g, x, [M * heads, d]), index, inverse);
    const queries = reshape(g, toPlaces(q, text.heads, queryRows, queryPlaces), [P, G, text.keyHeads, perKey * Tc, d]);
    // The prefix's keys and values are repeated for the group: far smaller than the scores that would be joined instead.
    const whole = (prefix: Tensor, own: Tensor): Tensor => {
      const ownHeads = reshape(g, toPlaces(own, text.keyHeads, keyRows, keyPlaces), [P, G, text.keyHeads, Tc, d]);
      return concat(g, [repeatGroup(g, splitHeads(g, prefix, [P, 1], Tp, d), G), ownHeads], 3);
    };
    const out = attention(g, queries, whole(kv.prefix.keys, kv.own.keys), whole(kv.prefix.values, kv.own.values), ownMask, scale);
    const back = moveRows(g, reshape(g, out, [P * G * text.heads * Tc, d]), queryPlaces, queryRows);
    return reshape(g, back, [M, text.heads * d]);
  };
  const attendPrefix = (q: Tensor, kv: KeysValues): Tensor => {
    const queries = splitQueryHeads(g, q, [P], Tp, text.keyHeads, text.headDim);
    const out = attention(g, queries, splitHeads(g, kv.keys, [P], Tp, text.headDim), splitHeads(g, kv.values, [P], Tp, text.headDim), prefixMask, scale);
    return joinQueryHeads(g, out, [P], Tp);
  };

  let x = concat(g, [prefix.x, completionRows], 0);
  for (let layer = 0; layer < text.layers; layer++) {
    const last = layer === text.layers - 1;
    const attend = (q: Tensor, { keys, values }: KeysValues): Tensor => {
      const [kPrefix, kOwn] = halves(keys);
      const [vPrefix, vOwn] = halves(values);
      const kv = { prefix: { keys: kPrefix, values: vPrefix }, own: { keys: kOwn, values: vOwn } };
      if (last) return attendOwn(q, kv);
      const [qPrefix, qOwn] = halves(q);
      return concat(g, [attendPrefix(qPrefix, kv.prefix), attendOwn(qOwn, kv)], 0);
    };
    x = decoderLayer(g, w, text, layer, x, rotation, attend, last ? { rows: (t) => halves(t)[1], rotation: ownRotation } : null);
    if (!last && shape.vision !== null && layer < config.vision.deepstack.length) {
      const [p, own] = halves(x);
      x = concat(g, [prefix.inject(layer, p), own], 0);
    }
  }
  const hidden = finalNorm(g, w, text, x);
  const targets = g.input(trainFeeds.targets, [M], "int64");
  const head = tokenLogprobs(g, hidden, w.get(headName(config)), targets, g.input(trainFeeds.inverseTemperature, []));
  g.output(trainOutputs.logprobs, head.logprobs);
  if (mode === "logprobs") return { ...g.build(), gradients: [] };
  g.output(trainOutputs.entropy, head.entropy);

  const loss = policyLoss(g, head.logprobs, mode);
  g.output(trainOutputs.loss, loss.loss);
  g.output(trainOutputs.kl, loss.kl);
  g.output(trainOutputs.clipped, loss.clipped);

  const parameters = w.used;
  const tableTrains = trainable.has(embeddingName);
  const rowTensors = tableTrains ? [prefix.tokenRows, completionRows] : [];
  const grads = g.backward([{ of: head.logprobs, grad: loss.logprobGrad }], [...parameters.map((p) => p.tensor), ...rowTensors]);
  const gradients: string[] = [];
  for (const [i, { name }] of parameters.entries()) {
    const grad = grads[i];
    if (!grad) continue;
    gradients.push(name);
    g.output(`grad:${name}`, grad);
  }
  if (tableTrains) {
    const [prefixGrad, completionGrad] = grads.slice(parameters.length);
    if (prefixGrad) g.output(trainOutputs.prefixRows, prefixGrad);
    if (completionGrad) g.output(trainOutputs.completionRows, completionGrad);
  }
  if (trainable.has(headName(config))) g.output(trainOutputs.targetRows, head.targetRows(loss.logprobGrad));
  return { ...g.build(), gradients };
}
