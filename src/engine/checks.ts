/** What every engine asks of data before it works on them. */
import type { Datum } from "../types.js";
import type { LossSpec } from "./engine.js";

/** @throws RangeError where an array that the loss reads has not the completion's length; it names the datum and the array. */
export function checkLengths(data: readonly Datum[], loss: LossSpec): void {
  const keys =
    loss.kind === "cross_entropy" ? (["weights"] as const) : (["weights", "advantages", "logprobs", ...(loss.klCoef === 0 ? [] : (["referenceLogprobs"] as const))] as const);
  for (const [i, datum] of data.entries()) {
    for (const key of keys) {
      const found = datum[key]?.length;
      if (found === datum.completion.length) continue;
      const why = key === "referenceLogprobs" ? "; a KL term needs them" : "";
      throw new RangeError(`datum ${i}: ${key} has ${found ?? "no"} values for a completion of ${datum.completion.length} tokens${why}`);
    }
  }
}
