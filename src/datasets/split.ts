import type { Example } from "../types.js";
import { UserError } from "../util/errors.js";
import { seedFrom } from "../util/random.js";
import { imageKey } from "./text-match.js";

/**
 * Parts a data set in two so that no image stands in both: about `share` of the images are held out. Each image falls
 * by its own name and the seed, so adding or removing others does not move it. Order is kept.
 */
export function splitByImage(
  examples: readonly Example[],
  { share, seed }: { readonly share: number; readonly seed: number },
): { train: Example[]; heldOut: Example[] } {
  if (!(share >= 0 && share <= 1)) throw new UserError(`The held-out share is ${share}; give a number from 0 to 1.`);
  const parts = { train: [] as Example[], heldOut: [] as Example[] };
  for (const example of examples) {
    const name = example.image === null ? example.id : imageKey(example.image);
    const held = seedFrom("held out", seed, name) / 2 ** 32 < share;
    (held ? parts.heldOut : parts.train).push(example);
  }
  return parts;
}
