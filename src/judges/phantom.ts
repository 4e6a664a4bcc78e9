import type { ChainVerdict, Example } from "../types.js";
import type { Judge } from "./judge.js";

/** Judges sentences against what is known to be true of the example; unscored where nothing is known of it. */
export type GroundTruthVerifier = (example: Example, sentences: readonly string[]) => ChainVerdict;

/**
 * The judge of the phantom: exact and free. `verify` is `verifyExample` of the phantom data set, handed in by whoever joins
 * the stages. The answer tag is not looked at: the answer reward judges it.
 */
export function phantomJudge(verify: GroundTruthVerifier): Judge {
  return {
    name: "phantom",
    judge: (requests, signal) => {
      if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
      return Promise.resolve(requests.map(({ example, steps }) => verify(example, steps.map((step) => step.text))));
    },
  };
}
