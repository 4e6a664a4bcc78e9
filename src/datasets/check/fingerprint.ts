import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import sharp from "sharp";
import { messageOf } from "../../util/errors.js";

/** Reads an image file as 8-bit RGB; the command passes the image stage's. @throws anything where it cannot. */
export type ImageLoader = (path: string) => Promise<{ readonly width: number; readonly height: number; readonly data: Uint8Array }>;

export interface Fingerprint {
  /** SHA-256 of the file's bytes. */
  readonly bytes: string;
  readonly width: number;
  readonly height: number;
  /** 256 bits: which of the 16×16 lowest frequencies lie above their median; they survive re-encoding and resizing. */
  readonly hash: Uint32Array;
  /** 32×32 grey values. */
  readonly thumbnail: Uint8Array;
  /** All pixels alike. */
  readonly blank: boolean;
}

/** Sides of the picture that is transformed, and of the block of frequencies that is kept. */
const side = 64;
const kept = 16;

/**
 * Two pictures are called near duplicates when at most this many of the 256 bits differ … Measured on VQA-RAD's 315
 * images: the same picture as JPEG of quality 50 at half the size differs in 2 bits at the median and 7 at most, two
 * different pictures (49,455 pairs) in 68 at least. Plain drawings differ more than photographs.
 */
export const NEAR_BITS = 31;
/** … and their thumbnails by at most this much of 255 at the mean; re-encoded as above, 1.8 at most. */
export const NEAR_GREY = 2.5;

export async function fingerprint(path: string, load: ImageLoader): Promise<Fingerprint | { readonly error: string }> {
  try {
    const { width, height, data } = await load(path);
    const bytes = createHash("sha256").update(readFileSync(path)).digest("hex");
    const raw = () => sharp(data, { raw: { width, height, channels: 3 } }).greyscale();
    const large = await raw().resize(side, side, { fit: "fill" }).raw().toBuffer();
    const thumbnail = await raw().resize(32, 32, { fit: "fill" }).raw().toBuffer();
    const first = data[0];
    return { bytes, width, height, hash: frequencyHash(large), thumbnail: new Uint8Array(thumbnail), blank: data.every((v) => v === first) };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

/** What re-encoding adds to a frequency: 3 grey levels of noise a pixel, times √(64²/4). Weaker ones say nothing. */
const FLOOR = 96;

/** cos((2x+1)uπ/2N), `[kept, side]`. */
const cosines = Float64Array.from({ length: kept * side }, (_, i) => Math.cos(((2 * (i % side) + 1) * Math.floor(i / side) * Math.PI) / (2 * side)));

/** @param grey `[side, side]` */
export function frequencyHash(grey: Uint8Array): Uint32Array {
  const across = new Float64Array(side * kept);
  for (let y = 0; y < side; y++) {
    for (let u = 0; u < kept; u++) {
      let sum = 0;
      for (let x = 0; x < side; x++) sum += grey[y * side + x] * cosines[u * side + x];
      across[y * kept + u] = sum;
    }
  }
  const values = new Float64Array(kept * kept);
  for (let v = 0; v < kept; v++) {
    for (let u = 0; u < kept; u++) {
      let sum = 0;
      for (let y = 0; y < side; y++) sum += across[y * kept + u] * cosines[v * side + y];
      values[v * kept + u] = sum;
    }
  }
  // Brightness alone says nothing.
  values[0] = 0;
  const median = [...values].sort((a, b) => a - b)[(kept * kept) >> 1];
  const threshold = Math.max(median, FLOOR);
  const hash = new Uint32Array((kept * kept) / 32);
  values.forEach((value, i) => {
    if (value > threshold) hash[i >> 5] |= 1 << (i & 31);
  });
  return hash;
}

export function differingBits(a: Uint32Array, b: Uint32Array): number {
  let count = 0;
  for (let i = 0; i < a.length; i++) {
    let x = a[i] ^ b[i];
    x -= (x >>> 1) & 0x55555555;
    x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
    count += (((x + (x >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
  }
  return count;
}

export function greyDifference(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i] - b[i]);
  return sum / a.length;
}

/**
 * Pairs `[i, j]`, i < j, of near duplicates that are not the same bytes. A pair within 31 bits has one of 32 bands of 8
 * bits in common, so only images that share a band are compared: no pair is missed.
 */
export function nearDuplicates(prints: readonly Fingerprint[]): [number, number][] {
  const pairs = new Set<number>();
  for (let band = 0; band < 32; band++) {
    const buckets = new Map<number, number[]>();
    prints.forEach(({ hash }, i) => {
      const key = (hash[band >> 2] >>> (8 * (band & 3))) & 0xff;
      const bucket = buckets.get(key);
      if (bucket) bucket.push(i);
      else buckets.set(key, [i]);
    });
    for (const bucket of buckets.values()) {
      for (let a = 0; a < bucket.length; a++) {
        for (let b = a + 1; b < bucket.length; b++) {
          const [i, j] = [bucket[a], bucket[b]];
          if (isNear(prints[i], prints[j])) pairs.add(i * prints.length + j);
        }
      }
    }
  }
  return [...pairs].sort((a, b) => a - b).map((key) => [Math.floor(key / prints.length), key % prints.length]);
}

export function isNear(a: Fingerprint, b: Fingerprint): boolean {
  return a.bytes !== b.bytes && differingBits(a.hash, b.hash) <= NEAR_BITS && greyDifference(a.thumbnail, b.thumbnail) <= NEAR_GREY;
}
