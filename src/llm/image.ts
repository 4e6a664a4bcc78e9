import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import sharp from "sharp";
import { messageOf } from "../util/errors.js";

/** 16,384²: decoding takes 3 bytes a pixel. */
const MAX_PIXELS = 16384 * 16384;

/**
 * An image file as a data URL, upright, no side longer than `maxSide` pixels; PNG where the file is lossless and the
 * result small, else JPEG of quality 90. Metadata (names, dates, places) is not sent. Rejects with the cause.
 */
export async function imageDataUrl(path: string, maxSide: number): Promise<string> {
  const pipeline = sharp(path, { limitInputPixels: MAX_PIXELS, failOn: "error" })
    .autoOrient()
    .resize({ width: maxSide, height: maxSide, fit: "inside", withoutEnlargement: true })
    .flatten({ background: "#000" })
    .toColourspace("srgb");
  const { format } = await sharp(path, { limitInputPixels: MAX_PIXELS }).metadata();
  if (format !== "jpeg") {
    const png = await pipeline.clone().png().toBuffer();
    if (png.length <= MAX_PNG_BYTES) return `data:image/png;base64,${png.toString("base64")}`;
  }
  const jpeg = await pipeline.jpeg({ quality: 90 }).toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString("base64")}`;
}

/** Above it a photograph was saved as PNG, and JPEG sends a tenth. */
const MAX_PNG_BYTES = 1 << 20;

/** SHA-256 of the files' bytes; a file that has not changed since is not read again. */
export class ImageHashes {
  private readonly known = new Map<string, { readonly stamp: string; readonly hash: Promise<string> }>();

  constructor(private readonly limit = 10_000) {}

  async hash(path: string): Promise<string> {
    const { size, mtimeMs } = await stat(path).catch((error: unknown) => {
      throw new Error(`cannot read the image ${path}: ${messageOf(error)}`);
    });
    const stamp = `${size} ${mtimeMs}`;
    const before = this.known.get(path);
    if (before?.stamp === stamp) return before.hash;
    const hash = sha256File(path);
    hash.catch(() => this.known.delete(path));
    this.known.set(path, { stamp, hash });
    const [oldest] = this.known.keys();
    if (this.known.size > this.limit && oldest !== undefined) this.known.delete(oldest);
    return hash;
  }
}

async function sha256File(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
