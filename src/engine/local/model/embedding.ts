/** Token embeddings with image features in their places, shared by every graph that reads a prompt. */
import type { Graph, Tensor } from "../graph/graph.js";
import type { Rotation } from "../graph/layers.js";
import { add, gatherRows, mul, placeRows } from "../graph/ops.js";
import type { Qwen3VLConfig } from "./config.js";
import { visionFeeds } from "./feeds.js";
import { embeddingName } from "./parameters.js";
import { visionTower, type VisionFeatures } from "./vision.js";
import type { Weights } from "./weights.js";

export interface VisionShape {
  readonly images: number;
  readonly patchesPerImage: number;
}

export interface Embedded {
  readonly x: Tensor;
  /** `[rows, D]` as gathered, for the gradient of the table; null without a gradient. */
  readonly tokenRows: Tensor;
  /** Adds deepstack features after a decoder layer. */
  readonly inject: (layer: number, x: Tensor) => Tensor;
}

/** Embeds `[rows]` int64 tokens. With a vision shape, the vision tower runs and its features take their places. */
export function embed(g: Graph, w: Weights, config: Qwen3VLConfig, tokens: Tensor, vision: VisionShape | null): Embedded {
  const rows = tokens.shape[0];
  const tokenRows = gatherRows(g, w.get(embeddingName), tokens);
  if (vision === null) return { x: tokenRows, tokenRows, inject: (_layer, x) => x };
  const { images, patchesPerImage } = vision;
  const n = images * patchesPerImage;
  const half = config.vision.width / config.vision.heads / 2;
  const rotation: Rotation = { cos: g.input(visionFeeds.cos, [n, half]), sin: g.input(visionFeeds.sin, [n, half]) };
  const features: VisionFeatures = visionTower(g, w, config.vision, {
    images,
    patchesPerImage,
    patches: g.input(visionFeeds.patches, [n, config.vision.patchInputs]),
    positions: g.input(visionFeeds.positions, [n, config.vision.positionGrid ** 2]),
    rotation,
    mask: g.input(visionFeeds.mask, [images, 1, 1, patchesPerImage]),
  });
  const featureRows = n / config.vision.merge ** 2;
  const place = g.input(visionFeeds.place, [rows], "int64");
  const inverse = g.input(visionFeeds.inverse, [featureRows], "int64");
  const text = mul(g, tokenRows, g.input(visionFeeds.isText, [rows, 1]));
  const x = add(g, text, placeRows(g, features.pooled, place, inverse));
  const inject = (layer: number, hidden: Tensor): Tensor =>
    layer < features.deepstack.length ? add(g, hidden, placeRows(g, features.deepstack[layer], place, inverse)) : hidden;
  return { x, tokenRows, inject };
}
