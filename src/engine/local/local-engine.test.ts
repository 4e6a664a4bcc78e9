import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { compiledSources } from "../../../test/support/compile.js";
import { describeEngine } from "../../../test/support/engine-contract.js";
import { createTinyModel } from "../../../test/support/tiny-model.js";
import type { Engine } from "../engine.js";
import { createLocalEngine, type LocalEngineOptions } from "./local-engine.js";

const tiny = createTinyModel();
afterAll(() => tiny.remove());

/** Worker threads load compiled files, so engines with workers come from a compiled copy of the sources. */
async function withWorkers(workers: number): Promise<Engine> {
  const index = pathToFileURL(join(compiledSources(), "src/engine/local/index.js")).href;
  const { createLocalEngine: create } = (await import(/* @vite-ignore */ index)) as { createLocalEngine: (o: LocalEngineOptions) => Promise<Engine> };
  return create({ model: tiny.folder, workers, threads: 1 });
}

const helpers = {
  prompts: tiny.prompts,
  textTokens: 250,
  decode: (tokens: readonly number[]) => tiny.tokenizer.decode(tokens),
  tempDir: tiny.tempDir,
};
const here = { model: tiny.folder, workers: 0, threads: 1 } as const;
const lora = { rank: 4, alpha: 8, targets: ["q_proj", "v_proj", "down_proj"] } as const;

describe("local engine", () => {
  describeEngine("full fine-tuning in this thread", () => createLocalEngine(here), {
    ...helpers,
    alternatives: [
      { name: "one worker", make: () => withWorkers(1) },
      { name: "two workers", make: () => withWorkers(2) },
    ],
  });
  describeEngine("adapters", () => createLocalEngine({ ...here, trainable: "lora", lora }), helpers);

  it("refuses log-probabilities at temperature 0", async () => {
    const engine = await createLocalEngine(here);
    const datum = { prompt: tiny.prompts[0], completion: [1], weights: [1], advantages: [1], logprobs: [0], referenceLogprobs: [0] };
    await expect(engine.forward([datum], { temperature: 0 })).rejects.toThrow(/temperature is 0/);
    await expect(engine.forwardBackward([datum], { kind: "policy", epsLow: 0.2, epsHigh: 0.2, klCoef: 0, temperature: 0 })).rejects.toThrow(/temperature is 0/);
    await engine.close();
  });
});
