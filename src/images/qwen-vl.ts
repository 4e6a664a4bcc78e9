import type { PreparedImage } from "../types.js";
import { UserError } from "../util/errors.js";
import { isRecord, type JsonObject } from "../util/json-file.js";
import { levelTables, normalisation, type Normalisation, wholeNumber } from "./config-values.js";
import type { ImageGeometry, ImagePlan, ImageSize } from "./geometry.js";
import { loadImage, type RgbImage } from "./load.js";
import { resizeBicubic } from "./resize.js";

/** What preprocessor_config.json of a Qwen-VL model says. */
export interface QwenImageConfig extends Normalisation {
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  /** Frames in a patch; a still image is repeated. */
  readonly temporalPatchSize: number;
  /** merge × merge patches make one token. */
  readonly mergeSize: number;
  /** Bounds of height·width after resizing. */
  readonly minPixels: number;
  readonly maxPixels: number;
}

/** CLIP's, which the family's processor takes by default. */
const CLIP: Normalisation = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] };
/** The model family's own bound on how narrow an image may be. */
const MAX_ASPECT = 200;

/** Missing keys take the defaults of transformers' Qwen2VLImageProcessor. */
export function parseImageConfig(json: JsonObject, source: string): QwenImageConfig {
  const size = isRecord(json.size) ? json.size : {};
  const whole = (key: string, value: unknown, otherwise: number): number => wholeNumber(source, key, value, otherwise);
  const config = {
    patchSize: whole("patch_size", json.patch_size, 14),
    temporalPatchSize: whole("temporal_patch_size", json.temporal_patch_size, 2),
    mergeSize: whole("merge_size", json.merge_size, 2),
    minPixels: whole("min_pixels", json.min_pixels ?? size.shortest_edge, 56 * 56),
    maxPixels: whole("max_pixels", json.max_pixels ?? size.longest_edge, 28 * 28 * 1280),
    ...normalisation(json, source, CLIP),
  };
  return checkBounds(config, source);
}

/** @throws UserError where no image fits between the bounds. */
export function checkBounds(config: QwenImageConfig, source: string): QwenImageConfig {
  const least = Math.max(config.minPixels, (config.patchSize * config.mergeSize) ** 2);
  if (config.maxPixels < least) {
    throw new UserError(`${source}: at most ${config.maxPixels} pixels is less than the least (${least}). Raise max_pixels (size.longest_edge).`);
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
  size: ImageSize,
  factor: number,
  minPixels: number,
  maxPixels: number,
  source = "the image",
): ImageSize {
  const { width, height } = size;
  if (Math.max(width, height) > MAX_ASPECT * Math.min(width, height)) {
    throw new UserError(`${source} is ${width}×${height} pixels; one side may be at most ${MAX_ASPECT} times the other. Crop it.`);
  }
  const fit = (by: (side: number) => number): ImageSize => ({ width: by(width), height: by(height) });
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

export function qwenGeometry(config: QwenImageConfig): ImageGeometry {
  return {
    family: "qwen-vl",
    tokens: { placeholder: "<|image_pad|>", before: [], after: [] },
    plan: (size, source) => planQwen(size, config, source),
    prepare: (image) => prepareRgb(image, config),
  };
}

/** Image file → patches and grid. @throws UserError as `loadImage` and `smartResize` say. */
export async function prepareImage(path: string, config: QwenImageConfig): Promise<PreparedImage> {
  return prepareRgb(await loadImage(path), config);
}

/** Resizes, normalises and lays out patches as transformers' Qwen2VLImageProcessor does (see `PreparedImage`). */
export function prepareRgb(image: RgbImage, config: QwenImageConfig): PreparedImage {
  const { grid, tokenCount, resized } = planQwen(image, config, image.source);
  const pixels = resizeBicubic(image.data, image.width, image.height, resized.width, resized.height);
  return { source: image.source, grid, patches: patchify(pixels, grid, config), tokenCount, notes: image.notes };
}

function planQwen(size: ImageSize, { patchSize: p, mergeSize: m, minPixels, maxPixels }: QwenImageConfig, source?: string): ImagePlan {
  const resized = smartResize(size, p * m, minPixels, maxPixels, source);
  const grid = { t: 1, h: resized.height / p, w: resized.width / p };
  return { grid, tokenCount: (grid.h * grid.w) / (m * m), resized };
}

/** `[h·w, 3·temporal·p·p]`; rows go by merge block, within it row by row; columns by channel, frame, row, column. */
function patchify(pixels: Uint8Array, grid: { h: number; w: number }, config: QwenImageConfig): Float32Array {
  const { patchSize: p, temporalPatchSize: frames, mergeSize: m } = config;
  const scaled = levelTables(config);
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
