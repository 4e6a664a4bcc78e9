import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Judge } from "../judges/judge.js";
import type { StepVerdict } from "../types.js";
import { readAnswers } from "./answers.js";
import { estimateSystem } from "./estimates.js";
import { loadGold } from "./gold.js";
import { stepPositions, worstPosition } from "./positions.js";
import { judgeReasoning, measureReasoning, reasoningTasks } from "./reasoning.js";
import { parseReasoningFile } from "./reasoning-file.js";
import { nothingLeftOut, readJudged, readTasks, writeReasoning } from "./reasoning-run.js";

const folder = mkdtempSync(join(tmpdir(), "breakwater-reasoning-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** Made by the reference's own scripts (interop/reference_eval.py). */
const fixtures = join(import.meta.dirname, "../../interop/fixtures/evaluation");
const inference = join(fixtures, "inference.json");
const gold = join(fixtures, "gold.json");
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

interface ReferenceFile {
  readonly summary: Record<string, unknown>;
  readonly results: { readonly Reasoning_Sentences: string[]; readonly problem: string; readonly Sentence_Evaluation: Record<string, { readonly score: number }>; readonly Sentence_Evaluation_Error?: string }[];
}
const reference = readJson(join(fixtures, "reasoning.json")) as ReferenceFile;

/** The rule that marked the reference's fixture: the second step is invalid, the third contributes, one question fails. */
const rule: Judge = {
  name: "rule",
  judge: (requests) =>
    Promise.resolve(
      requests.map(({ example, steps }) =>
        example.question === "What fails here?"
          ? { status: "unscored", reason: "scripted failure" }
          : {
              status: "judged",
              steps: steps.map((_, k): StepVerdict => ({ alignment: k === 1 ? 0 : 1, contribution: k === 2 ? 1 : 0, valid: k !== 1 })),
            },
      ),
    ),
};

describe("what is judged", () => {
  it("is what the reference judges: its sentences, without the repeated row and the one without gold", () => {
    const { tasks, leftOut } = readTasks([inference], [gold], "test").tasks;
    expect(leftOut).toEqual({ failed: 0, duplicates: 1, noGold: 1 });
    expect(tasks.map(({ request }) => request.steps.map(({ text }) => text))).toEqual(reference.results.map((row) => row.Reasoning_Sentences));
    for (const { request } of tasks) {
      for (const { start, end, text } of request.steps) expect(request.text.slice(start, end)).toBe(text);
      expect(request.example.goldReasoning).not.toBeNull();
    }
    // The whole completion is kept where the reasoning stands in it.
    expect(tasks[0].request.text).toContain("<answer>");
  });

  it("leaves out what has no completion; without any gold it says what was looked for", () => {
    const path = join(folder, "failed.json");
    writeFileSync(path, JSON.stringify([{ problem: "Q?", image: null, solution: "x", text: null, think: null, answer: null, failed: "HTTP 500" }]));
    expect(reasoningTasks(readAnswers([path]), null).leftOut.failed).toBe(1);
    expect(() => readTasks([path], [gold], "test")).toThrow(/none of the 1 rows.*1 have no completion/);
    expect(loadGold([gold], "test").size).toBe(5);
  });
});

describe("results", () => {
  it("have the reference's keys and, where all could be judged, its means; unjudged chains are no zeros", async () => {
    const { rows, tasks } = readTasks([inference], [gold], "test");
    const judged = await judgeReasoning(tasks.tasks, rule);
    const out = join(folder, "reasoning.json");
    writeReasoning(out, { name: "m", judge: "rule", rows: judged }, { inputs: [inference], gold: [gold], records: rows.length, leftOut: tasks.leftOut });
    const ours = readJson(out) as ReferenceFile & { breakwater: { positions: unknown; leftOut: unknown; firstFailurePoint: string } };
    expect(Object.keys(ours.summary)).toEqual(Object.keys(reference.summary));
    expect(ours.summary).toMatchObject({ input_records: 6, total_records: 5, records_with_gold: 5, total_sentences: 8 });
    // The reference counts the two sentences of the failed call as invalid: 5 of 10 instead of 5 of 8.
    expect(ours.summary.mean_score).toBe(5 / 8);
    expect(reference.summary.mean_score).toBe(5 / 10);
    ours.results.forEach((row, r) => {
      const theirs = reference.results[r];
      expect(Object.keys(row).slice(0, 8)).toEqual(Object.keys(theirs).slice(0, 8));
      if (theirs.Sentence_Evaluation_Error === undefined) expect(row).toMatchObject(theirs);
      else expect(row).toMatchObject({ Sentence_Evaluation: {}, Sentence_Evaluation_Error: "scripted failure" });
    });
    expect(ours.breakwater.firstFailurePoint).toBe("(k*-1)/K");

    const back = parseReasoningFile(ours, out);
    expect(back).toMatchObject({ name: "m", judge: "rule" });
    expect(measureReasoning(back.rows)).toEqual(measureReasoning(judged));
  });

  it("of the reference are read as they are: failure points, and the failed call as not judged", () => {
    const file = readJudged([join(fixtures, "reasoning.json")]);
    const chains = file?.rows.map(({ chain }) => chain) ?? [];
    expect(chains.map(({ verdicts }) => verdicts?.map(({ valid }) => valid) ?? null)).toEqual([[true, false, true], [true, false], [true], [true, false], null]);
    const { macro, datasets } = estimateSystem(measureReasoning(file?.rows ?? []));
    expect(Object.keys(datasets)).toEqual(["vqa-rad", "slake", "pathvqa"]);
    expect(datasets["vqa-rad"].metrics.mid).toMatchObject({ value: 1, n: 2 });
    expect(datasets["vqa-rad"].metrics.far).toMatchObject({ value: 0, n: 1 });
    expect(macro.stepValidity?.value).toBeCloseTo((3 / 5 + 1 + 1 / 2) / 3, 12);
    expect(readJudged([inference])).toBeNull();
    expect(() => readJudged([inference, join(fixtures, "reasoning.json")])).toThrow(/one after the other/);
    expect(nothingLeftOut.failed).toBe(0);
  });
});

describe("step positions", () => {
  const chain = (bits: string | null): { verdicts: StepVerdict[] | null } => ({
    verdicts: bits === null ? null : [...bits].map((bit) => ({ alignment: bit === "1" ? 1 : 0, contribution: 0, valid: bit === "1" })),
  });

  it("count judged and invalid steps, and where chains first fail", () => {
    const positions = stepPositions([chain("101"), chain("11"), chain("0"), chain(null), chain("")], 10);
    expect(positions).toEqual([
      { position: 1, andLater: false, steps: 3, invalid: 1, firstFailures: 1 },
      { position: 2, andLater: false, steps: 2, invalid: 1, firstFailures: 1 },
      { position: 3, andLater: false, steps: 1, invalid: 0, firstFailures: 0 },
    ]);
    expect(worstPosition(positions, 2)?.position).toBe(2);
  });

  it("gather the tail, and one long chain does not make a worst place", () => {
    const positions = stepPositions([...Array.from({ length: 9 }, () => chain("10")), chain("111110")], 3);
    expect(positions.at(-1)).toEqual({ position: 4, andLater: true, steps: 3, invalid: 1, firstFailures: 1 });
    expect(worstPosition(positions)?.position).toBe(2);
    expect(worstPosition([])).toBeNull();
  });
});
