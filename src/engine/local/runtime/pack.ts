/** Data → micro-batches of one static shape each, and the feeds of a micro-batch. */
import type { Datum, Prompt } from "../../../types.js";
import type { Qwen3VLConfig } from "../model/config.js";
import { trainFeeds, visionFeeds } from "../model/feeds.js";
import { promptPositions, TextRotation, writePatchRotation, writePositionWeights, type PromptPositions } from "../model/geometry.js";
import type { TrainMode, TrainShape } from "../model/train-graph.js";

/** What a row needs, whatever the mode. */
export type Row = Pick<Datum, "prompt" | "completion"> & Partial<Datum>;

export type Feed = Float32Array | Float64Array | BigInt64Array;
export type FloatArray = Float32Array | Float64Array;

export interface MicroBatch {
  readonly shape: TrainShape;
  /** One per prompt; `rows` are indices into the data, at most G of them. */
  readonly clusters: readonly { readonly prompt: Prompt; readonly rows: readonly number[] }[];
}

const roundUp = (n: number, multiple: number): number => Math.max(1, Math.ceil(n / multiple)) * multiple;

/** Lengths are rounded up so that few shapes, hence few compiled graphs, serve all batches. */
const buckets = { prefix: 8, completion: 16, patches: 16 } as const;

/** Shape of the vision part for some prompts, or null when none has an image. */
export function visionShape(prompts: readonly Prompt[]): TrainShape["vision"] {
  const images = prompts.flatMap((p) => p.images);
  if (images.length === 0) return null;
  const largest = Math.max(...images.map((i) => i.grid.t * i.grid.h * i.grid.w));
  return { images: images.length, patchesPerImage: roundUp(largest, buckets.patches) };
}

/**
 * Rows of one prompt (the same object) stay together, in order of first appearance, at most `maxRows` a micro-batch;
 * neighbouring prompts with equally many rows share one. The grouping depends on the data alone.
 */
export function microBatches(data: readonly Row[], maxRows: number): MicroBatch[] {
  const byPrompt = new Map<Prompt, number[]>();
  for (const [i, { prompt }] of data.entries()) byPrompt.set(prompt, [...(byPrompt.get(prompt) ?? []), i]);
  const chunks: { prompt: Prompt; rows: number[] }[] = [];
  for (const [prompt, rows] of byPrompt) {
    for (let at = 0; at < rows.length; at += maxRows) chunks.push({ prompt, rows: rows.slice(at, at + maxRows) });
  }
  const batches: { prompt: Prompt; rows: number[] }[][] = [];
  for (const chunk of chunks) {
    const last = batches.at(-1);
    if (last && last[0].rows.length === chunk.rows.length && (last.length + 1) * chunk.rows.length <= maxRows) last.push(chunk);
    else batches.push([chunk]);
  }
  return batches.map((clusters) => ({
    clusters,
    shape: {
      prompts: clusters.length,
      group: clusters[0].rows.length,
      prefix: roundUp(Math.max(...clusters.map((c) => c.prompt.tokens.length - 1)), buckets.prefix),
      completion: roundUp(Math.max(...clusters.flatMap((c) => c.rows.map((r) => data[r].completion.length))), buckets.completion),
      vision: visionShape(clusters.map((c) => c.prompt)),
    },
  }));
}

/** Allocates feeds of the graph's float type. */
export type Floats = (length: number) => FloatArray;

/** Vision feeds for prompts whose tokens stand in rows of `stride` (the first `stride` tokens of each count). */
export function visionFeedsOf(
  config: Qwen3VLConfig,
  prompts: readonly Prompt[],
  positions: readonly PromptPositions[],
  stride: number,
  shape: NonNullable<TrainShape["vision"]>,
  floats: Floats,
): Record<string, Feed> {
  const { images, patchesPerImage } = shape;
  const { vision } = config;
  const n = images * patchesPerImage;
  const merged = vision.merge ** 2;
  const half = vision.width / vision.heads / 2;
  const patches = floats(n * vision.patchInputs);
  const weights = floats(n * vision.positionGrid ** 2);
  const cos = floats(n * half);
  const sin = floats(n * half);
  const mask = floats(n).fill(-1e9);
  const rows = prompts.length * stride;
  const place = new BigInt64Array(rows).fill(BigInt(n / merged));
  const inverse = new BigInt64Array(n / merged).fill(BigInt(rows));
  const isText = floats(rows).fill(1);
  let image = 0;
  for (const [p, prompt] of prompts.entries()) {
    const featureRows: number[] = [];
    for (const picture of prompt.images) {
      const first = image * patchesPerImage;
      const count = picture.grid.t * picture.grid.h * picture.grid.w;
      patches.set(picture.patches, first * vision.patchInputs);
      writePositionWeights(picture.grid, vision, weights, first);
      writePatchRotation(picture.grid, vision, cos, sin, first);
      mask.fill(0, first, first + count);
      for (let i = 0; i < picture.tokenCount; i++) featureRows.push(first / merged + i);
      image++;
    }
    const { imageRow } = positions[p];
    for (let i = 0; i < Math.min(stride, imageRow.length); i++) {
      if (imageRow[i] < 0) continue;
      const feature = featureRows[imageRow[i]];
      place[p * stride + i] = BigInt(feature);
      inverse[feature] = BigInt(p * stride + i);
      isText[p * stride + i] = 0;
    }
  }
  return {
    [visionFeeds.patches]: patches,
    [visionFeeds.positions]: weights,
    [visionFeeds.cos]: cos,
    [visionFeeds.sin]: sin,
    [visionFeeds.mask]: mask,
    [visionFeeds.place]: place,
    [visionFeeds.inverse]: inverse,
    [visionFeeds.isText]: isText,
  };
}

/** Prefix feeds: all tokens of each prompt but the last, padded on the right. */
export function prefixFeeds(
  prompts: readonly Prompt[],
  positions: readonly PromptPositions[],
  prefix: number,
  rotation: TextRotation,
  floats: Floats,
): Record<string, Feed> {
  const P = prompts.length;
  const tokens = new BigInt64Array(P * prefix);
  const cos = floats(P * prefix * rotation.half);
  const sin = floats(P * prefix * rotation.half);
  const mask = floats(P * prefix).fill(-1e9);
  for (const [p, prompt] of prompts.entries()) {
    const at = positions[p];
    for (let i = 0; i < prompt.tokens.length - 1; i++) {
      const row = p * prefix + i;
      tokens[row] = BigInt(prompt.tokens[i]);
      mask[row] = 0;
      rotation.write([at.time[i], at.height[i], at.width[i]], cos, sin, row);
    }
  }
  return { [trainFeeds.prefixTokens]: tokens, [trainFeeds.prefixCos]: cos, [trainFeeds.prefixSin]: sin, [trainFeeds.prefixMask]: mask };
}

export interface PackOptions {
  readonly mode: TrainMode;
  readonly temperature: number;
  readonly epsLow?: number;
  readonly epsHigh?: number;
  readonly klCoef?: number;
}

/** All feeds of a micro-batch but the parameters. Values at masked places never reach the graph. */
export function trainFeedsOf(config: Qwen3VLConfig, data: readonly Row[], batch: MicroBatch, options: PackOptions, floats: Floats): Record<string, Feed> {
  const { shape, clusters } = batch;
  const { group: G, prefix, completion: Tc } = shape;
  const prompts = clusters.map((c) => c.prompt);
  const positions = prompts.map((p) => promptPositions(p, config.imageToken, config.vision.merge));
  const rotation = new TextRotation(config.text);
  const feeds = prefixFeeds(prompts, positions, prefix, rotation, floats);
  if (shape.vision) Object.assign(feeds, visionFeedsOf(config, prompts, positions, prefix, shape.vision, floats));

  const N = clusters.length * G;
  const tokens = new BigInt64Array(N * Tc);
  const targets = new BigInt64Array(N * Tc);
  const cos = floats(N * Tc * rotation.half);
  const sin = floats(N * Tc * rotation.half);
  const perToken = { weights: floats(N * Tc), advantages: floats(N * Tc), old: floats(N * Tc), reference: floats(N * Tc) };
  for (const [p, cluster] of clusters.entries()) {
    const { prompt } = cluster;
    const { next } = positions[p];
    for (const [k, index] of cluster.rows.entries()) {
      const row = data[index];
      const base = (p * G + k) * Tc;
      for (let t = 0; t < row.completion.length; t++) {
        const at = base + t;
        tokens[at] = BigInt(t === 0 ? prompt.tokens[prompt.tokens.length - 1] : row.completion[t - 1]);
        targets[at] = BigInt(row.completion[t]);
        const position = next - 1 + t;
        rotation.write([position, position, position], cos, sin, at);
        const weight = row.weights?.[t] ?? 0;
        if (weight === 0) continue;
        perToken.weights[at] = weight;
        perToken.advantages[at] = row.advantages?.[t] ?? 0;
        perToken.old[at] = row.logprobs?.[t] ?? 0;
        perToken.reference[at] = row.referenceLogprobs?.[t] ?? 0;
      }
    }
  }
  Object.assign(feeds, { [trainFeeds.tokens]: tokens, [trainFeeds.targets]: targets, [trainFeeds.cos]: cos, [trainFeeds.sin]: sin });
  feeds[trainFeeds.inverseTemperature] = floats(1).fill(1 / options.temperature);
  if (options.mode === "logprobs") return feeds;
  feeds[trainFeeds.weights] = perToken.weights;
  if (options.mode === "cross_entropy") return feeds;
  feeds[trainFeeds.advantages] = perToken.advantages;
  feeds[trainFeeds.oldLogprobs] = perToken.old;
  feeds[trainFeeds.referenceLogprobs] = perToken.reference;
  feeds[trainFeeds.epsLow] = floats(1).fill(options.epsLow ?? 0.2);
  feeds[trainFeeds.epsHigh] = floats(1).fill(options.epsHigh ?? 0.2);
  feeds[trainFeeds.klCoef] = floats(1).fill(options.klCoef ?? 0);
  return feeds;
}
