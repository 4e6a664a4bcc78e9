import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tabularConfig, tabularParts } from "../../test/support/tabular-task.js";
import { verifyExample, writePhantomDataset } from "../datasets/phantom/index.js";
import type { Judge } from "../judges/judge.js";
import { phantomJudge } from "../judges/phantom.js";
import { calibrationMarkdown, bitTable } from "../report/agreement-table.js";
import { silentDisplay } from "../training/display.js";
import { train } from "../training/run.js";
import { calibrate, labelledChains, phantomChains, runChains } from "./calibration.js";

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "breakwater-calibration-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Gives every step 1, and none to a chain that says "skip". */
const yes: Judge = {
  name: "yes",
  judge: (requests) =>
    Promise.resolve(
      requests.map(({ steps, text }) =>
        text.includes("skip") ? { status: "unscored", reason: "skipped" } : { status: "judged", steps: steps.map(() => ({ alignment: 1, contribution: 0, valid: true })) },
      ),
    ),
};

describe("calibration", () => {
  test("against people's labels; relative images lie beside the file", async () => {
    const file = join(dir, "labels.jsonl");
    const line = (id: string, texts: readonly string[], bits: readonly (0 | 1)[]) =>
      JSON.stringify({ id, image: "x.png", question: "?", answer: "a", goldReasoning: "g", steps: texts.map((text, k) => ({ text, alignment: bits[k], contribution: 0 })) });
    writeFileSync(file, [line("a", ["One.", "Two."], [1, 0]), line("b", ["skip"], [1])].join("\n"));
    const chains = await labelledChains(file);
    expect(chains[0].request.example.image).toBe(join(dir, "x.png"));
    const { steps, text } = chains[0].request;
    for (const step of steps) expect(text.slice(step.start, step.end)).toBe(step.text);
    const result = await calibrate(yes, chains, "labels", { seed: 1 });
    expect(result).toMatchObject({ judge: "yes", reasons: { skipped: 1 }, report: { chains: 2, unscored: 1, bits: { alignment: { truePositive: 1, falsePositive: 1 } } } });
    expect(bitTable(result).rows[0].slice(0, 3)).toEqual(["alignment", "2", "50.0%"]);
    expect(calibrationMarkdown(result)).toContain("1 of 2 chains judged; 1 unscored and in no figure (1 × skipped).");
    writeFileSync(file, `${line("a", ["One."], [1])}\n{"id": 3}\n`);
    await expect(labelledChains(file)).rejects.toThrow(/labels\.jsonl, line 2: /);
  });

  test("against the phantom's truth its own judge is perfect, and one that says yes to all is not", async () => {
    const data = join(dir, "phantom");
    await writePhantomDataset(data, { train: 4, test: 12 });
    const chains = phantomChains(data, { split: "test", profile: "biased", count: 12, seed: 3 });
    expect(chains).toHaveLength(12);
    const perfect = await calibrate(phantomJudge(verifyExample), chains, "truth", { seed: 1 });
    expect(perfect.report.bits.valid).toMatchObject({ kappa: 1, agreement: 1 });
    const lenient = await calibrate(yes, chains, "truth", { seed: 1 });
    expect(lenient.report.bits.valid.falsePositive).toBeGreaterThan(0);
    expect(lenient.report.bits.valid.kappa).toBe(0);
  });

  test("against the verdicts of a run: a seeded choice among all its steps", { timeout: 60_000 }, async () => {
    const config = tabularConfig(join(dir, "run"), { steps: 3, evaluation: { every: 0 } });
    await train(config, { makeParts: (c) => Promise.resolve(tabularParts(c)), display: silentDisplay });
    const { chains, truth } = runChains(join(dir, "run"), 20, 5);
    expect(chains).toHaveLength(20);
    expect(runChains(join(dir, "run"), 20, 5).chains).toEqual(chains);
    expect(truth).toMatch(/run: verdicts of its judge/);
    expect(chains.every(({ request, truth: steps }) => request.steps.length === steps.length)).toBe(true);
    const { report } = await calibrate(yes, chains, truth, { seed: 1 });
    expect(report.bits.valid.steps).toBe(80);
    expect(() => runChains(dir, 20, 5)).toThrow();
  });
});
