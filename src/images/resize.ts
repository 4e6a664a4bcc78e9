/**
 * Antialiased bicubic resizing of 8-bit RGB, each pass bit for bit as Pillow's `Image.resize(…, BICUBIC)`: across, then
 * down, weights in 22-bit fixed point, the result of each pass rounded to 8 bits. transformers' torchvision processor is
 * within 2 of 255 levels of it. (Pillow 13 goes down first where that is cheaper; torchvision and older ones do not.)
 * Other kernels (sharp's) give other pixels, and a model sees what it was not trained on.
 */

const BITS = 22;

interface Kernel {
  /** First source index of each output. */
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `[outputs, width]` fixed-point weights, rows padded. */
  readonly weights: Int32Array;
  readonly width: number;
}

export function resizeBicubic(
  data: Uint8Array,
  width: number,
  height: number,
  toWidth: number,
  toHeight: number,
): Uint8Array {
  const across = width === toWidth ? data : resizeRows(data, width, height, toWidth);
  return height === toHeight ? across : resizeColumns(across, toWidth, height, toHeight);
}

/** Cubic convolution with a = −0.5 (Keys 1981). */
function cubic(x: number): number {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a;
  return 0;
}

function kernel(from: number, to: number): Kernel {
  const scale = from / to;
  // When shrinking the filter is stretched: that is the antialiasing.
  const stretch = Math.max(scale, 1);
  const support = 2 * stretch;
  const width = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const weights = new Int32Array(to * width);
  const row = new Float64Array(width);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const low = Math.max(Math.trunc(center - support + 0.5), 0);
    const n = Math.min(Math.trunc(center + support + 0.5), from) - low;
    let sum = 0;
    for (let k = 0; k < n; k++) {
      row[k] = cubic((k + low - center + 0.5) * (1 / stretch));
      sum += row[k];
    }
    for (let k = 0; k < n; k++) {
      const weight = (sum === 0 ? row[k] : row[k] / sum) * (1 << BITS);
      weights[i * width + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    first[i] = low;
    count[i] = n;
  }
  return { first, count, weights, width };
}

function clip(sum: number): number {
  const value = sum >> BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function resizeRows(data: Uint8Array, width: number, height: number, toWidth: number): Uint8Array {
  const { first, count, weights, width: row } = kernel(width, toWidth);
  const out = new Uint8Array(toWidth * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < toWidth; x++) {
      let at = (y * width + first[x]) * 3;
      let r = 1 << (BITS - 1);
      let g = r;
      let b = r;
      for (let k = x * row, end = k + count[x]; k < end; k++, at += 3) {
        const w = weights[k];
        r += data[at] * w;
        g += data[at + 1] * w;
        b += data[at + 2] * w;
      }
      const to = (y * toWidth + x) * 3;
      out[to] = clip(r);
      out[to + 1] = clip(g);
      out[to + 2] = clip(b);
    }
  }
  return out;
}

function resizeColumns(data: Uint8Array, width: number, height: number, toHeight: number): Uint8Array {
  const { first, count, weights, width: row } = kernel(height, toHeight);
  const stride = width * 3;
  const out = new Uint8Array(stride * toHeight);
  const sums = new Float64Array(stride);
  for (let y = 0; y < toHeight; y++) {
    sums.fill(1 << (BITS - 1));
    for (let k = 0; k < count[y]; k++) {
      const w = weights[y * row + k];
      const base = (first[y] + k) * stride;
      for (let i = 0; i < stride; i++) sums[i] += data[base + i] * w;
    }
    for (let i = 0; i < stride; i++) out[y * stride + i] = clip(sums[i]);
  }
  return out;
}
