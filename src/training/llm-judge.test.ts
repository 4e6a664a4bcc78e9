import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { askedCase, marks, startScriptedLlm, type ScriptedLlm } from "../../test/support/scripted-llm.js";
import { tabularConfig, tabularParts } from "../../test/support/tabular-task.js";
import { openLlmJudge } from "../judges/llm/open.js";
import { openRun } from "../store/reader.js";
import { mean, sampleStd } from "../util/statistics.js";
import { seedFrom } from "../util/random.js";
import { silentDisplay } from "./display.js";
import { resume, train, type TrainOptions } from "./run.js";
import type { TrainConfig, TrainConfigInput } from "./schema.js";

const KEY = "sk-training-secret-555";
let folder: string;
let server: ScriptedLlm;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "breakwater-llm-judge-"));
  // Truth for seven questions of ten; for the rest an error, a malformed reply, or a refusal, always the same one.
  server = await startScriptedLlm((request) => {
    const fate = seedFrom(request.question.split("That reply")[0]) % 10;
    if (fate === 0) return { status: 500, body: `no: ${String(request.authorization)}` };
    if (fate === 1) return { reply: `{"step1": {"alignment": 1, "contri` };
    if (fate === 2) return { reply: "", refusal: `I will not, ${KEY}` };
    const { expert_reasoning: gold, student_steps: steps } = askedCase(request.question);
    return { reply: marks(Object.values(steps).map((text) => gold.includes(text))) };
  });
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const account: string[] = [];
const options: TrainOptions = {
  makeParts: (config: TrainConfig) => {
    const { judge, output = "" } = config;
    const opened = openLlmJudge({ ...judge, cache: join(output, "judge-cache.sqlite"), apiKey: KEY, backoffMs: 1, attempts: 2, budgetScope: "run" });
    return Promise.resolve({ ...tabularParts(config), judge: opened });
  },
  display: { ...silentDisplay, account: (text) => account.push(text) },
};

function config(name: string): TrainConfig {
  const judge: TrainConfigInput["judge"] = { kind: "llm", url: server.url, models: ["judge"], corrections: 1, priceIn: 1, priceOut: 2 };
  return tabularConfig(join(folder, name), { steps: 4, judge, evaluation: { every: 0 }, checkpoint: { every: 2, keep: 2 } });
}

it("chains that cannot be judged are unscored: counted, and out of every mean and group", { timeout: 120_000 }, async () => {
  const { dir, state } = await train(config("run"), options);
  expect(state).toBe("finished");
  const reader = openRun(dir);
  const rows = reader.metrics();
  let unscored = 0;
  for (const row of rows) {
    const rollouts = reader.rollouts({ step: row.step });
    const failed = rollouts.filter(({ verdict }) => verdict.status === "unscored");
    unscored += failed.length;
    expect(row.unscored).toBe(failed.length);
    for (const { rewards, advantage, tokenAdvantages } of failed) {
      expect(rewards.process.status).toBe("unscored");
      expect([advantage, ...tokenAdvantages].every((a) => a === 0)).toBe(true);
    }
    const totalOf = ({ rewards }: (typeof rollouts)[number]): number[] =>
      rewards.process.status === "scored" && rewards.answer.status === "scored" && rewards.length.status === "scored" ? [rewards.answer.value + rewards.process.value + rewards.length.value] : [];
    const totals = rollouts.flatMap(totalOf);
    expect(totals).toHaveLength(rollouts.length - failed.length);
    expect(row.rewardMean).toBeCloseTo(mean(totals), 12);
    for (const id of new Set(rollouts.map(({ exampleId }) => exampleId))) {
      const group = rollouts.filter(({ exampleId }) => exampleId === id);
      const scored = group.flatMap(totalOf);
      for (const rollout of group.filter(({ verdict }) => verdict.status === "judged")) {
        const expected = scored.length < 2 ? 0 : (totalOf(rollout)[0] - mean(scored)) / (sampleStd(scored) + 1e-4);
        expect(rollout.advantage).toBeCloseTo(expected, 9);
      }
    }
  }
  expect(unscored).toBeGreaterThan(0);
  expect(unscored).toBeLessThan(rows.reduce((n, { rollouts }) => n + rollouts, 0) / 2);
  const timings = reader.timings();
  expect(timings.reduce((n, { judgeAccount }) => n + (judgeAccount?.failed ?? 0), 0)).toBe(unscored);
  expect(timings.reduce((n, { judgeAccount }) => n + (judgeAccount?.cost ?? 0), 0)).toBeGreaterThan(0);
  reader.close();
});

it("interrupted, moved and continued, it comes to the same and pays for no chain twice; the key is in no file", { timeout: 120_000 }, async () => {
  const straight = await train(config("straight"), options);
  const paidOnce = new Map(server.repliesByQuestion);
  let asked = 0;
  const stopped = await train(config("stopped"), { ...options, stopRequested: () => ++asked === 3 });
  expect(stopped).toMatchObject({ state: "stopped", step: 3 });
  // As after a kill: what lies after the checkpoint is made again.
  rmSync(join(stopped.dir, "checkpoints", readdirSync(join(stopped.dir, "checkpoints")).sort().at(-1) ?? ""), { recursive: true });
  const moved = join(folder, "moved");
  renameSync(stopped.dir, moved);
  const resumed = await resume(moved, options);
  expect(openRun(resumed.dir).metrics()).toEqual(openRun(straight.dir).metrics());
  // The second run asked each question as often as the first: once, or as often as it was corrected.
  for (const [question, replies] of server.repliesByQuestion) expect(replies).toBe(2 * (paidOnce.get(question) ?? 0));
  for (const file of filesOf(folder)) expect(readFileSync(file).includes(KEY), file).toBe(false);
});

function filesOf(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? filesOf(path) : [path];
  });
}
