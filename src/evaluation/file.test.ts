import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { MRPO, syntheticRun } from "../../test/support/synthetic-runs.js";
import { readEvaluation, writeEvaluation, type EvaluationFile } from "./file.js";

const folder = mkdtempSync(join(tmpdir(), "breakwater-evaluation-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, "e.json");

function evaluation(): EvaluationFile {
  const { final } = syntheticRun("mrpo", 1, MRPO, { steps: 2, questions: 4 });
  if (final === null) throw new Error("no evaluation");
  return final;
}

describe("evaluation files", () => {
  it("are read back as written", () => {
    const made = evaluation();
    writeEvaluation(path, made);
    expect(readEvaluation(path)).toEqual(JSON.parse(JSON.stringify(made)));
  });

  it.each<[string, (file: { format: string; chains: { verdicts: unknown[]; steps: unknown[] }[]; settings: object }) => void, RegExp]>([
    ["another format", (file) => (file.format = "breakwater-evaluation-9"), /e\.json: format: .*breakwater eval/],
    ["a missing key", (file) => Reflect.deleteProperty(file.settings, "temperature"), /e\.json: settings\.temperature: /],
    ["fewer verdicts than steps", (file) => file.chains[0].verdicts.pop(), /e\.json: chains\.0\.verdicts: a chain has as many verdicts as steps/],
  ])("with %s are refused by place", (_name, change, message) => {
    const file = JSON.parse(JSON.stringify(evaluation())) as Parameters<typeof change>[0];
    change(file);
    writeFileSync(path, JSON.stringify(file));
    expect(() => readEvaluation(path)).toThrow(message);
  });

  it("cut short or absent are refused with the way out", () => {
    writeEvaluation(path, evaluation());
    writeFileSync(path, readFileSync(path).subarray(0, 100));
    expect(() => readEvaluation(path)).toThrow(/e\.json: not a readable evaluation file .*breakwater eval/);
    expect(() => readEvaluation(join(folder, "none.json"))).toThrow(/none\.json/);
  });
});
