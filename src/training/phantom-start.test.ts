import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { loadModelFolder } from "../checkpoints/hf-folder.js";
import { createLocalEngine } from "../engine/local/local-engine.js";
import { Processor } from "../prompts/processor.js";
import { makeStartPolicy, preparePhantom, startStages, type Stage } from "./phantom-start.js";
import { phantomExample } from "../datasets/phantom/index.js";

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
