import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { tabularConfig, tabularParts, truthJudge } from "../../test/support/tabular-task.js";
import type { Judge } from "../judges/judge.js";
import { openRun } from "../store/reader.js";
import { silentDisplay } from "./display.js";
import type { TrainingParts } from "./parts.js";
import { resume, train, type TrainOptions } from "./run.js";
import type { TrainConfig } from "./schema.js";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "breakwater-ahead-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sampling = { groupSize: 6, maxTokens: 12 };
const configOf = (name: string, maxStaleness: number, steps = 12) => tabularConfig(join(folder, name), { steps, sampling: { ...sampling, maxStaleness } });

function optionsOf(change: (parts: TrainingParts) => TrainingParts = (parts) => parts, engine = {}): TrainOptions {
  return { makeParts: (config: TrainConfig) => Promise.resolve(change(tabularParts(config, engine))), display: silentDisplay };
}

const bytes = (dir: string, file: string) => readFileSync(join(dir, file), "utf8");

describe("sampling ahead", () => {
  for (const samplesWhileTraining of [false, true]) {
    it(`lags by exactly the bound after the first steps (${samplesWhileTraining ? "many requests at once" : "one at a time"})`, async () => {
      const { dir } = await train(configOf("run", 2), optionsOf(undefined, { samplesWhileTraining }));
      const reader = openRun(dir);
      expect(reader.metrics().map(({ staleness }) => staleness)).toEqual([0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
      expect(reader.rolloutSteps()).toHaveLength(12);
      reader.close();
    });
  }

  it("samples what that older policy would: both kinds of engine make the same run", async () => {
    const one = await train(configOf("one", 1), optionsOf());
    const many = await train(configOf("many", 1), optionsOf(undefined, { samplesWhileTraining: true, delay: 1 }));
    expect(bytes(many.dir, "metrics.jsonl")).toBe(bytes(one.dir, "metrics.jsonl"));
  });

  it("is strictly on-policy at 0, and shows the shift of the policy above it", async () => {
    const shifts = async (name: string, maxStaleness: number) => {
      const { dir } = await train(configOf(name, maxStaleness), optionsOf());
      return openRun(dir).metrics().map(({ policyShift }) => policyShift ?? NaN);
    };
    for (const shift of await shifts("on", 0)) expect(shift).toBe(0);
    const off = await shifts("off", 3);
    // The start policy samples the first batch and learns from it; its divergence from later ones is positive.
    expect(off[0]).toBe(0);
    expect(off.slice(2).reduce((sum, shift) => sum + shift, 0)).toBeGreaterThan(0);
    for (const shift of off.slice(2)) expect(shift).not.toBe(0);
  });

  it("learns from stale batches", async () => {
    const { dir } = await train(configOf("run", 2, 40), optionsOf());
    const [before, ...later] = openRun(dir).evaluations();
    expect(later.at(-1)?.accuracy).toBeGreaterThan((before.accuracy ?? 1) + 0.2);
  });

  it("stopped at any step and continued, it ends as one that never stopped", async () => {
    const straight = await train(configOf("straight", 2), optionsOf());
    for (const at of [1, 4, 11]) {
      let asked = 0;
      const stopped = await train(configOf(`stopped-${at}`, 2), { ...optionsOf(), stopRequested: () => ++asked === at });
      expect(stopped.step).toBe(at);
      const { dir } = await resume(stopped.dir, optionsOf());
      for (const file of ["metrics.jsonl", "evaluations.jsonl", "model/weights.json"]) expect(bytes(dir, file), `${file}, stopped at ${at}`).toBe(bytes(straight.dir, file));
      expect(openRun(dir).rollouts()).toEqual(openRun(straight.dir).rollouts());
    }
  });

  it("samples the next batch while one is judged", async () => {
    const events: string[] = [];
    const slowJudge: Judge = {
      name: "slow",
      judge: async (requests, signal) => {
        events.push("judging");
        await new Promise((done) => setTimeout(done, 30));
        events.push("judged");
        return truthJudge.judge(requests, signal);
      },
    };
    const watched = (parts: TrainingParts): TrainingParts => {
      const { engine } = parts;
      const sample: typeof engine.sample = (...call) => {
        events.push("sample");
        return engine.sample(...call);
      };
      return { ...parts, judge: slowJudge, engine: Object.assign(Object.create(engine) as typeof engine, { sample }) };
    };
    const config = { ...configOf("run", 1, 4), evaluation: { ...configOf("run", 1).evaluation, every: 0 } };
    const { dir } = await train(config, optionsOf(watched));
    // Batches 1 and 2 are sampled on the start policy; from then on each is sampled while the one before it is judged.
    expect(events.slice(0, 4)).toEqual(["sample", "judging", "sample", "judging"]);
    expect(events.filter((event) => event === "sample")).toHaveLength(4);
    const spans = openRun(dir).timeline();
    const judged = spans.filter(({ lane }) => lane === "judge");
    expect(judged.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    for (const { start, end } of judged) expect(end - start).toBeGreaterThanOrEqual(25);
  });

  it("a judge that fails for good ends the run at the batch it belongs to, and what is under way is dropped", async () => {
    let calls = 0;
    const failing: Judge = { name: "failing", judge: (requests, signal) => (++calls === 3 ? Promise.reject(new Error("no key")) : truthJudge.judge(requests, signal)) };
    const config = { ...configOf("run", 2), evaluation: { ...configOf("run", 2).evaluation, every: 0 } };
    await expect(train(config, optionsOf((parts) => ({ ...parts, judge: failing })))).rejects.toThrow("no key");
    expect(openRun(config.output ?? "").status()).toMatchObject({ state: "failed", step: 2 });
  });
});
