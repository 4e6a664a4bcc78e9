import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Example } from "../types.js";
import { checkVerdicts, type JudgeRequest } from "./judge.js";
import { loadRecordedJudge } from "./recorded.js";

const dir = mkdtempSync(join(tmpdir(), "breakwater-recorded-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(name: string, lines: readonly unknown[]): string {
  const path = join(dir, name);
  writeFileSync(path, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  return path;
}

function request(id: string, texts: readonly string[]): JudgeRequest {
  const example: Example = { id, image: null, question: "?", answer: "x", goldReasoning: null };
  return { example, text: texts.join(" "), steps: texts.map((text) => ({ text, start: 0, end: text.length })), answer: null };
}

const label = (text: string, alignment: 0 | 1, contribution: 0 | 1) => ({ text, alignment, contribution });

describe("recorded judge", () => {
  test("looks chains up by example and step texts, in order", async () => {
    const judge = await loadRecordedJudge(
      file("labels.jsonl", [
        { id: "a", steps: [label("One.", 1, 0), { ...label("Two.", 0, 0), own: true, inheritedFrom: 0, why: "wrong side" }] },
        { id: "b", steps: [label("One.", 0, 1)] },
      ]),
    );
    const verdicts = await judge.judge([
      request("b", [" One.\n"]),
      request("a", ["One.", "Two."]),
      request("a", ["Two.", "One."]),
      request("c", ["One."]),
      request("a", []),
    ]);
    expect(verdicts).toEqual([
      { status: "judged", steps: [{ alignment: 0, contribution: 1, valid: true }] },
      {
        status: "judged",
        steps: [
          { alignment: 1, contribution: 0, valid: true },
          { alignment: 0, contribution: 0, valid: false, own: true, inheritedFrom: 0, why: "wrong side" },
        ],
      },
      { status: "unscored", reason: "no recorded label for this chain" },
      { status: "unscored", reason: "no recorded label for this chain" },
      { status: "judged", steps: [] },
    ]);
    await expect(judge.judge([], AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
  });

  test.each([
    ["no JSON", ["{"], /line 1: not JSON/],
    ["a bit that is none", [{ id: "a", steps: [{ text: "x", alignment: 2, contribution: 0 }] }], /line 1:[^]*must be 0 or 1/],
    ["contradiction", [{ id: "a", steps: [label("x", 1, 0)] }, { id: "a", steps: [label("x ", 0, 0)] }], /line 2: .*other labels on line 1/],
  ])("refuses %s", async (name, lines, message) => {
    await expect(loadRecordedJudge(file(`${name}.jsonl`, lines))).rejects.toThrow(message);
  });

  test("names a missing file", async () => {
    await expect(loadRecordedJudge(join(dir, "none.jsonl"))).rejects.toThrow(/cannot read recorded labels.*none\.jsonl/);
  });
});

test("a reply of the wrong length is unscored, a list of the wrong length an error", () => {
  const requests = [request("a", ["One.", "Two."])];
  const verdict = { status: "judged", steps: [{ alignment: 1, contribution: 1, valid: true }] } as const;
  expect(checkVerdicts("x", requests, [verdict])).toEqual([{ status: "unscored", reason: "judge x gave 1 verdicts for 2 steps" }]);
  expect(() => checkVerdicts("x", requests, [])).toThrow(/0 verdicts for 1 chains/);
});
