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
  /** M: tokens of all completions, and one row of padding. */
  readonly completionRows: number;
}

export const roundUp = (n: number, multiple: number): number => Math.max(1, Math.ceil(n / multiple)) * multiple;

/** Lengths are rounded up so that few shapes, hence few compiled graphs, serve all batches. */
const buckets = { prefix: 8, completion: 16, patches: 16 } as const;

/** Places for the prefixes of some prompts: all tokens but the last, rounded up. */
export const prefixPlaces = (prompts: readonly Prompt[]): number => roundUp(Math.max(...prompts.map((p) => p.tokens.length - 1)), buckets.prefix);

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
  const longest = (rows: readonly number[]): number => Math.max(...rows.map((r) => data[r].completion.length));
  return batches.map((clusters) => ({
    clusters,
    completionRows: 1 + clusters.reduce((sum, { rows }) => sum + rows.reduce((n, r) => n + data[r].completion.length, 0), 0),
    shape: {
      prompts: clusters.length,
      group: clusters[0].rows.length,
      prefix: prefixPlaces(clusters.map((c) => c.prompt)),
      // One place more than the longest needs: padding rows have a place of their own.
      completion: roundUp(1 + Math.max(...clusters.map((c) => longest(c.rows))), buckets.completion),
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
  const { prefix, completion: Tc } = shape;
  const prompts = clusters.map((c) => c.prompt);
  const positions = prompts.map((p) => promptPositions(p, config.imageToken, config.vision.merge));
  const rotation = new TextRotation(config.text);
  const feeds = prefixFeeds(prompts, positions, prefix, rotation, floats);
  if (shape.vision) Object.assign(feeds, visionFeedsOf(config, prompts, positions, prefix, shape.vision, floats));

  const M = batch.completionRows;
  const { heads, keyHeads } = config.text;
  const tokens = new BigInt64Array(M);
  const targets = new BigInt64Array(M);
  const cos = floats(M * rotation.half);
  const sin = floats(M * rotation.half);
  const perToken = { weights: floats(M), advantages: floats(M), old: floats(M), reference: floats(M) };
  const starts: number[] = [];
  let at = 0;
  for (const [p, { prompt, rows }] of clusters.entries()) {
    const { next } = positions[p];
    for (const index of rows) {
      starts.push(at);
      const row = data[index];
      for (let t = 0; t < row.completion.length; t++, at++) {
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
  starts.push(at);
  const queries = headMoves(starts, M, heads, Tc);
  const keys = headMoves(starts, M, keyHeads, Tc);
  Object.assign(feeds, { [trainFeeds.queryRows]: queries.rows, [trainFeeds.queryPlaces]: queries.places, [trainFeeds.keyRows]: keys.rows, [trainFeeds.keyPlaces]: keys.places });
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

/**
 * Rows (row·heads + head) of each place `[completion, head, token]`, and the place of each row. Padding: a place without
 * a token takes the last row, the last row takes a place without a token.
 *
 * @param starts first row of each completion, and one past the last's
 */
function headMoves(starts: readonly number[], M: number, heads: number, Tc: number): { rows: BigInt64Array; places: BigInt64Array } {
  const completions = starts.length - 1;
  const rows = new BigInt64Array(completions * heads * Tc);
  const places = new BigInt64Array(M * heads);
  for (let c = 0; c < completions; c++) {
    const length = starts[c + 1] - starts[c];
    for (let h = 0; h < heads; h++) {
      const first = (c * heads + h) * Tc;
      for (let t = 0; t < length; t++) {
        const row = (starts[c] + t) * heads + h;
        rows[first + t] = BigInt(row);
        places[row] = BigInt(first + t);
      }
      rows.fill(BigInt((M - 1) * heads + h), first + length, first + Tc);
    }
  }
  for (let h = 0; h < heads; h++) places[(M - 1) * heads + h] = BigInt((h + 1) * Tc - 1);
  return { rows, places };
}
