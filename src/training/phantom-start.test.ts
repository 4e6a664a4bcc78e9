import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadModelFolder } from "../checkpoints/hf-folder.js";
import { createLocalEngine } from "../engine/local/local-engine.js";
import { Processor } from "../prompts/processor.js";
import { makeStartPolicy, preparePhantom, startStages, type Stage } from "./phantom-start.js";
import { phantomExample, verifyExample } from "../datasets/phantom/index.js";
import { answersEqual } from "../rewards/verify.js";
import { segment } from "../steps/segment.js";

const dir = mkdtempSync(join(tmpdir(), "breakwater-start-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const short: readonly Stage[] = startStages("biased")
  .slice(1, 4)
  .map((stage) => ({ ...stage, steps: 2 }));

describe("the start policy of the phantom", () => {
  it("is made from nothing, the same way twice, and can be sampled from", async () => {
    const losses: number[][] = [[], []];
    for (const i of [0, 1]) {
      await makeStartPolicy(join(dir, String(i)), { profile: "biased", stages: short, workers: 0, onStep: (_stage, _step, loss) => losses[i].push(loss) });
    }
    expect(losses[0]).toHaveLength(6);
    expect(losses[1]).toEqual(losses[0]);
    expect(loadModelFolder(join(dir, "1")).tensors).toEqual(loadModelFolder(join(dir, "0")).tensors);
    expect(readdirSync(dir).sort()).toEqual(["0", "1"]);
    // Half precision: two bytes a parameter.
    const parameters = [...loadModelFolder(join(dir, "0")).tensors.values()].reduce((n, t) => n + t.data.length, 0);
    expect(statSync(join(dir, "0", "model.safetensors")).size).toBeLessThan(parameters * 2 + 20_000);
  });

  it("ships reasoning that fails early: 128 held-out questions at temperature 1", async () => {
    const folder = new URL("../../assets/start/phantom-biased", import.meta.url).pathname;
    const processor = Processor.fromFolder(folder);
    const image = processor.image;
    if (!image) throw new Error("no vision tower");
    const engine = await createLocalEngine({ model: folder, workers: 0 });
    const items = Array.from({ length: 128 }, (_, i) => phantomExample(6, "test", i));
    const requests = items.map(({ example, scene }, i) => ({
      prompt: processor.assemble(example, [preparePhantom(scene, image, "easy")], { instruction: "none" }),
      seeds: [i],
    }));
    const sampled = await engine.sample(requests, { maxTokens: 128, temperature: 1 });
    await engine.close();
    let right = 0, failing = 0, early = 0;
    for (const [i, { example }] of items.entries()) {
      const { answer, steps } = segment(processor.tokenizer.decode(sampled[i][0].tokens));
      const verdict = verifyExample(example, steps.map(({ text }) => text));
      const first = verdict.status === "judged" ? verdict.steps.findIndex(({ valid }) => !valid) : 0;
      if (answersEqual(answer ?? "", example.answer)) right++;
      if (first >= 0) failing++;
      if (first >= 0 && first / steps.length < 1 / 3) early++;
    }
    // 25 to 60% right and at least 55% of failures early, with two standard errors of 128 questions.
    expect(right / 128).toBeGreaterThan(0.25);
    expect(right / 128).toBeLessThan(0.6);
    expect(early / failing).toBeGreaterThan(0.55 - 0.09);
    expect(1 - early / 128).toBeGreaterThan(0.3);
    expect(1 - early / 128).toBeLessThan(0.5 + 0.09);
  });

  it("ships as two profiles that write chains in the task's form", async () => {
    for (const name of ["phantom-biased", "phantom-confident"]) {
      const folder = new URL(`../../assets/start/${name}`, import.meta.url).pathname;
      expect(existsSync(folder)).toBe(true);
      const processor = Processor.fromFolder(folder);
      const engine = await createLocalEngine({ model: folder, workers: 0, threads: 1 });
      const { example, scene } = phantomExample(5, "test", 0);
      if (!processor.image) throw new Error("no vision tower");
      const prompt = processor.assemble(example, [preparePhantom(scene, processor.image, "easy")], { instruction: "none" });
      const [[sampled]] = await engine.sample([{ prompt, seeds: [1] }], { maxTokens: 128, temperature: 0 });
      expect(processor.tokenizer.decode(sampled.tokens)).toMatch(/^<think>(?:[A-Z][^.]+\.\s?){4,8}<\/think><answer>[\w -]+<\/answer>/);
      await engine.close();
    }
  });
});
