import type { PreparedImage } from "../types.js";
import { UserError } from "../util/errors.js";
import { isRecord, type JsonObject } from "../util/json-file.js";
import { KEEP, levelTables, normalisation, type Normalisation, wholeNumber } from "./config-values.js";
import type { ImageGeometry, ImagePlan, ImageSize } from "./geometry.js";
import type { RgbImage } from "./load.js";
import { resizeBicubic } from "./resize.js";

/** Image settings of an InternVL model: an image becomes up to `maxTiles` square tiles and a thumbnail of the whole. */
export interface InternVLImageConfig extends Normalisation {
  /** Side of a tile, pixels. */
  readonly tileSize: number;
  /** Side of a patch of the vision tower, pixels. */
  readonly patchSize: number;
  readonly minTiles: number;
  readonly maxTiles: number;
  /** A thumbnail of the whole image follows its tiles, where there is more than one. */
  readonly thumbnail: boolean;
  /** (tileSize / patchSize · 0.5)² with the family's pixel shuffle: 256. */
  readonly tokensPerTile: number;
}

/** ImageNet's, which InternVL uses. */
const IMAGENET: Normalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/**
 * @param json preprocessor_config.json (transformers' GotOcr2ImageProcessor, or the CLIP file of the original release).
 * @param model config.json: `internvl`, or `internvl_chat` of the original release.
 * @param imageSeqLength of processor_config.json, where it is there.
 * @throws UserError naming file and key.
 */
export function parseInternVLConfig(json: JsonObject, model: JsonObject, source: string, imageSeqLength?: unknown): InternVLImageConfig {
  const vision = isRecord(model.vision_config) ? model.vision_config : {};
  const size = isRecord(json.size) ? json.size : {};
  const height = first(size.height ?? model.force_image_size ?? vision.image_size);
  const tileSize = wholeNumber(source, "size.height", height, 448);
  if (size.width !== undefined && size.width !== size.height) {
    throw new UserError(`${source}: tiles of ${JSON.stringify(size.width)}×${JSON.stringify(size.height)} pixels are not square. ${KEEP}`);
  }
  const patchSize = wholeNumber(source, "patch_size", first(vision.patch_size), 14);
  const ratio = typeof model.downsample_ratio === "number" ? model.downsample_ratio : 0.5;
  const perTile = imageSeqLength ?? model.image_seq_length ?? Math.round((Math.floor(tileSize / patchSize) * ratio) ** 2);
  const config = {
    tileSize,
    patchSize,
    minTiles: wholeNumber(source, "min_patches", json.min_patches ?? model.min_dynamic_patch, 1),
    maxTiles: wholeNumber(source, "max_patches", json.max_patches ?? model.max_dynamic_patch, 12),
    thumbnail: model.use_thumbnail !== false,
    tokensPerTile: wholeNumber(source, "image_seq_length", perTile, 256),
    ...normalisation(json, source, IMAGENET),
  };
  if (config.maxTiles < config.minTiles) {
    throw new UserError(`${source}: at most ${config.maxTiles} tiles is less than the least (${config.minTiles}). Raise max_patches (images.maxTiles).`);
  }
  return config;
}

/**
 * Columns and rows of tiles: the arrangement of `minTiles` to `maxTiles` tiles whose aspect ratio is nearest to the
 * image's. Of equally near ones a larger wins where the image has more than half of its pixels (transformers'
 * get_optimal_tiled_canvas). Any aspect ratio is taken: one beyond maxTiles : 1 is squeezed.
 */
export function tileGrid({ width, height }: ImageSize, { tileSize, minTiles, maxTiles }: Pick<InternVLImageConfig, "tileSize" | "minTiles" | "maxTiles">): { columns: number; rows: number } {
  const aspect = width / height;
  let best = { columns: 1, rows: 1 };
  let nearest = Infinity;
  for (const grid of arrangements(minTiles, maxTiles)) {
    const off = Math.abs(aspect - grid.columns / grid.rows);
    if (off < nearest) {
      nearest = off;
      best = grid;
    } else if (off === nearest && width * height > 0.5 * tileSize * tileSize * grid.columns * grid.rows) best = grid;
  }
  return best;
}

export function internVLGeometry(config: InternVLImageConfig): ImageGeometry {
  const plan = (size: ImageSize): ImagePlan => {
    const { columns, rows } = tileGrid(size, config);
    const tiles = columns * rows + (config.thumbnail && columns * rows > 1 ? 1 : 0);
    const side = Math.floor(config.tileSize / config.patchSize);
    return {
      grid: { t: tiles, h: side, w: side },
      tokenCount: tiles * config.tokensPerTile,
      resized: { width: columns * config.tileSize, height: rows * config.tileSize },
    };
  };
  return {
    family: "internvl",
    tokens: { placeholder: "<IMG_CONTEXT>", before: ["<img>"], after: ["</img>"] },
    plan,
    prepare: (image) => prepareTiles(image, plan(image), config),
  };
}

/** Tiles row by row, then the thumbnail: `[tiles, 3, tileSize, tileSize]`. */
function prepareTiles(image: RgbImage, { grid, tokenCount, resized }: ImagePlan, config: InternVLImageConfig): PreparedImage {
  const { tileSize: side } = config;
  const levels = levelTables(config);
  const tile = 3 * side * side;
  const patches = new Float32Array(grid.t * tile);
  const canvas = resizeBicubic(image.data, image.width, image.height, resized.width, resized.height);
  const columns = resized.width / side;
  const blocks = columns * (resized.height / side);
  for (let i = 0; i < blocks; i++) {
    const place = { left: (i % columns) * side, top: Math.floor(i / columns) * side };
    cut(canvas, resized.width, place, side, levels, patches.subarray(i * tile, (i + 1) * tile));
  }
  if (grid.t > blocks) {
    const whole = resizeBicubic(image.data, image.width, image.height, side, side);
    cut(whole, side, { left: 0, top: 0 }, side, levels, patches.subarray(blocks * tile));
  }
  return { source: image.source, grid, patches, layout: "tiles", tokenCount, notes: image.notes };
}

/** A square of interleaved 8-bit RGB as three normalised planes. */
function cut(pixels: Uint8Array, width: number, { left, top }: { left: number; top: number }, side: number, levels: readonly Float32Array[], out: Float32Array): void {
  for (let c = 0; c < 3; c++) {
    const values = levels[c];
    let at = c * side * side;
    for (let y = 0; y < side; y++) {
      let from = ((top + y) * width + left) * 3 + c;
      for (let x = 0; x < side; x++, from += 3) out[at++] = values[pixels[from]];
    }
  }
}

/** All of `min` to `max` tiles, fewest first; of as many, fewer columns first. The order decides between equals. */
function arrangements(min: number, max: number): { columns: number; rows: number }[] {
  const all: { columns: number; rows: number }[] = [];
  for (let columns = 1; columns <= max; columns++) {
    for (let rows = 1; rows * columns <= max; rows++) if (rows * columns >= min) all.push({ columns, rows });
  }
  return all.sort((a, b) => a.columns * a.rows - b.columns * b.rows);
}

/** Newer files write sizes as [height, width]. */
function first(value: unknown): unknown {
  return Array.isArray(value) ? (value as unknown[])[0] : value;
}
