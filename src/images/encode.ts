import { readFile } from "node:fs/promises";
import sharp from "sharp";
import type { PreparedImage } from "../types.js";
import { messageOf, UserError } from "../util/errors.js";
import { loadImage } from "./load.js";
import { resizeBicubic } from "./resize.js";

/** An image as servers of the Tinker and the OpenAI API take it. */
export interface EncodedImage {
  readonly data: Uint8Array;
  readonly format: "png" | "jpeg";
}

/**
 * The image's file for a server that does its own pre-processing. PNG and JPEG that need nothing go as they are; what
 * such a server would see differently (turned by EXIF, 16 bits, CMYK, other formats, several frames, a size of one's own
 * in `sendAs`) is decoded as the local engine does and goes as PNG.
 * @throws UserError for a file that cannot be read.
 */
export async function encodeForServer({ source, sendAs }: Pick<PreparedImage, "source" | "sendAs">): Promise<EncodedImage> {
  const format = sendAs === undefined ? await plainFormat(source) : null;
  if (format !== null) {
    try {
      return { data: await readFile(source), format };
    } catch (error) {
      throw new UserError(`Cannot read the image ${source}: ${messageOf(error)}. Correct the path in the data set, or put the file there.`);
    }
  }
  const { data, width, height } = await loadImage(source);
  const size = sendAs ?? { width, height };
  const pixels = resizeBicubic(data, width, height, size.width, size.height);
  const png = await sharp(pixels, { raw: { ...size, channels: 3 } }).png({ compressionLevel: 6 }).toBuffer();
  return { data: png, format: "png" };
}

/** The format of a file that any decoder reads to the same pixels, else `null`. */
async function plainFormat(path: string): Promise<"png" | "jpeg" | null> {
  try {
    const { format, orientation = 1, depth, space, pages = 1, hasAlpha } = await sharp(path, { limitInputPixels: false }).metadata();
    const plain = orientation === 1 && depth === "uchar" && (space === "srgb" || space === "b-w") && pages === 1 && !hasAlpha;
    return plain && (format === "png" || format === "jpeg") ? format : null;
  } catch {
    // loadImage reads it, or says what is wrong with it.
    return null;
  }
}
