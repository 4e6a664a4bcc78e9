import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { tabularConfig, tabularParts } from "../../test/support/tabular-task.js";
import { openRun } from "../store/reader.js";
import { silentDisplay } from "./display.js";
import { resume, train } from "./run.js";
import type { TrainConfigInput } from "./schema.js";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "breakwater-loop-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(changes: TrainConfigInput, name = "run", partsOptions = {}) {
  const config = tabularConfig(join(folder, name), changes);
  return train(config, { makeParts: (c) => Promise.resolve(tabularParts(c, partsOptions)), display: silentDisplay });
}

/** Groups of one, which a configuration may not ask for: the arithmetic is defined all the same. */
function runOfOnes(steps: number, beta: number) {
  const config = tabularConfig(join(folder, "ones"), { steps, sampling: { maxTokens: 12 }, loss: { beta } });
  const ones = { ...config, sampling: { ...config.sampling, groupSize: 1 } };
  return train(ones, { makeParts: (c) => Promise.resolve(tabularParts(c)), display: silentDisplay });
}

describe("training loop", () => {
  for (const method of ["grpo", "gdpo", "mrpo"] as const) {
    it(`${method} raises accuracy, step validity and reward on held-out questions`, async () => {
      const { dir, state } = await run({ method, steps: 30, evaluation: { every: 30, questions: 20 } });
      expect(state).toBe("finished");
      const reader = openRun(dir);
      const [before, after] = reader.evaluations();
      expect(before.step).toBe(0);
      expect(after.step).toBe(30);
      expect(after.accuracy).toBeGreaterThan((before.accuracy ?? 1) + 0.2);
      expect(after.stepValidity).toBeGreaterThan((before.stepValidity ?? 1) + 0.1);
      const metrics = reader.metrics();
      expect(metrics).toHaveLength(30);
      expect(metrics[29].rewardMean).toBeGreaterThan(metrics[0].rewardMean ?? Infinity);
      reader.close();
    });
  }

  it("sft lowers the cross entropy of gold chains", async () => {
    const { dir } = await run({ method: "sft", steps: 20 });
    const metrics = openRun(dir).metrics();
    expect(metrics[19].loss).toBeLessThan(metrics[0].loss / 3);
    expect(metrics[0]).toMatchObject({ kl: null, clipFraction: null, rewardMean: null, rollouts: 4 });
  });

  it("stores every rollout with its verdicts, rewards and token advantages", async () => {
    const { dir } = await run({ steps: 2 });
    const reader = openRun(dir);
    expect(reader.rolloutSteps()).toEqual([1, 2]);
    const rollouts = reader.rollouts({ step: 2 });
    expect(rollouts).toHaveLength(24);
    for (const r of rollouts) {
      const T = r.tokens.length;
      expect(T).toBeGreaterThan(0);
      expect([r.offsets.length, r.logprobs.length, r.tokenAdvantages.length]).toEqual([T, T, T]);
      expect(r.offsets.at(-1)?.end).toBe(r.text.length);
      expect(r.verdict.status === "judged" && r.verdict.steps.length).toBe(r.steps.length);
      for (const step of r.steps) expect(r.text.slice(step.start, step.end)).toBe(step.text);
    }
    expect(reader.examples(["case-0", "case-1"]).length + reader.examples().length).toBeGreaterThan(4);
    const mean = rollouts.reduce((sum, r) => sum + (r.rewards.answer.status === "scored" ? r.rewards.answer.value : NaN), 0) / 24;
    expect(reader.metrics()[1].rewardAnswer).toBeCloseTo(mean, 12);
    reader.close();
  });

  it("runs with the answer and length rewards alone, without a judge", async () => {
    const { dir } = await run({
      method: "grpo",
      steps: 20,
      judge: { kind: "none" },
      rewards: { weights: { process: 0 }, kMin: 4, kMax: 6 },
      evaluation: { every: 20, questions: 20 },
    });
    const reader = openRun(dir);
    const [before, after] = reader.evaluations();
    expect(after.accuracy).toBeGreaterThan(before.accuracy ?? 1);
    expect(reader.metrics()[0]).toMatchObject({ rewardProcess: null, stepValidity: null, earlyShare: null, unscored: 0 });
    reader.close();
  });

  it("a group of one gives zero advantages and, without a KL term, no update", async () => {
    const { dir } = await runOfOnes(2, 0);
    const reader = openRun(dir);
    for (const row of reader.metrics()) expect(row).toMatchObject({ zeroGroups: 4, gradNorm: null, loss: 0 });
    for (const rollout of reader.rollouts()) expect(rollout.tokenAdvantages.every((a) => a === 0)).toBe(true);
    reader.close();
  });

  it("a KL term acts on groups without a difference too", async () => {
    const { dir } = await runOfOnes(1, 1);
    expect(openRun(dir).metrics()[0]).toMatchObject({ zeroGroups: 4, kl: 0, gradNorm: 0 });
  });

  it("micro-batches change nothing but rounding", async () => {
    const one = await run({ steps: 5, batch: { prompts: 4, microBatch: 0 } }, "one");
    const many = await run({ steps: 5, batch: { prompts: 4, microBatch: 1 } }, "many");
    const [a, b] = [one, many].map(({ dir }) => openRun(dir).metrics());
    a.forEach((row, i) => {
      expect(b[i].loss).toBeCloseTo(row.loss, 10);
      expect(b[i].kl).toBeCloseTo(row.kl ?? NaN, 10);
      expect(b[i].gradNorm).toBeCloseTo(row.gradNorm ?? NaN, 10);
      expect(b[i].entropy).toBeCloseTo(row.entropy ?? NaN, 10);
    });
  });

  it("truncated completions are counted", async () => {
    const { dir } = await run({ steps: 1, sampling: { groupSize: 4, maxTokens: 3 } });
    expect(openRun(dir).metrics()[0]).toMatchObject({ truncatedShare: 1, completionTokens: 3, accuracy: 0 });
  });

  it("a longest sequence shorter than the prompt is refused with the way out, and the run says that it failed", async () => {
    await expect(run({ steps: 1 }, "run", { maxSequenceTokens: 2 })).rejects.toThrow(/no prompt of the batch fits .*takes 2 in all.*--sampling.max-tokens/);
    expect(openRun(join(folder, "run")).status()).toMatchObject({ state: "failed", step: 0 });
  });

  it("asked to stop, it finishes the step, saves and can be continued to the same end", async () => {
    const straight = await run({}, "straight");
    let asked = 0;
    const options = {
      makeParts: (c: Parameters<typeof tabularParts>[0]) => Promise.resolve(tabularParts(c)),
      display: silentDisplay,
    };
    const config = tabularConfig(join(folder, "stopped"));
    const stopped = await train(config, { ...options, stopRequested: () => ++asked === 5 });
    expect(stopped).toMatchObject({ state: "stopped", step: 5 });
    expect(openRun(stopped.dir).status()).toMatchObject({ state: "stopped", step: 5, totalSteps: 12 });
    await expect(train(config, options)).rejects.toThrow(/holds a run already; continue it with --resume/);
    const resumed = await resume(stopped.dir, options);
    expect(resumed).toMatchObject({ state: "finished", step: 12 });
    expect(openRun(resumed.dir).metrics()).toEqual(openRun(straight.dir).metrics());
  });
});
