import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, test } from "vitest";
import { startScriptedLlm, type Action } from "../../test/support/scripted-llm.js";
import { createLlm } from "../llm/client.js";
import { parseGrade, spelled } from "./answer-judge.js";
import { countVerdicts, judgeAnswers, measureAnswers, readAnswers, unjudgedReasons } from "./answers.js";
import { parseAnswersFile, readJudgedAnswers, writeAnswersFile } from "./answers-file.js";
import { estimateSystem } from "./estimates.js";

const folder = mkdtempSync(join(tmpdir(), "breakwater-answers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** Made by the reference's own scripts (interop/reference_eval.py). */
const fixtures = join(import.meta.dirname, "../../interop/fixtures/evaluation");
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

describe("the judge's reply", () => {
  test.each([
    ['{"verdict": "correct"}', true],
    ['```json\n{"verdict":"incorrect"}\n```', false],
    ['Both name the liver {a}. {"verdict": "Correct", "why": "same"}', true],
    ["Incorrect.", false],
    ["The answer is correct", true],
    ["O", true],
    [" X\n", false],
  ])("%j", (text, value) => expect(parseGrade(text)).toEqual({ value }));

  test.each(["", "maybe", "not sure: correct or incorrect", '{"verdict": "partly"}', '{"verdict": true}'])("%j tells nothing", (text) => {
    expect(parseGrade(text)).toHaveProperty("error");
  });
});

test("whole numbers are spelled out, everything else stays", () => {
  expect(["0", "7", "21", "100", "-3", "105", "342", "1000", "12015", "2000000"].map(spelled)).toEqual([
    ...["zero", "seven", "twenty-one", "one hundred", "minus three", "one hundred and five", "three hundred and forty-two"],
    ...["one thousand", "twelve thousand and fifteen", "two million"],
  ]);
  expect(["2.5", "T2", "4 cm", " left "].map(spelled)).toEqual(["2.5", "T2", "4 cm", "left"]);
});

describe("answers", () => {
  const rows = [
    { problem: "A?", image: null, solution: "liver", text: "", think: "t", answer: "the liver" },
    { problem: "B?", image: null, solution: "left lower lobe", text: "", think: "t", answer: "lower left lobe" },
    { problem: "C?", image: null, solution: "ct", text: "", think: "t", answer: null },
    { problem: "D?", image: null, solution: "ct", text: null, think: null, answer: null, failed: "HTTP 500" },
    { problem: "E?", image: null, solution: "2", text: "", think: "t", answer: "three" },
    { problem: "F?", image: join(folder, "none.png"), solution: "x", text: "", think: "t", answer: "y" },
    { problem: "G?", image: null, solution: "", text: "", think: "t", answer: "y" },
    { problem: "H?", image: null, solution: "x", text: "", think: "t", answer: "mumble" },
  ];
  const path = join(folder, "model.json");
  writeFileSync(path, JSON.stringify(rows));

  it("without a judge have exact match and word overlap", async () => {
    const judged = await judgeAnswers(readAnswers([path]), null);
    expect(judged.map(({ verdict }) => verdict.status)).toEqual(["not asked", "not asked", "none", "failed", "not asked", "not asked", "not asked", "not asked"]);
    const { datasets } = estimateSystem(measureAnswers(judged));
    const { metrics } = datasets.model;
    expect(metrics.judgedAccuracy).toBeUndefined();
    // A, B, C, E, F, H have a gold answer and were heard; only A is equal.
    expect(metrics.accuracy).toMatchObject({ value: 1 / 6, n: 6 });
    // ROUGE-1 of A: 1 of 2 and 1 of 1 words; of B: all words.
    expect(metrics.rouge1?.value).toBeCloseTo((2 / 3 + 1) / 6, 12);
    expect(metrics.missingAnswer).toMatchObject({ value: 1 / 7, n: 7 });
  });

  it("by a judge: right, wrong, missing and unjudged are told apart and come back from the file", async () => {
    const script = (text: string): Action => {
      if (text.includes('"A?"')) return { reply: '{"verdict":"correct"}' };
      if (text.includes('"H?"')) return { reply: "I would rather not say" };
      expect(text).not.toContain('"C?"');
      return { reply: '{"verdict":"incorrect"}' };
    };
    const server = await startScriptedLlm(({ question }) => script(question));
    const llm = createLlm({ url: server.url, model: "grader", apiKey: null, backoffMs: 5, corrections: 1 });
    try {
      const judged = await judgeAnswers(readAnswers([`ct=${path}`]), llm);
      expect(countVerdicts(judged)).toEqual({ correct: 1, incorrect: 2, none: 1, failed: 1, unjudged: 3, "not asked": 0 });
      expect(Object.keys(unjudgedReasons(judged))).toEqual([expect.stringContaining("none.png"), "no gold answer", expect.stringContaining('"correct" or "incorrect"')]);
      const asked = server.seen.find(({ question }) => question.includes('"E?"'));
      expect(asked?.question).toContain('Reference answer: "two"\nCandidate answer: "three"');
      expect(asked?.format).toBe("json_schema");
      const measured = measureAnswers(judged);
      const estimates = estimateSystem(measured);
      // One right of A, B, E and the missing C.
      expect(estimates.datasets.ct.metrics.judgedAccuracy).toMatchObject({ value: 1 / 4, n: 4 });

      const out = join(folder, "answers.json");
      writeAnswersFile(out, { name: "model", judge: "grader", rows: judged }, [path], estimates);
      const written = readJson(out) as { summary: object; results: { judge: string }[] };
      expect(written.summary).toEqual({ model: "grader", input_json: path, total: 8, correct: 1, incorrect: 2, scored: 3, accuracy: 1 / 3 });
      expect(written.results.map(({ judge }) => judge)).toEqual(["O", "X", "None", "Failed", "X", "Image_Error", "No_Gold", "API_Error"]);
      const back = parseAnswersFile(written, out);
      expect(back).toMatchObject({ name: "model", judge: "grader" });
      expect(measureAnswers(back.rows)).toEqual(measured);
    } finally {
      await llm.close();
      await server.close();
    }
  });
});

describe("results of the reference's Answer_Evaluation.py", () => {
  const reference = readJson(join(fixtures, "answers.json")) as { summary: Record<string, unknown>; results: Record<string, unknown>[] };

  it("are read as they are, with the accuracy that they tell", () => {
    const { rows, judge } = parseAnswersFile(reference, "answers.json");
    expect(judge).toBe("rule");
    expect(rows.map(({ verdict }) => verdict.status)).toEqual(["correct", "correct", "incorrect", "correct", "correct", "none", "unjudged"]);
    const { correct, incorrect } = countVerdicts(rows);
    expect(correct / (correct + incorrect)).toBe(reference.summary.accuracy);
    expect(Object.keys(estimateSystem(measureAnswers(rows)).datasets)).toEqual(["vqa-rad", "slake", "pathvqa"]);
  });

  it("have the keys that ours have first, in their order", async () => {
    const out = join(folder, "ours.json");
    const rows = await judgeAnswers(readAnswers([join(fixtures, "inference.json")]), null);
    writeAnswersFile(out, { name: "x", judge: null, rows }, ["inference.json"], estimateSystem(measureAnswers(rows)));
    const ours = readJson(out) as typeof reference;
    expect(Object.keys(ours.summary)).toEqual(Object.keys(reference.summary));
    ours.results.forEach((row, r) => {
      expect(Object.keys(row).slice(0, 6)).toEqual(Object.keys(reference.results[r]));
      expect({ ...row, judge: "" }).toMatchObject({ ...reference.results[r], judge: "", ...(r === 5 ? { generated_reasoning: row.generated_reasoning } : {}) });
    });
  });

  it("stand for themselves, without asking a judge again", () => {
    const file = readJudgedAnswers([join(fixtures, "answers.json")]);
    expect(countVerdicts(file?.rows ?? [])).toMatchObject({ correct: 4, incorrect: 1, none: 1, unjudged: 1 });
    expect(readJudgedAnswers([join(fixtures, "inference.json")])).toBeNull();
    expect(() => readJudgedAnswers([join(fixtures, "inference.json"), join(fixtures, "answers.json")])).toThrow(/one after the other/);
  });

  it.each([
    [{ summary: {}, results: [{ problem: "Q", judge: "Y" }] }, /results\.0\.judge/],
    [{ summary: {} }, /results/],
  ])("of another shape are refused by place", (value, message) => {
    expect(() => parseAnswersFile(value, "f.json")).toThrow(message);
  });
});
