import { existsSync } from "node:fs";
import { join } from "node:path";
import type { PreparedImage } from "../types.js";
import { UserError } from "../util/errors.js";
import { isRecord, type JsonObject, readJsonObject } from "../util/json-file.js";
import { loadImage, type RgbImage } from "./load.js";
import { resizeBicubic } from "./resize.js";

/** What preprocessor_config.json of a Qwen-VL model says. */
export interface QwenImageConfig {
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  /** Frames in a patch; a still image is repeated. */
  readonly temporalPatchSize: number;
  /** merge × merge patches make one token. */
  readonly mergeSize: number;
  /** Bounds of height·width after resizing. */
  readonly minPixels: number;
  readonly maxPixels: number;
  /** By channel, of values in [0, 1]. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

const KEEP = "Use the preprocessor_config.json that came with the model.";
/** The model family's own bound on how narrow an image may be. */
const MAX_ASPECT = 200;

/**
 * Reads preprocessor_config.json of a model folder (or the image part of the newer processor_config.json).
 * @throws UserError naming file and key.
 */
export function loadImageConfig(dir: string): QwenImageConfig {
  const path = join(dir, "preprocessor_config.json");
  const joint = join(dir, "processor_config.json");
  if (!existsSync(path) && existsSync(joint)) {
    const image = readJsonObject(joint, KEEP).image_processor;
    if (isRecord(image)) return parseImageConfig(image, `${joint} (image_processor)`);
  }
  return parseImageConfig(readJsonObject(path, `Give a vision-language model's folder. ${KEEP}`), path);
}

/** Missing keys take the defaults of transformers' Qwen2VLImageProcessor. */
export function parseImageConfig(json: JsonObject, source: string): QwenImageConfig {
  const size = isRecord(json.size) ? json.size : {};
  const whole = (key: string, value: unknown, otherwise: number): number => {
    const n = value ?? otherwise;
    if (typeof n !== "number" || !Number.isInteger(n) || n < 1) throw new UserError(`${source}: "${key}" is ${JSON.stringify(n)}; it must be a whole number above 0. ${KEEP}`);
    return n;
  };
  const triple = (key: string, otherwise: readonly number[]): readonly number[] => {
    const list = json[key] ?? otherwise;
    if (!Array.isArray(list) || list.length !== 3 || !list.every((n) => typeof n === "number" && Number.isFinite(n))) {
      throw new UserError(`${source}: "${key}" is ${JSON.stringify(list)}; it must be three numbers. ${KEEP}`);
    }
    return list as number[];
  };
  for (const key of ["do_resize", "do_rescale", "do_normalize"]) {
    if (json[key] === false) throw new UserError(`${source}: "${key}": false is not supported. ${KEEP}`);
  }
  const std = triple("image_std", [0.26862954, 0.26130258, 0.27577711]);
  if (std.some((n) => n <= 0)) throw new UserError(`${source}: "image_std" must be above 0. ${KEEP}`);
  const config = {
    patchSize: whole("patch_size", json.patch_size, 14),
    temporalPatchSize: whole("temporal_patch_size", json.temporal_patch_size, 2),
    mergeSize: whole("merge_size", json.merge_size, 2),
    minPixels: whole("min_pixels", json.min_pixels ?? size.shortest_edge, 56 * 56),
    maxPixels: whole("max_pixels", json.max_pixels ?? size.longest_edge, 28 * 28 * 1280),
    mean: triple("image_mean", [0.48145466, 0.4578275, 0.40821073]),
    std,
  };
  const least = (config.patchSize * config.mergeSize) ** 2;
  if (config.maxPixels < Math.max(config.minPixels, least)) {
    throw new UserError(`${source}: at most ${config.maxPixels} pixels is less than the least (${Math.max(config.minPixels, least)}). Raise max_pixels (size.longest_edge).`);
  }
  return config;
}

/** The contents of preprocessor_config.json for a configuration; `parseImageConfig` reads it back. */
export function imageConfigJson(config: QwenImageConfig): JsonObject {
  return {
    image_processor_type: "Qwen2VLImageProcessorFast",
    processor_class: "Qwen3VLProcessor",
    do_convert_rgb: true,
    do_resize: true,
    do_rescale: true,
    do_normalize: true,
    resample: 3,
    rescale_factor: 1 / 255,
    size: { shortest_edge: config.minPixels, longest_edge: config.maxPixels },
    patch_size: config.patchSize,
    temporal_patch_size: config.temporalPatchSize,
    merge_size: config.mergeSize,
    image_mean: config.mean,
    image_std: config.std,
  };
}

/**
 * Height and width after resizing: multiples of `factor`, their product within the bounds, the aspect ratio as near as
 * that allows (transformers' smart_resize, rounding halves to even as Python does).
 * @throws UserError for an image more than 200 times as long as it is wide.
 */
export function smartResize(
  size: { readonly width: number; readonly height: number },
  factor: number,
  minPixels: number,
  maxPixels: number,
  source = "the image",
): { width: number; height: number } {
  const { width, height } = size;
  if (Math.max(width, height) > MAX_ASPECT * Math.min(width, height)) {
    throw new UserError(`${source} is ${width}×${height} pixels; one side may be at most ${MAX_ASPECT} times the other. Crop it.`);
  }
  const fit = (by: (side: number) => number): { width: number; height: number } => ({ width: by(width), height: by(height) });
  const near = fit((side) => roundHalfEven(side / factor) * factor);
  if (near.width * near.height > maxPixels) {
    const beta = Math.sqrt((height * width) / maxPixels);
    return fit((side) => Math.max(factor, Math.floor(side / beta / factor) * factor));
  }
  if (near.width * near.height < minPixels) {
    const beta = Math.sqrt(minPixels / (height * width));
    return fit((side) => Math.ceil((side * beta) / factor) * factor);
  }
  return near;
}

/** Image file → patches and grid. @throws UserError as `loadImage` and `smartResize` say. */
export async function prepareImage(path: string, config: QwenImageConfig): Promise<PreparedImage> {
  return prepareRgb(await loadImage(path), config);
}

/** Resizes, normalises and lays out patches as transformers' Qwen2VLImageProcessor does (see `PreparedImage`). */
export function prepareRgb(image: RgbImage, config: QwenImageConfig): PreparedImage {
  const { patchSize: p, mergeSize: m } = config;
  const { width, height } = smartResize(image, p * m, config.minPixels, config.maxPixels, image.source);
  const pixels = resizeBicubic(image.data, image.width, image.height, width, height);
  const grid = { t: 1, h: height / p, w: width / p };
  return { source: image.source, grid, patches: patchify(pixels, grid, config), tokenCount: (grid.h * grid.w) / (m * m), notes: image.notes };
}

/** `[h·w, 3·temporal·p·p]`; rows go by merge block, within it row by row; columns by channel, frame, row, column. */
function patchify(pixels: Uint8Array, grid: { h: number; w: number }, config: QwenImageConfig): Float32Array {
  const { patchSize: p, temporalPatchSize: frames, mergeSize: m, mean, std } = config;
  const scaled = mean.map((mu, c) => Float32Array.from({ length: 256 }, (_, v) => (v / 255 - mu) / std[c]));
  const area = p * p;
  const out = new Float32Array(grid.h * grid.w * 3 * frames * area);
  const stride = grid.w * p * 3;
  let at = 0;
  for (let by = 0; by < grid.h; by += m) {
    for (let bx = 0; bx < grid.w; bx += m) {
      for (let cell = 0; cell < m * m; cell++) {
        const top = (by + Math.floor(cell / m)) * p;
        const left = (bx + (cell % m)) * p;
        for (let c = 0; c < 3; c++) {
          const values = scaled[c];
          const start = at;
          for (let y = 0; y < p; y++) {
            let from = (top + y) * stride + left * 3 + c;
            for (let x = 0; x < p; x++, from += 3) out[at++] = values[pixels[from]];
          }
          for (let frame = 1; frame < frames; frame++, at += area) out.copyWithin(at, start, start + area);
        }
      }
    }
  }
  return out;
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
