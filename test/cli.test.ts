import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readAdapter } from "../src/checkpoints/adapter.js";
import { readSafetensors } from "../src/checkpoints/safetensors.js";
import { writePhantomDataset } from "../src/datasets/phantom/index.js";
import { openRun } from "../src/store/reader.js";
import { configKeys, flagOf } from "../src/training/config-keys.js";
import { createSmallModel } from "../src/training/small-model.js";
import { commandFolder } from "./support/cli.js";
import { tinySize } from "./support/tiny-model.js";

const { folder, cli } = commandFolder("cli");
beforeAll(async () => {
  await writePhantomDataset(join(folder, "data"), { train: 8, test: 4, seed: 5 });
  createSmallModel(join(folder, "model"), { size: { ...tinySize, maxPositions: 1024 }, texts: ["What is seen in the left lung?"], vocabulary: 300, minPixels: 256, maxPixels: 1024, seed: 1 });
  writeFileSync(join(folder, "config.yaml"), CONFIG);
}, 400_000);

const CONFIG = `
method: grpo
model: model
data: { path: data }
steps: 3
batch: { prompts: 2 }
sampling: { groupSize: 3, maxTokens: 12 }
loss: { beta: 0.05 }
optimizer: { learningRate: 1e-3 }
evaluation: { every: 3, questions: 4 }
checkpoint: { every: 1, keep: 3 }
engine: { workers: 0, threads: 1 }
`;

const commands = ["steps", "shape", "cascade", "phantom", "init", "train", "eval", "compare", "report"];
const lines = (text: string): unknown[] => text.trim().split("\n").map((line): unknown => JSON.parse(line));

describe("help", () => {
  it("every command has one, and train's lists every key of the configuration", async () => {
    for (const name of commands) {
      const { code, stdout } = await cli([name, "--help"]);
      expect({ name, code }).toEqual({ name, code: 0 });
      expect(stdout).toContain(`Usage: breakwater ${name}`);
      if (name === "train") for (const { path } of configKeys()) expect(stdout).toContain(`${flagOf(path)} `);
    }
  });

  it("names the nearest command", async () => {
    expect(await cli(["trian"])).toMatchObject({ code: 1, stderr: expect.stringContaining("Did you mean train?") as string });
  });
});

describe("filters on pipes", () => {
  it("steps: good lines come out in order, the bad one is named, and the exit code is 1", async () => {
    const text = "<think>This is a CT. 2. The liver is seen.</think><answer>cyst</answer>";
    const input = [{ id: "a", text }, { id: "b" }, { id: "c", text: "no tags" }].map((row) => JSON.stringify(row)).join("\n");
    const { code, stdout, stderr } = await cli(["steps"], input);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^breakwater: standard input, line 2: text: is missing\n$/);
    const [a, c] = lines(stdout) as { id: string; answer: string | null; steps: { text: string; start: number; end: number }[] }[];
    expect([a.id, a.answer, c.id, c.answer]).toEqual(["a", "cyst", "c", null]);
    for (const step of a.steps) expect(text.slice(step.start, step.end)).toBe(step.text);
    expect(a.steps).toHaveLength(2);
  });

  it("shape: a group's advantages, the flip of a valid step, zeros where nothing could be scored", async () => {
    const rollout = (answer: number, process: number | null, valid: (boolean | null)[]) => ({
      rewards: { answer, process, length: 0 },
      tokens: 4,
      steps: valid.map((v, i) => ({ start: 2 * i, end: 2 * i + 2, valid: v })),
    });
    const group = { id: 1, method: "mrpo", rollouts: [rollout(1, 1, [true, true]), rollout(0, 0.5, [false, true]), rollout(0, null, [null, true])] };
    const { code, stdout, stderr } = await cli(["shape"], `${JSON.stringify(group)}\n{"id":2,"method":"ppo"}\n`);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/line 2: .*method/)]);
    const [{ advantages, tokenAdvantages }] = lines(stdout) as [{ advantages: number[]; tokenAdvantages: number[][] }];
    expect(advantages[0]).toBeCloseTo(-advantages[1], 12);
    expect(tokenAdvantages[0]).toEqual(Array(4).fill(advantages[0]));
    expect(tokenAdvantages[1][0]).toBeLessThan(advantages[1]);
    expect(tokenAdvantages[1][2]).toBeCloseTo(-advantages[1], 12);
    expect([advantages[2], ...tokenAdvantages[2]]).toEqual([0, 0, 0, 0, 0]);
  });

  it("cascade: one object after the input ends", async () => {
    const rows = [[true, false, false], [false, true], [true, true], [true, null]].map((valid, id) => JSON.stringify({ id, valid }));
    const { code, stdout } = await cli(["cascade"], rows.join("\n"));
    expect(code).toBe(0);
    expect(lines(stdout)).toHaveLength(1);
    expect(stdout).toMatch(/"early"/);
  });
});

describe("a run from start to report", () => {
  it("trains, resumes to the same bytes, is evaluated, compared and reported", async () => {
    const trained = await cli(["train", "--config", "config.yaml", "--output", "run"]);
    expect(trained).toMatchObject({ code: 0, stderr: "" });
    expect(trained.stdout).toContain("answers: lexical (no BERTScore encoder)");
    expect(trained.stdout).toMatch(/step 3\/3 .*\nevaluation at step 3 .*\nfinished after 3 steps/);
    const run = join(folder, "run");
    expect(openRun(run).status()).toMatchObject({ state: "finished", answerScorer: "lexical (no BERTScore encoder)" });
    const read = (name: string) => readFileSync(join(run, name));
    const before = ["metrics.jsonl", "evaluations.jsonl", "model/model.safetensors"].map(read);

    // As a power failure in step 3 would leave it.
    rmSync(join(run, "model"), { recursive: true });
    rmSync(join(run, "checkpoints", "step-000003"), { recursive: true });
    const resumed = await cli(["train", "--resume", "run"]);
    expect(resumed).toMatchObject({ code: 0, stdout: expect.stringContaining("after step 2 of 3") as string });
    expect(["metrics.jsonl", "evaluations.jsonl", "model/model.safetensors"].map(read).map((bytes, i) => bytes.equals(before[i]))).toEqual([true, true, true]);

    const evaluated = await cli(["eval", "run", "--data", "data", "--json", "run.json"]);
    expect(evaluated).toMatchObject({ code: 0, stdout: expect.stringMatching(/4 chains of 4 questions, sampled greedily/) as string });
    expect((await cli(["eval", "model", "--data", "data", "--max-tokens", "12", "--json", "start.json"])).code).toBe(0);

    const compared = await cli(["compare", "start.json", "run", "--json", "compared.json"]);
    expect(compared).toMatchObject({ code: 0, stdout: expect.stringMatching(/accuracy/i) as string });
    expect(existsSync(join(folder, "compared.json"))).toBe(true);

    expect(await cli(["report", "run", "start.json", "--out", "report.html"])).toMatchObject({ code: 0, stderr: "" });
    const page = readFileSync(join(folder, "report.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>[\s\S]*<\/html>\s*$/);
    expect(page).toContain("data:image/png;base64,");
    // Nothing is fetched: no address in what loads, no style sheet or script from elsewhere.
    expect(page).not.toMatch(/(?:src|href|srcset|action)="(?!data:|#)|url\((?!["']?(?:data:|#))|@import|<link/i);
  });
});

describe("adapters", () => {
  it("are trained, resumed, evaluated and saved in PEFT's layout, and the base stays as it was", async () => {
    const base = readFileSync(join(folder, "model", "model.safetensors"));
    const lora = ["--engine.trainable", "lora", "--engine.lora.rank", "2", "--engine.lora.alpha", "4", "--method", "sft", "--evaluation.every", "0"];
    expect(await cli(["train", "--config", "config.yaml", "--output", "lora", "--steps", "2", ...lora])).toMatchObject({ code: 0 });
    const model = join(folder, "lora", "model");
    const before = readFileSync(join(model, "adapter_model.safetensors"));
    expect(readdirSync(model).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors", "manifest.json"]);
    expect(JSON.parse(readFileSync(join(model, "adapter_config.json"), "utf8"))).toMatchObject({ peft_type: "LORA", r: 2, lora_alpha: 4, bias: "none" });
    const names = [...readSafetensors(join(model, "adapter_model.safetensors")).keys()];
    expect(names.every((name) => /^base_model\.model\.model\.language_model\.layers\.\d\.\w+\.\w+\.lora_[AB]\.weight$/.test(name))).toBe(true);
    const halves = [...readAdapter(model).modules.values()];
    expect(halves).toHaveLength(2 * 7);
    expect(halves.some(({ b }) => b.data.some((value) => value !== 0))).toBe(true);

    rmSync(model, { recursive: true });
    rmSync(join(folder, "lora", "checkpoints", "step-000002"), { recursive: true });
    expect(await cli(["train", "--resume", "lora"])).toMatchObject({ code: 0, stdout: expect.stringContaining("after step 1 of 2") as string });
    expect(readFileSync(join(model, "adapter_model.safetensors")).equals(before)).toBe(true);
    expect(readFileSync(join(folder, "model", "model.safetensors")).equals(base)).toBe(true);
    const evaluated = await cli(["eval", "lora", "--data", "data", "--questions", "2", "--max-tokens", "8"]);
    expect(evaluated).toMatchObject({ code: 0, stdout: expect.stringContaining("lora: 2 chains") as string });
  });
});
