import { Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { cascadeFilter } from "./cascade-filter.js";
import type { FilterIo } from "./filter.js";
import { shapeFilter } from "./shape-filter.js";
import { stepsFilter } from "./steps-filter.js";

interface Outcome {
  readonly bad: number;
  readonly out: Record<string, unknown>[];
  readonly errors: string[];
}

/** Runs a filter on lines given as values or raw text, cut into chunks of a few bytes. */
async function run(filter: (io: FilterIo) => Promise<number>, lines: readonly unknown[], chunk = 7): Promise<Outcome> {
  const bytes = Buffer.from(lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"), "utf8");
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunk) yield Promise.resolve(bytes.subarray(at, at + chunk));
  }
  const sink = (): { stream: Writable; text: () => string } => {
    const parts: string[] = [];
    const stream = new Writable({
      highWaterMark: 16,
      write(part: Buffer, _encoding, done) {
        parts.push(part.toString("utf8"));
        setImmediate(done);
      },
    });
    return { stream, text: () => parts.join("") };
  };
  const output = sink();
  const errors = sink();
  const bad = await filter({ input: chunks(), source: "test.jsonl", output: output.stream, errors: errors.stream });
  output.stream.end();
  errors.stream.end();
  await Promise.all([output.stream, errors.stream].map((stream) => new Promise((done) => stream.on("finish", done))));
  const rows = output.text().split("\n").filter(Boolean);
  return { bad, out: rows.map((row) => JSON.parse(row) as Record<string, unknown>), errors: errors.text().split("\n").filter(Boolean) };
}

describe("steps", () => {
  test("lines in order, tags by line, offsets into the text", async () => {
    const { bad, out } = await run(stepsFilter, [
      { id: "a", text: "<think>🫁 ok. Fine.</think><answer>x</answer>" },
      "",
      { id: 2, text: "<thinking>One.</thinking>", thinkTag: "thinking" },
      { id: "c", text: "One. Two.", opened: true },
    ]);
    expect(bad).toBe(0);
    expect(out).toEqual([
      { id: "a", answer: "x", steps: [{ text: "🫁 ok.", start: 7, end: 13 }, { text: "Fine.", start: 14, end: 19 }] },
      { id: 2, answer: null, steps: [{ text: "One.", start: 10, end: 14 }] },
      { id: "c", answer: null, steps: [{ text: "One.", start: 0, end: 4 }, { text: "Two.", start: 5, end: 9 }] },
    ]);
  });

  test("bad lines are named with their number, good ones are written", async () => {
    const { bad, out, errors } = await run(stepsFilter, [
      '\ufeff{"id": "a", "text": "x"}\r',
      "{broken",
      { id: "b" },
      { id: "a", text: "y" },
      { id: "c", text: "z", thinkTag: "thought" },
      '{"id": "d", "text": NaN}',
      { text: "no id" },
      { id: "e", text: "last" },
    ]);
    expect(out.map((row) => row.id)).toEqual(["a", "e"]);
    expect(bad).toBe(6);
    expect(errors).toEqual([
      expect.stringMatching(/^breakwater: test\.jsonl, line 2: not JSON/),
      expect.stringMatching(/line 3: text: is missing$/),
      expect.stringMatching(/line 4: id "a" stands already on line 1/),
      expect.stringMatching(/line 5: thinkTag: .*"think"\|"thinking"/),
      expect.stringMatching(/line 6: not JSON.*write null/),
      expect.stringMatching(/line 7: id: is missing$/),
    ]);
  });

  test("bytes that are no UTF-8", async () => {
    const bytes = Buffer.concat([Buffer.from('{"id":"a","text":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}\n{"id":"b","text":""}\n')]);
    const seen: string[] = [];
    const errors = new Writable({ write(part: Buffer, _e, done) { seen.push(part.toString()); done(); } });
    const output = new Writable({ write(part: Buffer, _e, done) { seen.push(part.toString()); done(); } });
    async function* one(): AsyncGenerator<Uint8Array> { yield Promise.resolve(bytes); }
    expect(await stepsFilter({ input: one(), source: "s", output, errors })).toBe(1);
    expect(seen).toEqual(["breakwater: s, line 1: not UTF-8\n", '{"id":"b","answer":null,"steps":[]}\n']);
  });

  test("waits for a slow reader", async () => {
    let open = 0;
    let most = 0;
    const output = new Writable({
      highWaterMark: 1,
      write(_part, _encoding, done) {
        open--;
        setTimeout(done, 1);
      },
    });
    async function* lines(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 50; i++) {
        most = Math.max(most, ++open);
        yield await Promise.resolve(Buffer.from(`{"id": ${i}, "text": ""}\n`));
      }
    }
    await stepsFilter({ input: lines(), source: "s", output, errors: output });
    expect(most).toBeLessThanOrEqual(3);
  });
});

const step = (start: number, end: number, valid: boolean | null) => ({ start, end, valid });
const rollout = (answer: number | null, steps: readonly object[], tokens = 6, process: number | null = 0) => ({ rewards: { answer, process, length: 0 }, tokens, steps });

describe("shape", () => {
  test("mrpo by hand", async () => {
    const rollouts = [rollout(1, [step(1, 3, false)]), rollout(0, [step(1, 3, false), step(3, 5, true)])];
    const { out } = await run(shapeFilter, [{ id: "g", method: "mrpo", rollouts }]);
    const a = 0.5 / (Math.SQRT1_2 + 1e-4);
    expect(out).toEqual([{ id: "g", advantages: [a, -a], tokenAdvantages: [[a, a, a, a, a, a], [-a, -Math.E * a, -Math.E * a, a, a, -a]] }]);
  });

  test("options, null rewards and null steps", async () => {
    const rollouts = [rollout(1, []), rollout(0, [step(0, 6, false)]), rollout(0, [step(0, 6, null)]), rollout(null, []), rollout(0, [], 2, null)];
    const { out } = await run(shapeFilter, [
      { id: "g", method: "mrpo", rollouts, options: { normalise: "none", decay: "uniform", weights: { answer: 2 } } },
    ]);
    expect(out[0].advantages).toEqual([1, -1, 0, 0, 0]);
    expect(out[0].tokenAdvantages).toEqual([[1, 1, 1, 1, 1, 1], [-1, -1, -1, -1, -1, -1], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 0]]);
  });

  test("gdpo normalises over all lines and keeps the order among other methods", async () => {
    const group = (a: number, b: number) => [rollout(a, [], 1), rollout(b, [], 1)];
    const together = await run(shapeFilter, [
      { id: 1, method: "gdpo", rollouts: group(1, 0) },
      { id: 2, method: "grpo", rollouts: group(1, 0) },
      "oops",
      { id: 3, method: "gdpo", rollouts: group(0.5, 0.5) },
    ]);
    expect(together.out.map((row) => row.id)).toEqual([1, 2, 3]);
    expect(together.bad).toBe(1);
    const z = 0.5 / (Math.SQRT1_2 + 1e-4);
    const std = Math.sqrt((2 * z * z) / 3);
    const [first] = together.out[0].advantages as number[];
    expect(first).toBeCloseTo(z / (std + 1e-4), 12);
    expect(together.out[2].advantages).toEqual([0, 0]);
  });

  test("full double precision", async () => {
    const answer = 0.1 + 0.2;
    const { out } = await run(shapeFilter, [{ id: "g", method: "grpo", rollouts: [rollout(answer, [], 0), rollout(0, [], 0)], options: { normalise: "none" } }]);
    expect(out[0].advantages).toEqual([answer / 2, -answer / 2]);
  });

  test.each([
    ["method", { id: 1, method: "ppo", rollouts: [rollout(0, [])] }, /method: .*"mrpo"/],
    ["no rollouts", { id: 1, method: "grpo", rollouts: [] }, /rollouts: a group needs at least one/],
    ["missing reward", { id: 1, method: "grpo", rollouts: [{ rewards: { answer: 1, length: 0 }, tokens: 1, steps: [] }] }, /rollouts\[0\]\.rewards\.process: is missing/],
    ["missing valid", { id: 1, method: "grpo", rollouts: [{ ...rollout(0, [{ start: 0, end: 1 }]) }] }, /rollouts\[0\]\.steps\[0\]\.valid: is missing/],
    ["beyond the tokens", { id: 1, method: "grpo", rollouts: [rollout(0, [step(0, 7, true)])] }, /rollouts\[0\]\.steps\[0\]: span 0–7 goes beyond the 6 tokens/],
    ["overlap", { id: 1, method: "mrpo", rollouts: [rollout(0, [step(0, 3, true), step(2, 4, true)])] }, /steps\[1\]: span 2–4 overlaps/],
    ["backwards", { id: 1, method: "mrpo", rollouts: [rollout(0, [step(3, 2, true)])] }, /ends before it starts/],
    ["infinite", '{"id":1,"method":"grpo","rollouts":[{"rewards":{"answer":1e999,"process":0,"length":0},"tokens":1,"steps":[]}]}', /rewards\.answer: must be a number, or null/],
    ["too many tokens", { id: 1, method: "grpo", rollouts: [rollout(0, [], 1e12)] }, /tokens: /],
    ["unknown option", { id: 1, method: "mrpo", rollouts: [rollout(0, [])], options: { dekay: "linear" } }, /options: .*dekay/],
    ["gdpo without std", { id: 1, method: "gdpo", rollouts: [rollout(0, [])], options: { normalise: "none" } }, /normalise/],
    ["variant without its facts", { id: 1, method: "mrpo", rollouts: [rollout(0, [step(0, 1, false)]), rollout(0.5, [])], options: { shaping: "own-fact" } }, /id 1: shaping "own-fact" needs/],
  ])("refuses: %s", async (_, line, message) => {
    const { bad, out, errors } = await run(shapeFilter, [line, { id: "good", method: "grpo", rollouts: [rollout(0, [], 1)] }]);
    expect(bad).toBe(1);
    expect(errors[0]).toMatch(message);
    expect(errors[0]).toMatch(/^breakwater: test\.jsonl, line 1: /);
    expect(out).toEqual([{ id: "good", advantages: [0], tokenAdvantages: [[0]] }]);
  });
});

describe("cascade", () => {
  test("one summary at the end", async () => {
    const { bad, out, errors } = await run(cascadeFilter, [
      { id: "a", valid: [false, true] },
      { id: "b", valid: [true, null] },
      { id: "c", valid: [] },
      { id: "d", valid: [1, 0] },
    ]);
    expect(bad).toBe(1);
    expect(errors[0]).toMatch(/line 4: valid\[0\]: must be true, false, or null/);
    expect(out).toHaveLength(1);
    expect(out[0]).toMatchObject({ formula: "(k*-1)/K", chains: 3, judged: 1, leftOut: { chains: 2, noSteps: 1, unjudgedStep: 1 }, badLines: 1 });
  });

  test("of an empty input", async () => {
    expect((await run(cascadeFilter, [])).out).toMatchObject([{ chains: 0, meanValidity: null }]);
  });
});
