import { statSync } from "node:fs";
import sharp from "sharp";
import { messageOf, UserError } from "../util/errors.js";
import { loadDicom } from "./dicom/load.js";
import { isDicomFile } from "./dicom/read.js";

/** Decoded pixels: rows from the top, 3 bytes (red, green, blue) each. */
export interface RgbImage {
  readonly source: string;
  readonly width: number;
  readonly height: number;
  /** Length height·width·3. */
  readonly data: Uint8Array;
  /** What the file has that was not used, for people: "first of 12 frames". */
  readonly notes: readonly string[];
}

/** 16,384²: decoding takes 3 bytes a pixel, so 0.8 GB at the most. */
const MAX_PIXELS = 16384 * 16384;

/**
 * DICOM, and any format that sharp reads (PNG, JPEG, WebP, TIFF, GIF, …), as 8-bit RGB, upright by its EXIF orientation. As
 * transformers does, alpha is dropped (not blended) and the profile of an RGB image is not applied; unlike PIL, 16-bit
 * values are scaled to 8 bits, not clipped. Of several frames or pages the first is taken, and a note says so.
 * @throws UserError for a file that is missing, empty, truncated, no image, or too large.
 */
export async function loadImage(path: string): Promise<RgbImage> {
  checkFile(path);
  if (isDicomFile(path)) return loadDicom(path);
  try {
    const head = await sharp(path, { limitInputPixels: false }).metadata();
    const { width, height, space = "", pages = 1 } = head;
    if (width * height > MAX_PIXELS) {
      throw new UserError(`${path} has ${width}×${height} pixels, more than the ${MAX_PIXELS} that are decoded. Save a smaller copy of it.`);
    }
    const pipeline = sharp(path, {
      limitInputPixels: MAX_PIXELS,
      failOn: "error",
      // CMYK has no meaning without a profile; sharp brings one for files that have none.
      ignoreIcc: space !== "cmyk",
    });
    const { data, info } = await pipeline
      .autoOrient()
      .removeAlpha()
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const rgb = info.channels === 3 ? new Uint8Array(data.buffer, data.byteOffset, data.length) : spread(data, info.channels, path);
    const notes = pages > 1 ? [`first of ${pages} frames`] : [];
    return { source: path, width: info.width, height: info.height, data: rgb, notes };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path} could not be decoded: ${firstLine(messageOf(error))}. It may be truncated or no image; copy it again or convert it to PNG or JPEG.`);
  }
}

function checkFile(path: string): void {
  let size: number;
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw new UserError(`${path} is a folder, not an image file. Correct the path in the data set.`);
    size = stat.size;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`Cannot read the image ${path}: ${messageOf(error)}. Correct the path in the data set, or put the file there.`);
  }
  if (size === 0) throw new UserError(`${path} is empty (0 bytes). Copy the image again.`);
}

/** One grey channel as three. */
function spread(grey: Uint8Array, channels: number, path: string): Uint8Array {
  if (channels !== 1) throw new UserError(`${path} has ${channels} colour channels after decoding; 1 or 3 are used. Convert it to PNG or JPEG.`);
  const out = new Uint8Array(grey.length * 3);
  for (let i = 0; i < grey.length; i++) out.fill(grey[i], 3 * i, 3 * i + 3);
  return out;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0];
}
