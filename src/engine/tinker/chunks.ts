/** Prompts and completions as the model input of the Tinker API: runs of tokens, and images in their place. */
import { encodeForServer, type EncodedImage } from "../../images/encode.js";
import type { PreparedImage, Prompt } from "../../types.js";
import { UserError } from "../../util/errors.js";
import type { WireChunk } from "./wire.js";

/** Reads images as PNG or JPEG; each file once while it is in use. */
export class ImageFiles {
  private readonly known = new Map<string, Promise<EncodedImage>>();

  constructor(private readonly keep = 256) {}

  get({ source, sendAs }: Pick<PreparedImage, "source" | "sendAs">): Promise<EncodedImage> {
    const key = sendAs === undefined ? source : `${source} ${sendAs.width}×${sendAs.height}`;
    let image = this.known.get(key);
    if (image === undefined) {
      image = encodeForServer({ source, sendAs });
      // A file that cannot be read now may be there later.
      image.catch(() => this.known.delete(key));
      const oldest = this.known.keys().next().value;
      if (this.known.size >= this.keep && oldest !== undefined) this.known.delete(oldest);
      this.known.set(key, image);
    }
    return image;
  }
}

/**
 * The model input of `tokens`, which begin with the prompt's. Image i of the prompt takes its `tokenCount` placeholders
 * (the model's image token, in image order); their place is an image chunk, which says that count.
 */
export async function modelInput(prompt: Prompt, tokens: readonly number[], imageToken: number | null, images: ImageFiles): Promise<WireChunk[]> {
  if (prompt.images.length === 0) return tokens.length > 0 ? [{ kind: "text", tokens }] : [];
  const chunks: WireChunk[] = [];
  let at = 0;
  const text = (end: number): void => {
    if (end > at) chunks.push({ kind: "text", tokens: tokens.slice(at, end) });
    at = end;
  };
  for (const image of prompt.images) {
    const start = imageToken === null ? -1 : tokens.indexOf(imageToken, at);
    const run = tokens.slice(start, start + image.tokenCount);
    if (start < 0 || run.length < image.tokenCount || run.some((t) => t !== imageToken)) {
      throw new UserError(`${image.source}: the prompt has no ${image.tokenCount} placeholders (token ${imageToken ?? "unknown"}) for it: prompt and model do not belong together`);
    }
    text(start);
    chunks.push({ kind: "image", ...(await images.get(image)), expectedTokens: image.tokenCount });
    at = start + image.tokenCount;
  }
  text(tokens.length);
  return chunks;
}
