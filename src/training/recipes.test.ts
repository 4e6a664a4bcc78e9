import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Overrides } from "./config.js";
import { loadConfig } from "./config.js";
import { configKeys, flagOf } from "./config-keys.js";

const folder = join(import.meta.dirname, "../../recipes");
const recipes = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

/** The flags of the comment's lines that begin with one, as a shell would split them. */
function overridesIn(text: string): Overrides[] {
  const keys = new Map(configKeys().map(({ path }) => [flagOf(path), path]));
  return [...text.matchAll(/^# {3}(--\S.*?)(?: {4,}.*)?$/gm)].map(([, line]) => {
    const words = line.trim().split(/\s+/);
    const pairs: [string, string][] = [];
    for (let i = 0; i + 1 < words.length; i += 2) {
      const path = keys.get(words[i]);
      if (path === undefined) throw new Error(`${words[i]} is no flag of breakwater train`);
      pairs.push([path, words[i + 1]]);
    }
    return Object.fromEntries(pairs);
  });
}

describe("recipes/", () => {
  it("has the three backbones", () => {
    expect(recipes).toEqual(["internvl3-8b.yaml", "qwen2.5-vl-7b.yaml", "qwen3-vl-8b.yaml"]);
  });

  it.each(recipes)("%s holds the paper's settings and nothing unknown", (name) => {
    const config = loadConfig(join(folder, name), { "data.path": "/data", model: "/model" });
    expect(config).toMatchObject({
      method: "mrpo",
      epochs: 1,
      engine: { kind: "tinker", trainable: "full" },
      sampling: { groupSize: 8, temperature: 1, maxTokens: 512, maxStaleness: 0 },
      rewards: { weights: { answer: 1, process: 1, length: 1 }, kMin: 4, kMax: 10 },
      shaping: { variant: "paper", decay: "exponential", tau: 0.6, flipValid: true, answerGate: true },
      loss: { epsLow: 0.2, epsHigh: 0.2, beta: 0.04, aggregation: "sequence-mean" },
      judge: { kind: "llm", models: ["gpt-5-mini"] },
      optimizer: { learningRate: 1e-6 },
      prompt: { thinkTag: name.startsWith("qwen3") ? "thinking" : "think" },
      images: name.startsWith("internvl") ? {} : { maxPixels: 802816 },
    });
    // 64 completions an update.
    expect(config.batch.prompts * config.sampling.groupSize).toBe(64);
  });

  it.each(recipes)("%s names variants that are valid", (name) => {
    const variants = overridesIn(readFileSync(join(folder, name), "utf8"));
    expect(variants.map((v) => v.method ?? v["engine.trainable"] ?? Object.keys(v)[0])).toEqual(["grpo", "gdpo", "sft", "lora", "judge.url"]);
    for (const variant of variants) expect(() => loadConfig(join(folder, name), { "data.path": "/data", model: "/model", ...variant })).not.toThrow();
  });
});
