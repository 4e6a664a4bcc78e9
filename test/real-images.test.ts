import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { loadDataset } from "../src/datasets/dataset.js";
import { openRun } from "../src/store/reader.js";
import { configOf } from "../src/training/config.js";
import { createParts } from "../src/training/create-parts.js";
import { silentDisplay } from "../src/training/display.js";
import { train } from "../src/training/run.js";
import { createSmallModel } from "../src/training/small-model.js";
import { tinySize } from "./support/tiny-model.js";

const data = process.env.BREAKWATER_VQA_RAD ?? fileURLToPath(new URL("../../shared/data/vqa-rad", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "breakwater-real-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("VQA-RAD: supervised, then answer and length rewards alone, on real radiographs", { timeout: 400_000 }, async ({ skip }) => {
  if (!existsSync(join(data, "train.json"))) skip(`no VQA-RAD in ${data}: name its folder with BREAKWATER_VQA_RAD`);
  expect(loadDataset(data, { split: "test", openEndedOnly: true }).report).toMatchObject({ format: "vqa-rad", rows: 451, kept: 200 });
  const model = join(folder, "model");
  createSmallModel(model, { size: tinySize, texts: ["What is seen in the lungs?"], vocabulary: 300, minPixels: 256, maxPixels: 1024, seed: 1 });
  const common = {
    steps: 1,
    data: { path: data, openEndedOnly: true },
    evaluation: { every: 1, questions: 2, data: { openEndedOnly: true } },
    batch: { prompts: 2 },
    sampling: { groupSize: 2, maxTokens: 8 },
    engine: { workers: 0, threads: 1 },
    rewards: { encoder: "none" },
  } as const;
  const options = { makeParts: createParts, display: silentDisplay };
  const sft = await train(configOf({ ...common, method: "sft", model, output: join(folder, "sft") }), options);
  const grpo = await train(
    configOf({
      ...common,
      method: "grpo",
      model: join(sft.dir, "model"),
      output: join(folder, "grpo"),
      judge: { kind: "none" },
      // Not auto: a test downloads nothing.
      rewards: { encoder: "none", weights: { process: 0 } },
    }),
    options,
  );
  const reader = openRun(grpo.dir);
  expect(reader.evaluations().map(({ step, questions, stepValidity }) => [step, questions, stepValidity])).toEqual([[0, 2, null], [1, 2, null]]);
  expect(reader.metrics()[0]).toMatchObject({ rollouts: 4, unscored: 0, rewardProcess: null });
  reader.close();
});
