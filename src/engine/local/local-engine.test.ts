import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe } from "vitest";
import { describeEngine } from "../../../test/support/engine-contract.js";
import { createTinyModel } from "../../../test/support/tiny-model.js";
import type { Engine } from "../engine.js";
import { createLocalEngine, type LocalEngineOptions } from "./local-engine.js";

const tiny = createTinyModel();
afterAll(() => tiny.remove());

const compiled = new URL("../../../dist/engine/local/index.js", import.meta.url);

/** Worker threads load compiled files, so engines with workers come from dist/. */
async function withWorkers(workers: number): Promise<Engine> {
  const { createLocalEngine: create } = (await import(/* @vite-ignore */ compiled.href)) as { createLocalEngine: (o: LocalEngineOptions) => Promise<Engine> };
  return create({ model: tiny.folder, workers, threads: 1 });
}

const helpers = {
  prompts: tiny.prompts,
  textTokens: 250,
  decode: (tokens: readonly number[]) => tiny.tokenizer.decode(tokens),
  tempDir: tiny.tempDir,
};

describe("local engine", () => {
  const built = existsSync(fileURLToPath(compiled));
  describeEngine("full fine-tuning in this thread", () => createLocalEngine({ model: tiny.folder, workers: 0, threads: 1 }), {
    ...helpers,
    alternatives: [
      { name: "two threads", make: () => createLocalEngine({ model: tiny.folder, workers: 0, threads: 2 }) },
      ...(built ? [1, 2].map((workers) => ({ name: `${workers} workers`, make: () => withWorkers(workers) })) : []),
    ],
  });
  describeEngine("adapters", () => createLocalEngine({ model: tiny.folder, workers: 0, threads: 1, trainable: "lora", lora: { rank: 4, alpha: 8, targets: ["q_proj", "v_proj", "down_proj"] } }), helpers);
});
