import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findJson } from "./json.js";

describe("JSON as models write it", () => {
  test.each<[string, string, unknown]>([
    ["plain", '{"a": 1}', { a: 1 }],
    ["in a fence", '```json\n{"a": [1, 2]}\n```', { a: [1, 2] }],
    ["in prose with brackets", 'Marks [as asked], {so}: {"a": {"b": 0}} Done.', { a: { b: 0 } }],
    ["trailing commas", '{"a": [1, 2,], "b": 2,}', { a: [1, 2], b: 2 }],
    ["single quotes and bare keys", "{a: 'x', 'b': \"it's\"}", { a: "x", b: "it's" }],
    ["Python's words", "{'a': True, 'b': None, 'c': False}", { a: true, b: null, c: false }],
    ["comments", '{"a": 1, // one\n /* two */ "b": 2}', { a: 1, b: 2 }],
    ["escapes", '{"a": "\\u00e9\\n\\"x\\""}', { a: 'é\n"x"' }],
    ["a key twice with the same value", '{"a": 1, "a": 1}', { a: 1 }],
    ["after shown reasoning", '<think>{"a": 0}</think>{"a": 1}', { a: 1 }],
    ["a key named like a prototype's", '{"__proto__": 1}', JSON.parse('{"__proto__": 1}')],
  ])("%s", (_name, text, value) => {
    expect(findJson(text).at(-1)).toEqual({ value });
  });

  test.each<[string, string, RegExp]>([
    ["half of it", '{"a": {"b": 1}, "c": {"b"', /ends before it is complete/],
    ["half a string", '{"a": "xy', /ends before/],
    ["two values for a key", '{"a": 1, "a": 0}', /"a" stands twice/],
  ])("tells what is wrong with %s", (_name, text, message) => {
    const last = findJson(text).at(-1);
    expect(last && "error" in last ? last.error : "").toMatch(message);
  });

  test("several, in order; nothing where there is none", () => {
    expect(findJson('first {"a": 1} then [2]')).toEqual([{ value: { a: 1 } }, { value: [2] }]);
    for (const text of ["", "I'm sorry.", "[see above]", "{not json}"]) expect(findJson(text)).toEqual([]);
  });

  test("reads whatever JSON.stringify writes", () => {
    fc.assert(
      fc.property(fc.oneof(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), fc.array(fc.jsonValue({ maxDepth: 3 }))), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/<think/i.test(text));
        expect(findJson(text)).toEqual([{ value: JSON.parse(text) as unknown }]);
      }),
    );
  });

  test("ends on any text, deep nesting too", () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom("{", "}", "[", "]", '"', ":", ",", "a", "1", "\\", " ", "'") }), (text) => void findJson(text)));
    expect(findJson("[".repeat(2000)).length).toBeGreaterThanOrEqual(0);
  });
});
