import type { Example } from "../types.js";
import { messageOf, UserError } from "../util/errors.js";
import type { Codec } from "./parts.js";

/** Images opened together; a very large one takes up to 0.8 GB. */
const AT_ONCE = 4;
/** Unusable images named in the message. */
const NAMED = 5;

/**
 * Opens every image of `examples` once, so that one which cannot be used is known before anything is spent on the
 * others. Returns what of them is not used ("first of 12 frames"), a line each.
 * @throws UserError naming `source`, the examples and their files, and the way out.
 */
export async function checkImages(codec: Pick<Codec, "prompt">, examples: readonly Example[], source: string): Promise<string[]> {
  const byImage = new Map<string, Example>();
  for (const example of examples) if (example.image !== null && !byImage.has(example.image)) byImage.set(example.image, example);
  const shown = [...byImage.values()];
  const problems: string[] = [];
  const notes: string[] = [];
  const check = async (example: Example): Promise<void> => {
    try {
      const { images } = await codec.prompt(example);
      for (const image of images) for (const note of image.notes ?? []) notes.push(`${image.source}: ${note} is used`);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(`example "${example.id}": ${messageOf(error)}`);
    }
  };
  for (let at = 0; at < shown.length; at += AT_ONCE) await Promise.all(shown.slice(at, at + AT_ONCE).map(check));
  if (problems.length === 0) return notes;
  const more = problems.length > NAMED ? `\n  and ${problems.length - NAMED} more` : "";
  throw new UserError(
    `${source}: ${problems.length} of ${shown.length} images cannot be used; mend them, or remove their rows:\n` +
      `${problems.slice(0, NAMED).map((line) => `  ${line}`).join("\n")}${more}`,
  );
}
