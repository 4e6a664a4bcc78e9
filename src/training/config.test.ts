import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configKeys, flagOf } from "./config-keys.js";
import { configOf, loadConfig } from "./config.js";
import { editDistance } from "./nearest.js";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "breakwater-config-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function file(text: string, name = "train.yaml"): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("loadConfig", () => {
  it("gives the paper's defaults for an empty file", () => {
    const config = loadConfig(file(""));
    expect(config).toMatchObject({
      method: "mrpo",
      sampling: { groupSize: 8, temperature: 1, maxTokens: 512 },
      rewards: { weights: { answer: 1, process: 1, length: 1 }, kMin: 4, kMax: 10 },
      shaping: { variant: "paper", decay: "exponential", tau: 0.6, flipValid: true, answerGate: true },
      loss: { epsLow: 0.2, epsHigh: 0.2, beta: 0.04, aggregation: "sequence-mean" },
      optimizer: { learningRate: 1e-6 },
      epochs: 1,
    });
    expect(config.output).toBe(join(process.cwd(), "runs/mrpo-seed0"));
  });

  it("reads YAML and JSON alike", () => {
    const yaml = loadConfig(file("method: grpo\nsampling:\n  groupSize: 4\noutput: out\n"));
    const json = loadConfig(file('{"method": "grpo", "sampling": {"groupSize": 4}, "output": "out"}', "train.json"));
    expect(json).toEqual(yaml);
  });

  it("resolves paths of the file at the file, those of flags at the current folder", () => {
    const config = loadConfig(file("data: { path: ../images }\nmodel: weights\noutput: /abs/run\n"), { "evaluation.data.path": "held" });
    expect(config.data.path).toBe(join(folder, "../images"));
    expect(config.model).toBe(join(folder, "weights"));
    expect(config.output).toBe("/abs/run");
    expect(config.evaluation.data.path).toBe(join(process.cwd(), "held"));
    expect(loadConfig(file("model: start")).model).toBe("start");
  });

  it("lets flags win over the file, in their types", () => {
    const config = loadConfig(file("sampling: { temperature: 0.5 }\n"), {
      "sampling.temperature": "0.9",
      "shaping.flipValid": "false",
      "sampling.stop": "</answer>,###",
      method: "gdpo",
    });
    expect(config.sampling).toMatchObject({ temperature: 0.9, stop: ["</answer>", "###"] });
    expect([config.shaping.flipValid, config.method]).toEqual([false, "gdpo"]);
  });

  it("names the nearest key for a typo, with file and line", () => {
    const path = file("method: mrpo\nsampling:\n  groupSize: 4\n  temprature: 0.7\n");
    expect(() => loadConfig(path)).toThrow(`${path}:4: unknown key "sampling.temprature"; did you mean "sampling.temperature"?`);
    expect(() => loadConfig(file("optimiser: { learningRate: 1 }"))).toThrow(/train.yaml:1: unknown key "optimiser"; did you mean "optimizer"\?/);
    expect(() => loadConfig(file("\n\ngroupSize: 4"))).toThrow(/train.yaml:3: unknown key "groupSize"; did you mean "sampling.groupSize"\?/);
    expect(() => loadConfig(file("zzzzzzzzzzzzzzzzzz: 4"))).toThrow(/unknown key "zzzzzzzzzzzzzzzzzz" \(breakwater train --help/);
  });

  it("says which value is wrong and where", () => {
    expect(() => loadConfig(file("sampling:\n  groupSize: eight\n"))).toThrow(/train.yaml:2: sampling.groupSize: .*number.* \(is "eight"\)/);
    expect(() => loadConfig(file("sampling:\n  groupSize: 2.5\n"))).toThrow(/train.yaml:2: sampling.groupSize: /);
    expect(() => loadConfig(file("optimizer:\n  learningRate: .nan\n"))).toThrow(/train.yaml:2: optimizer.learningRate: .*NaN/);
    expect(() => loadConfig(file("optimizer:\n  learningRate: .inf\n"))).toThrow(/train.yaml:2: optimizer.learningRate: .*\(is Infinity\)/);
    expect(() => loadConfig(file("method: ppo\n"))).toThrow(/train.yaml:1: method: .*"mrpo".*\(is "ppo"\)/);
    expect(() => loadConfig(file(""), { "sampling.temperature": "warm" })).toThrow(/^--sampling.temperature: .*\(is "warm"\)/);
    expect(() => loadConfig(file(""), { "batch.prompts": "" })).toThrow(/--batch.prompts: /);
    expect(() => loadConfig(file("- a\n- b\n"))).toThrow(/mapping of keys/);
    expect(() => loadConfig(file("a: 1\na: 2\n"))).toThrow(/train.yaml: .*unique/);
    expect(() => loadConfig(file("{broken"))).toThrow(/train.yaml: /);
    expect(() => loadConfig(join(folder, "absent.yaml"))).toThrow(/absent.yaml: cannot read the config/);
  });

  it("reports every mistake at once", () => {
    expect(() => loadConfig(file("metod: grpo\nsteps: -1\n"))).toThrow(/steps[^]*metod|metod[^]*steps/);
  });

  it("refuses what does not go together, with the way out", () => {
    expect(() => configOf({ rewards: { kMin: 9, kMax: 4 } })).toThrow(/rewards.kMin: 9 is above rewards.kMax/);
    expect(() => configOf({ method: "grpo", judge: { kind: "none" } })).toThrow(/--rewards.weights.process 0/);
    expect(() => configOf({ method: "mrpo", judge: { kind: "none" } })).toThrow(/--method grpo/);
    expect(() => configOf({ method: "grpo", judge: { kind: "none" }, rewards: { weights: { process: 0 } } })).not.toThrow();
    expect(() => configOf({ method: "sft", judge: { kind: "none" } })).not.toThrow();
    expect(() => configOf({ sampling: { temperature: 0 } })).toThrow(/sampling.temperature/);
    expect(() => configOf({ judge: { kind: "recorded" } })).toThrow(/judge.path/);
  });

  it("is its own fixed point: a stored configuration reads back the same", () => {
    const config = loadConfig(file("method: grpo\nseed: 4\n"));
    expect(configOf(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });
});

describe("configKeys", () => {
  it("describes every leaf, and every default passes the schema", () => {
    const keys = configKeys();
    expect(keys.length).toBeGreaterThan(50);
    for (const key of keys) expect(key.description, key.path).not.toBe("");
    const byPath = new Map(keys.map((key) => [key.path, key]));
    expect(byPath.get("sampling.groupSize")).toMatchObject({ kind: "number", defaultValue: 8 });
    expect(byPath.get("shaping.flipValid")).toMatchObject({ kind: "boolean", defaultValue: true });
    expect(byPath.get("sampling.stop")).toMatchObject({ kind: "list" });
    expect(byPath.get("method")?.choices).toEqual(["sft", "grpo", "gdpo", "mrpo"]);
    expect(flagOf("sampling.groupSize")).toBe("--sampling.group-size");
  });
});

describe("editDistance", () => {
  it("counts insertions, deletions, substitutions and swaps", () => {
    const cases = [["", "abc", 3], ["abc", "abc", 0], ["kitten", "sitting", 3], ["ab", "ba", 1], ["temprature", "temperature", 1]] as const;
    for (const [a, b, n] of cases) expect(editDistance(a, b)).toBe(n);
  });
});
