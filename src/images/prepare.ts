import sharp from "sharp";
import type { PreparedImage } from "../types.js";
import { UserError } from "../util/errors.js";
import type { ImageGeometry, ImageSize } from "./geometry.js";
import { loadImage } from "./load.js";

/** Image file → pixels as the vision tower takes them. @throws UserError as `loadImage` and the geometry say. */
export async function prepareFile(path: string, geometry: ImageGeometry): Promise<PreparedImage> {
  return geometry.prepare(await loadImage(path));
}

/**
 * Image file → grid and token count, from its header where that is enough: for engines that send the file.
 * `patches` is empty. @throws UserError as `loadImage` and the geometry say, and where no server would follow the bounds.
 */
export async function measureFile(path: string, geometry: ImageGeometry): Promise<PreparedImage> {
  const { grid, tokenCount, sendAs, unsendable } = geometry.plan(await imageSize(path), path);
  if (unsendable !== undefined) throw new UserError(`${path}: ${unsendable}. Leave them out, or set the same in the preprocessor_config.json of the server's model and of the folder here.`);
  return { source: path, grid, tokenCount, patches: new Float32Array(0), ...(sendAs && { sendAs }) };
}

/** Width and height as the image is shown (EXIF orientation applied). @throws UserError as `loadImage`. */
export async function imageSize(path: string): Promise<ImageSize> {
  const size = await headerSize(path);
  if (size !== null) return size;
  const { width, height } = await loadImage(path);
  return { width, height };
}

async function headerSize(path: string): Promise<ImageSize | null> {
  try {
    const { autoOrient } = await sharp(path, { limitInputPixels: false }).metadata();
    return { width: autoOrient.width, height: autoOrient.height };
  } catch {
    // Not sharp's to read: loadImage reads it, or says what is wrong with it.
    return null;
  }
}
