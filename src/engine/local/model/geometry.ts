/** Where patches and tokens stand: interpolated positions and rotary angles, computed outside the graphs. */
import type { Prompt } from "../../../types.js";
import { UserError } from "../../../util/errors.js";
import type { TextConfig, VisionConfig } from "./config.js";

type Grid = { readonly t: number; readonly h: number; readonly w: number };

/** Row and column of each patch of one frame in merge-block order (blocks of merge×merge, row by row). */
function patchCoordinates(grid: Grid, merge: number): { rows: number[]; columns: number[] } {
  const rows: number[] = [];
  const columns: number[] = [];
  for (let by = 0; by < grid.h; by += merge)
    for (let bx = 0; bx < grid.w; bx += merge)
      for (let y = 0; y < merge; y++)
        for (let x = 0; x < merge; x++) {
          rows.push(by + y);
          columns.push(bx + x);
        }
  return { rows, columns };
}

/** Place of coordinate i of n on a learned grid of `side` points: the two neighbours and the share of the second. */
function between(i: number, n: number, side: number): { low: number; high: number; share: number } {
  const at = n === 1 ? 0 : (i * (side - 1)) / (n - 1);
  const low = Math.floor(at);
  return { low, high: Math.min(low + 1, side - 1), share: at - low };
}

/** Adds one image's bilinear weights `[t·h·w, side²]` into `out` from `row` on. */
export function writePositionWeights(grid: Grid, config: VisionConfig, out: Float32Array | Float64Array, row: number): void {
  const side = config.positionGrid;
  const { rows, columns } = patchCoordinates(grid, config.merge);
  for (let t = 0, at = row; t < grid.t; t++) {
    for (let p = 0; p < rows.length; p++, at++) {
      const y = between(rows[p], grid.h, side);
      const x = between(columns[p], grid.w, side);
      const base = at * side * side;
      out[base + y.low * side + x.low] += (1 - y.share) * (1 - x.share);
      out[base + y.low * side + x.high] += (1 - y.share) * x.share;
      out[base + y.high * side + x.low] += y.share * (1 - x.share);
      out[base + y.high * side + x.high] += y.share * x.share;
    }
  }
}

/** Writes one image's 2D rotary cosines and sines `[t·h·w, headDim/2]`: row angles, then column angles. */
export function writePatchRotation(
  grid: Grid,
  config: VisionConfig,
  cos: Float32Array | Float64Array,
  sin: Float32Array | Float64Array,
  row: number,
): void {
  const half = config.width / config.heads / 2;
  const frequencies = Array.from({ length: half / 2 }, (_, i) => 10000 ** (-(2 * i) / half));
  const { rows, columns } = patchCoordinates(grid, config.merge);
  for (let t = 0, at = row; t < grid.t; t++) {
    for (let p = 0; p < rows.length; p++, at++) {
      for (const [i, f] of frequencies.entries()) {
        cos[at * half + i] = Math.cos(rows[p] * f);
        sin[at * half + i] = Math.sin(rows[p] * f);
        cos[at * half + half / 2 + i] = Math.cos(columns[p] * f);
        sin[at * half + half / 2 + i] = Math.sin(columns[p] * f);
      }
    }
  }
}

/** Multimodal positions of a prompt: `[T]` each for time, height and width, and where what follows goes on. */
export interface PromptPositions {
  readonly time: Int32Array;
  readonly height: Int32Array;
  readonly width: Int32Array;
  /** Position of the first token after the prompt. */
  readonly next: number;
  /** Row of the image features for each token, −1 for text. Rows count over all of the prompt's images in order. */
  readonly imageRow: Int32Array;
}

/**
 * Text advances all three positions together; an image stands at one time, its merged patches at their row and column;
 * text after it goes on from the largest position so far.
 */
export function promptPositions(prompt: Prompt, imageToken: number, merge: number): PromptPositions {
  const T = prompt.tokens.length;
  const out = { time: new Int32Array(T), height: new Int32Array(T), width: new Int32Array(T), imageRow: new Int32Array(T).fill(-1) };
  let next = 0;
  let image = 0;
  let row = 0;
  for (let i = 0; i < T; ) {
    if (prompt.tokens[i] !== imageToken) {
      out.time[i] = out.height[i] = out.width[i] = next++;
      i++;
      continue;
    }
    const picture = prompt.images[image++];
    if (!picture) throw new UserError(`the prompt has more image placeholders than its ${prompt.images.length} images`);
    const h = picture.grid.h / merge;
    const w = picture.grid.w / merge;
    for (let p = 0; p < picture.tokenCount; p++, i++) {
      if (prompt.tokens[i] !== imageToken) {
        throw new UserError(`the prompt has ${p} placeholders for ${picture.source}, which takes ${picture.tokenCount} tokens`);
      }
      const t = Math.floor(p / (h * w));
      out.time[i] = next + t;
      out.height[i] = next + (Math.floor(p / w) % h);
      out.width[i] = next + (p % w);
      out.imageRow[i] = row++;
    }
    next += Math.max(picture.grid.t, h, w);
  }
  if (image < prompt.images.length) throw new UserError(`the prompt has ${image} image placeholders for ${prompt.images.length} images`);
  return { ...out, next };
}

/** Which of the three positions each of the headDim/2 frequencies follows (interleaved T H W T H W … T T). */
export function frequencyAxes(config: TextConfig): Uint8Array {
  const axes = new Uint8Array(config.headDim / 2);
  for (const axis of [1, 2]) {
    for (let i = axis; i < config.ropeSections[axis] * 3; i += 3) axes[i] = axis;
  }
  return axes;
}

/** Rotary table of a decoder: writes cos and sin `[headDim/2]` for one position triple. */
export class TextRotation {
  private readonly axes: Uint8Array;
  private readonly frequencies: Float64Array;
  readonly half: number;

  constructor(config: TextConfig) {
    this.half = config.headDim / 2;
    this.axes = frequencyAxes(config);
    this.frequencies = Float64Array.from({ length: this.half }, (_, i) => config.ropeTheta ** (-i / this.half));
  }

  write(position: readonly [number, number, number], cos: Float32Array | Float64Array, sin: Float32Array | Float64Array, row: number): void {
    for (let i = 0; i < this.half; i++) {
      const angle = position[this.axes[i]] * this.frequencies[i];
      cos[row * this.half + i] = Math.cos(angle);
      sin[row * this.half + i] = Math.sin(angle);
    }
  }
}
