/** What every Engine must do, as tests; run it from a test file of each engine. */
import { describe } from "vitest";
import type { Contract, EngineHelpers, MakeEngine } from "./engine-contract-common.js";
import { samplingContract } from "./engine-contract-sampling.js";
import { stateContract } from "./engine-contract-state.js";
import { trainingContract } from "./engine-contract-training.js";

export type { EngineHelpers, MakeEngine } from "./engine-contract-common.js";

/** Each test that trains opens an engine of its own with `make`, always from the same start weights. */
export function describeEngine(name: string, make: MakeEngine, helpers: EngineHelpers): void {
  const contract: Contract = { make, helpers };
  describe(`${name}: engine contract`, () => {
    describe("sampling and log-probabilities", () => samplingContract(contract));
    describe("training", () => trainingContract(contract));
    describe("saving, loading and errors", () => stateContract(contract));
  });
}
