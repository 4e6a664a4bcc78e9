import { UserError } from "../util/errors.js";
import type { JsonObject } from "../util/json-file.js";

/** Way out of every message about a model's image settings. */
export const KEEP = "Use the preprocessor_config.json that came with the model.";

/** A whole number above 0, or `otherwise` where `value` is absent. @throws UserError naming `source` and `key`. */
export function wholeNumber(source: string, key: string, value: unknown, otherwise: number): number {
  const n = value ?? otherwise;
  if (typeof n !== "number" || !Number.isInteger(n) || n < 1) {
    throw new UserError(`${source}: "${key}" is ${JSON.stringify(n)}; it must be a whole number above 0. ${KEEP}`);
  }
  return n;
}

export interface Normalisation {
  /** By channel, of values in [0, 1]. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** image_mean and image_std; `otherwise` where they are absent. @throws UserError, also for a step that is turned off. */
export function normalisation(json: JsonObject, source: string, otherwise: Normalisation): Normalisation {
  for (const key of ["do_resize", "do_rescale", "do_normalize"]) {
    if (json[key] === false) throw new UserError(`${source}: "${key}": false is not supported. ${KEEP}`);
  }
  const triple = (key: string, fallback: readonly number[]): readonly number[] => {
    const list = json[key] ?? fallback;
    if (!Array.isArray(list) || list.length !== 3 || !list.every((n) => typeof n === "number" && Number.isFinite(n))) {
      throw new UserError(`${source}: "${key}" is ${JSON.stringify(list)}; it must be three numbers. ${KEEP}`);
    }
    return list as number[];
  };
  const std = triple("image_std", otherwise.std);
  if (std.some((n) => n <= 0)) throw new UserError(`${source}: "image_std" must be above 0. ${KEEP}`);
  return { mean: triple("image_mean", otherwise.mean), std };
}

/** By channel, the normalised value of each of the 256 levels. */
export function levelTables({ mean, std }: Normalisation): readonly Float32Array[] {
  return mean.map((mu, c) => Float32Array.from({ length: 256 }, (_, level) => (level / 255 - mu) / std[c]));
}
