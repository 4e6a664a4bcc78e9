import { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { askedSteps, marks, startScriptedLlm, type ScriptedLlm } from "../../test/support/scripted-llm.js";
import type { Judge } from "../judges/judge.js";
import { openLlmJudge, type OpenJudgeOptions } from "../judges/llm/open.js";
import { judgeFilter } from "./judge-filter.js";

let server: ScriptedLlm;
let judge: Judge | undefined;
beforeEach(async () => {
  server = await startScriptedLlm((request) => ({ reply: marks(askedSteps(request).map((text) => text.includes("right"))) }));
});
afterEach(async () => {
  await judge?.close?.();
  await server.close();
});

function open(options: Partial<OpenJudgeOptions> = {}): Judge {
  return (judge = openLlmJudge({ url: server.url, models: ["m"], apiKey: null, backoffMs: 5, ...options }));
}

function line(id: unknown, steps: readonly string[], more: object = {}): string {
  return JSON.stringify({ id, image: null, question: `Q ${String(id)}?`, answer: "x", goldReasoning: "It is x.", steps, ...more });
}

async function run(input: AsyncIterable<string>, filter: { judge: Judge; signal?: AbortSignal; window?: number }) {
  let output = "";
  let errors = "";
  const sink = (add: (text: string) => void) => new Writable({ write: (chunk: Buffer, _encoding, done) => (add(chunk.toString()), done()) });
  const io = { input, source: "test", output: sink((text) => (output += text)), errors: sink((text) => (errors += text)) };
  let error: unknown = null;
  const bad = await judgeFilter(io, filter.judge, { signal: filter.signal ?? new AbortController().signal, window: filter.window ?? 8 }).catch((caught: unknown) => ((error = caught), -1));
  const lines = output.split("\n").filter(Boolean).map((text) => JSON.parse(text) as { id: unknown; status: string; reason?: string; steps: unknown[] });
  return { lines, errors, bad, error };
}

const lines = (...texts: readonly string[]) => Readable.from(texts.map((text) => `${text}\n`));

describe("judge filter", () => {
  test("verdicts in input order, however long each takes", async () => {
    server.script = async (request) => {
      await new Promise((resolve) => setTimeout(resolve, /Q [02468]\?/.test(request.question) ? 40 : 1));
      return { reply: marks(askedSteps(request).map((text) => text.includes("right"))) };
    };
    const { lines: out, bad } = await run(lines(...Array.from({ length: 10 }, (_, i) => line(i, ["right", "wrong"]))), { judge: open() });
    expect(bad).toBe(0);
    expect(out.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(out[3]).toEqual({ id: 3, status: "judged", steps: [{ alignment: 1, contribution: 0, valid: true }, { alignment: 0, contribution: 0, valid: false }] });
  });

  test("bad lines are named and passed over; what cannot be judged says why", async () => {
    server.script = (request) => (request.question.includes("Q refuse?") ? { reply: "I will not." } : { reply: marks(askedSteps(request).map(() => true)) });
    const input = lines(line("a", ["x"]), "{", line("b", ["x"], { image: "/no/such.png" }), line("refuse", ["x"]), line("gold", ["x"], { goldReasoning: null }), line("none", []), '{"id": "c"}', line("a", ["x"]));
    const { lines: out, errors, bad } = await run(input, { judge: open() });
    expect(bad).toBe(4);
    for (const text of ["line 2: not JSON", 'line 3: id "b": there is no image /no/such.png', "line 7: ", 'line 8: id "a" stands already on line 1']) expect(errors).toContain(text);
    expect(out).toEqual([
      { id: "a", status: "judged", steps: [{ alignment: 1, contribution: 0, valid: true }] },
      { id: "refuse", status: "unscored", reason: "the reply holds no JSON (asked 3 times)", steps: [] },
      { id: "gold", status: "unscored", reason: "no gold reasoning to judge by", steps: [] },
      { id: "none", status: "judged", steps: [] },
    ]);
  });

  test("reads no further ahead than its window", async () => {
    let read = 0;
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    server.script = async (request) => {
      await held;
      return { reply: marks(askedSteps(request).map(() => true)) };
    };
    async function* input() {
      for (; read < 50; read++) yield `${line(read, ["x"])}\n`;
    }
    const ended = run(input(), { judge: open(), window: 5 });
    while (server.seen.length < 5) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(read).toBeLessThanOrEqual(6);
    release();
    expect((await ended).lines).toHaveLength(50);
  });

  test("what ends all judging ends it, after the lines before", async () => {
    server.script = (request) => (request.question.includes("Q 2?") ? { status: 401, body: { error: { message: "no such key" } } } : { reply: marks(askedSteps(request).map(() => true)) });
    const { lines: out, error, errors } = await run(lines(...[0, 1, 2, 3].map((i) => line(i, ["x"]))), { judge: open() });
    expect(out.map(({ id }) => id)).toEqual([0, 1]);
    expect(String(error)).toMatch(/refuses access/);
    expect(errors).toBe("");
  });

  test("an abort ends it even while it waits for input", async () => {
    const abort = new AbortController();
    async function* input() {
      yield `${line(0, ["x"])}\n`;
      setTimeout(() => abort.abort(new Error("enough")), 50);
      await new Promise(() => undefined);
    }
    const { error } = await run(input(), { judge: open(), signal: abort.signal });
    expect(String(error)).toContain("enough");
  });
});
