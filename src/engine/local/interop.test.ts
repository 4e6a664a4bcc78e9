/** Folders that the engine saves, opened by Hugging Face transformers. Skipped where Python has no transformers. */
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { createTinyModel } from "../../../test/support/tiny-model.js";
import type { Datum } from "../../types.js";
import type { Engine } from "../engine.js";
import { createLocalEngine } from "./local-engine.js";

const python = process.env.BREAKWATER_PYTHON ?? "python3";
const found = spawnSync(python, ["-c", "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ('torch', 'transformers', 'safetensors'))))"]).status === 0;
const script = fileURLToPath(new URL("../../../interop/check_checkpoint.py", import.meta.url));

const tiny = createTinyModel();
afterAll(() => tiny.remove());

const data: Datum[] = tiny.prompts.map((prompt, p) => {
  const completion = Array.from({ length: 5 + p }, (_, t) => (31 * p + 7 * t) % 250);
  return { prompt, completion, weights: completion.map(() => 0.05) };
});

async function trainAndSave(engine: Engine): Promise<{ dir: string; file: string }> {
  for (let i = 0; i < 2; i++) {
    await engine.forwardBackward(data, { kind: "cross_entropy" });
    await engine.optimStep({ learningRate: 1e-2, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 });
  }
  const dir = tiny.tempDir();
  await engine.save(dir, "weights");
  const logprobs = await engine.forward(data);
  const rows = data.map(({ prompt, completion }, i) => ({
    prompt: prompt.tokens,
    completion,
    logprobs: logprobs[i],
    images: prompt.images.map(({ grid, patches }) => ({ grid: [grid.t, grid.h, grid.w], patches: Array.from(patches) })),
  }));
  const file = join(tiny.tempDir(), "data.json");
  writeFileSync(file, JSON.stringify(rows));
  await engine.close();
  return { dir, file };
}

const check = (args: readonly string[]): unknown => JSON.parse(execFileSync(python, [script, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }));

// Importing torch and transformers on a busy machine takes minutes.
const timeout = 600_000;

describe.skipIf(!found)(`transformers opens what was saved (${found ? python : `${python} has no transformers: set BREAKWATER_PYTHON`})`, () => {
  it("whole weights: every tensor is there and the log-probabilities are the same", { timeout }, async () => {
    const { dir, file } = await trainAndSave(await createLocalEngine({ model: tiny.folder, workers: 0, threads: 1 }));
    expect(check([dir, file])).toMatchObject({ sequences: data.length, missing: [], unexpected: [] });
  });

  it("adapters: in PEFT's layout on the base", { timeout }, async () => {
    const lora = { rank: 4, alpha: 8, targets: ["q_proj", "up_proj", "down_proj"] };
    const { dir, file } = await trainAndSave(await createLocalEngine({ model: tiny.folder, workers: 0, threads: 1, trainable: "lora", lora }));
    expect(check([tiny.folder, file, "--adapter", dir])).toMatchObject({ sequences: data.length, missing: [], unexpected: [] });
  });
});
