import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinySize } from "../../test/support/tiny-model.js";
import { writePhantomDataset } from "../datasets/phantom/index.js";
import { configOf } from "../training/config.js";
import { createSmallModel } from "../training/small-model.js";
import { readEvaluation, type EvaluationFile } from "./file.js";
import { runEvaluation, type RunEvalOptions } from "./run-eval.js";
import { openTarget } from "./target.js";

let folder: string;
let run: string;
let options: RunEvalOptions;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "breakwater-run-eval-"));
  // A finished run, as its folder holds it; without workers, which a test's process cannot start.
  run = join(folder, "run");
  await writePhantomDataset(join(folder, "data"), { train: 4, test: 4, seed: 5 });
  createSmallModel(join(run, "model"), { size: { ...tinySize, maxPositions: 1024 }, texts: ["What is seen in the left lung?"], vocabulary: 300, minPixels: 256, maxPixels: 1024, seed: 1 });
  writeFileSync(join(run, "config.json"), JSON.stringify(configOf({ method: "grpo", data: { path: join(folder, "data") }, engine: { workers: 0, threads: 1 }, sampling: { maxTokens: 8 } })));
  writeFileSync(join(run, "metrics.jsonl"), "");
  options = { data: join(folder, "data"), split: "test", temperature: 0, questions: 3, samplesPerQuestion: 1, seed: 0, batch: 2 };
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("runEvaluation", () => {
  it("evaluates a run with its own settings, tells the result, and then writes it", async () => {
    const json = join(folder, "result.json");
    let told: EvaluationFile | null = null;
    const progress: number[] = [];
    const { evaluation, files } = await runEvaluation(run, {
      ...options,
      json,
      onProgress: (done) => progress.push(done),
      onResult: (result) => {
        told = result;
        expect(existsSync(json)).toBe(false);
      },
    });
    expect(told).toBe(evaluation);
    expect(files).toEqual([join(run, "evaluations", "data-test-t0-q3.json"), json]);
    expect(progress).toEqual([2, 3]);
    expect(evaluation).toMatchObject({ name: "run", method: "grpo", settings: { maxTokens: 8, judge: "phantom", split: "test" }, summary: { questions: 3, chains: 3 } });
    expect(readEvaluation(json)).toEqual(JSON.parse(JSON.stringify(evaluation)));
  }, 120_000);

  it("has told the result where it cannot be written, and the error names the file", async () => {
    const blocked = join(folder, "a-file");
    writeFileSync(blocked, "");
    let told = 0;
    const json = join(blocked, "result.json");
    await expect(runEvaluation(run, { ...options, json, onResult: () => told++ })).rejects.toThrow(json);
    expect(told).toBe(1);
  }, 120_000);

  it("says what is wrong with the model, the split or the length", async () => {
    await expect(runEvaluation(join(folder, "none"), options)).rejects.toThrow(/none: no such run or model folder/);
    await expect(runEvaluation(run, { ...options, split: "dev" })).rejects.toThrow(/no split "dev"/);
    await expect(runEvaluation(run, { ...options, maxTokens: 5000 })).rejects.toThrow(/exceed the model's 1024 tokens; lower --max-tokens/);
  }, 120_000);
});

describe("openTarget", () => {
  it("tells a run, its model folder and a run without weights apart", () => {
    const empty = join(folder, "empty");
    mkdirSync(empty);
    writeFileSync(join(empty, "config.json"), readFileSync(join(run, "config.json")));
    writeFileSync(join(empty, "metrics.jsonl"), "");
    expect(openTarget("start")).toMatchObject({ name: "start", run: null, state: null });
    expect(openTarget(run)).toMatchObject({ name: "run", run, model: join(run, "model") });
    expect(openTarget(join(run, "model"))).toMatchObject({ name: "run-model", run: null });
    expect(() => openTarget(empty)).toThrow(/nothing to evaluate/);
  });
});
