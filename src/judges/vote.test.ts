import { describe, expect, test } from "vitest";
import type { ChainVerdict } from "../types.js";
import type { Judge, JudgeRequest } from "./judge.js";
import { votingJudge } from "./vote.js";

function says(name: string, verdict: ChainVerdict): Judge {
  return { name, judge: (requests) => Promise.resolve(requests.map(() => verdict)) };
}

const bits = (...pairs: readonly (readonly [0 | 1, 0 | 1])[]): ChainVerdict => ({
  status: "judged",
  steps: pairs.map(([alignment, contribution]) => ({ alignment, contribution, valid: alignment === 1 || contribution === 1 })),
});
const none: ChainVerdict = { status: "unscored", reason: "time out" };

function request(K: number): JudgeRequest {
  const steps = Array.from({ length: K }, () => ({ text: "x", start: 0, end: 1 }));
  return { example: { id: "a", image: null, question: "?", answer: "y", goldReasoning: "z" }, text: "x", steps, answer: null };
}

async function vote(verdicts: readonly ChainVerdict[], K: number): Promise<ChainVerdict> {
  const [result] = await votingJudge(verdicts.map((verdict, j) => says(`j${j}`, verdict))).judge([request(K)]);
  return result;
}

describe("voting", () => {
  test("each bit by the majority, every vote kept", async () => {
    const result = await vote([bits([1, 0], [0, 0]), bits([1, 1], [0, 1]), bits([0, 0], [0, 1])], 2);
    expect(result).toMatchObject({ status: "judged", steps: [{ alignment: 1, contribution: 0, valid: true }, { alignment: 0, contribution: 1, valid: true }] });
    expect(result.status === "judged" && result.steps[0].votes).toEqual([
      { judge: "j0", alignment: 1, contribution: 0 },
      { judge: "j1", alignment: 1, contribution: 1 },
      { judge: "j2", alignment: 0, contribution: 0 },
    ]);
  });

  test("a tie is no majority", async () => {
    expect(await vote([bits([1, 0]), bits([0, 0])], 1)).toMatchObject({ steps: [{ alignment: 0, contribution: 0, valid: false }] });
    expect(await vote([bits([1, 0]), bits([1, 0])], 1)).toMatchObject({ steps: [{ alignment: 1, valid: true }] });
  });

  test("who could not judge has null votes; more than half must", async () => {
    const two = await vote([bits([1, 0]), none, bits([1, 1])], 1);
    expect(two).toMatchObject({ steps: [{ alignment: 1, contribution: 0, votes: [{}, { alignment: null, contribution: null }, {}] }] });
    expect(await vote([bits([1, 0]), none], 1)).toEqual({ status: "unscored", reason: "1 of 2 judges gave marks (j1: time out)" });
    expect(await vote([none, none, none], 1)).toEqual({ status: "unscored", reason: "time out" });
  });

  test("a judge that lost count is out of the vote", async () => {
    expect(await vote([bits([1, 0]), bits([1, 0]), bits([0, 0], [0, 0])], 1)).toMatchObject({ status: "judged", steps: [{ alignment: 1 }] });
  });

  test("one judge is itself, none is a mistake, a chain without steps needs no vote", async () => {
    const one = says("only", bits([1, 0]));
    expect(votingJudge([one])).toBe(one);
    expect(() => votingJudge([])).toThrow(RangeError);
    expect(await vote([none, none], 0)).toEqual({ status: "judged", steps: [] });
  });
});
