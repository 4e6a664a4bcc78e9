import { existsSync } from "node:fs";
import type { GalleryChain } from "./data.js";
import type { ImageSources } from "./gallery.js";

/** Longest side in the report, pixels; twice the width at which it is shown, for dense screens. */
const LONGEST_SIDE = 440;
/** Smaller images are enlarged to this side, whole pixels sharp. */
const SHORTEST_SIDE = 220;

/** Reads each image once, shrinks it and makes a data URI of it. A file that is gone or broken is left out. */
export async function imageSources(chains: readonly GalleryChain[]): Promise<ImageSources> {
  const { default: sharp } = await import("sharp");
  const sources = new Map<string, string>();
  const paths = new Set(chains.flatMap(({ example }) => (example.image === null ? [] : [example.image])));
  for (const path of paths) {
    if (!existsSync(path)) continue;
    try {
      const { width, height } = await sharp(path).metadata();
      const small = Math.max(width, height) <= SHORTEST_SIDE;
      const side = small ? SHORTEST_SIDE : LONGEST_SIDE;
      const picture = sharp(path)
        .rotate()
        .resize(side, side, { fit: "inside", kernel: small ? "nearest" : "lanczos3", withoutEnlargement: !small });
      // Small drawings compress well without loss; photographs do not.
      const [bytes, type] = small
        ? [await picture.png({ palette: true }).toBuffer(), "image/png"]
        : [await picture.flatten({ background: "#000" }).jpeg({ quality: 80 }).toBuffer(), "image/jpeg"];
      sources.set(path, `data:${type};base64,${bytes.toString("base64")}`);
    } catch {
      // The gallery says that the image is missing; a report is not worth failing for one.
    }
  }
  return sources;
}
