import { describe, expect, it } from "vitest";
import type { ChainVerdict, Example } from "../types.js";
import { checkVerdicts, type JudgeRequest } from "./judge.js";
import { phantomJudge } from "./phantom.js";

const example = (id: string): Example => ({ id, image: null, question: "Q?", answer: "a", goldReasoning: null });

function request(id: string, sentences: readonly string[]): JudgeRequest {
  const text = sentences.join(" ");
  let at = 0;
  const steps = sentences.map((sentence) => {
    const start = text.indexOf(sentence, at);
    at = start + sentence.length;
    return { text: sentence, start, end: at };
  });
  return { example: example(id), text, steps, answer: "a" };
}

/** Knows only example "known"; a step is valid when it says so. */
function verify(of: Example, sentences: readonly string[]): ChainVerdict {
  if (of.id !== "known") return { status: "unscored", reason: `nothing known of ${of.id}` };
  return {
    status: "judged",
    steps: sentences.map((sentence) => ({ alignment: sentence === "Right." ? 1 : 0, contribution: 0, valid: sentence === "Right." })),
  };
}

describe("phantomJudge", () => {
  it("answers in order, one verdict a step, unscored where nothing is known", async () => {
    const judge = phantomJudge(verify);
    const requests = [request("known", ["Right.", "Wrong."]), request("other", ["Right."]), request("known", [])];
    const verdicts = checkVerdicts(judge.name, requests, await judge.judge(requests));
    expect(verdicts.map((v) => (v.status === "judged" ? v.steps.map((s) => s.valid) : v.reason))).toEqual([
      [true, false], "nothing known of other", [],
    ]);
  });

  it("rejects with the signal's reason when aborted", async () => {
    const reason = new Error("stop now");
    await expect(phantomJudge(verify).judge([], AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
