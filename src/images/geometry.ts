import type { PreparedImage } from "../types.js";
import type { RgbImage } from "./load.js";

export type ImageFamily = "qwen-vl" | "internvl";

/** Pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** What becomes of an image of some size; known without its pixels. */
export interface ImagePlan {
  /** Patches along time (InternVL: tiles, the thumbnail with them), height and width. */
  readonly grid: PreparedImage["grid"];
  /** Placeholder tokens of the prompt that the image fills. */
  readonly tokenCount: number;
  /** Size after resizing. Qwen-VL: the whole image; InternVL: the canvas that is cut into tiles. */
  readonly resized: ImageSize;
  /** What to resize the file to before it is sent to a server that knows only the checkpoint's own bounds. */
  readonly sendAs?: ImageSize;
  /** Why such a server would make another number of tokens of it whatever is sent. */
  readonly unsendable?: string;
}

/** How an image stands in a prompt: `before`, `tokenCount` times `placeholder`, `after`. */
export interface ImageTokens {
  /** The token that the chat template writes once for an image, and that the vision tower's output replaces. */
  readonly placeholder: string;
  /** Tokens that the processor, not the template, puts around the placeholders. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/**
 * Image pre-processing of one model folder, shared by all engines: those that compute pixels call `prepare`, those that
 * send the file call `plan`.
 */
export interface ImageGeometry {
  readonly family: ImageFamily;
  readonly tokens: ImageTokens;
  /** @param source names the image in messages. @throws UserError where the family cannot take such a size. */
  plan(size: ImageSize, source?: string): ImagePlan;
  /** @throws UserError as `plan`. */
  prepare(image: RgbImage): PreparedImage;
}

/** Bounds that a user sets in place of the checkpoint's own. */
export interface ImageLimits {
  /** Qwen-VL: bounds of height·width after resizing. */
  readonly minPixels?: number;
  readonly maxPixels?: number;
  /** InternVL: most tiles of an image, the thumbnail apart. */
  readonly maxTiles?: number;
}
