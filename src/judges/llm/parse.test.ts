import { describe, expect, test } from "vitest";
import { parseChain } from "./parse.js";

const two = [
  { alignment: 1, contribution: 0, valid: true },
  { alignment: 0, contribution: 0, valid: false },
];

describe("marks of two steps", () => {
  test.each([
    ["as asked", '{"step1": {"alignment": 1, "contribution": 0}, "step2": {"alignment": 0, "contribution": 0}}'],
    ["in another order", '{"step2": {"alignment": 0, "contribution": 0}, "step1": {"contribution": 0, "alignment": 1}}'],
    ["as the reference asks", '{"Reasoning_Check": {"step1": {"Alignment": 1, "Contribution": 0}, "step2": {"Alignment": 0, "Contribution": 0}}}'],
    ["bare numbers as keys", '{"1": {"alignment": true, "contribution": false}, "2": {"alignment": "0", "contribution": "no"}}'],
    ["numbered from 0", '{"step0": {"alignment": 1, "contribution": 0}, "step1": {"alignment": 0, "contribution": 0}}'],
    ["a list", '{"steps": [{"alignment": 1, "contribution": 0}, {"alignment": 0, "contribution": 0}]}'],
    ["a numbered list out of order", '[{"step": 2, "alignment": 0, "contribution": 0}, {"step": "step1", "alignment": 1, "contribution": 0}]'],
    ["a list of one-key objects", '[{"step1": {"alignment": 1, "contribution": 0}}, {"step2": {"alignment": 0, "contribution": 0}}]'],
    ["pairs", '{"step1": [1, 0], "step2": [0, 0]}'],
    ["with a comment of the model", '{"step1": {"alignment": 1, "contribution": 0, "why": "x"}, "step2": {"alignment": 0, "contribution": 0}, "note": "done"}'],
    ["in prose and a fence", 'Here [you] are:\n```json\n{"step1": {"alignment": 1, "contribution": 0,}, "step2": {"alignment": 0, "contribution": 0},}\n```'],
    ["a draft, then the answer", '{"step1": {"alignment": 0, "contribution": 0}, "step2": {"alignment": 0, "contribution": 0}} no: {"step1": {"alignment": 1, "contribution": 0}, "step2": {"alignment": 0, "contribution": 0}}'],
    ["the same marks twice", '{"step1": {"alignment": 1, "contribution": 0}, "step1": {"alignment": 1, "contribution": 0}, "step2": {"alignment": 0, "contribution": 0}}'],
  ])("%s", (_name, text) => {
    expect(parseChain(text, 2)).toEqual({ value: two });
  });

  test.each<[string, string, RegExp]>([
    ["too few", '{"step1": {"alignment": 1, "contribution": 0}}', /marks for 1 steps, not for the 2/],
    ["too many", '{"step1": [1,0], "step2": [1,0], "step3": [1,0]}', /marks for 3 steps/],
    ["a gap", '{"step1": [1,0], "step3": [1,0]}', /marks for 2 steps, not/],
    ["half of the JSON", '{"step1": {"alignment": 1, "contribution": 0}, "step2": {"align', /ends before/],
    ["a draft and half of the answer", '{"step1": [1,0], "step2": [1,0]} better: {"step1": [0,', /ends before/],
    ["a refusal", "I'm sorry, but I can't judge medical images.", /no JSON/],
    ["nothing", "  ", /empty/],
    ["a missing mark", '{"step1": {"alignment": 1}, "step2": [0, 0]}', /step 1 has no contribution/],
    ["a mark between", '{"step1": {"alignment": 0.5, "contribution": 1}, "step2": [0, 0]}', /alignment of step 1 is neither 0 nor 1/],
    ["null marks", '{"step1": {"alignment": null, "contribution": 1}, "step2": [0, 0]}', /neither 0 nor 1/],
    ["a step twice with other marks", '{"step1": {"alignment": 1, "contribution": 0}, "step1": {"alignment": 0, "contribution": 0}, "step2": [0,0]}', /stands twice/],
    ["a step twice under two names", '{"step1": [1, 0], "Step 1": [0, 0], "step2": [0, 0]}', /step 1 has two different marks/],
    ["other JSON", '{"answer": "yes"}', /no marks/],
  ])("asks again for %s", (_name, text, message) => {
    const parsed = parseChain(text, 2);
    expect("error" in parsed ? parsed.error : JSON.stringify(parsed)).toMatch(message);
  });
});
