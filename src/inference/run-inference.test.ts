import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { tabularConfig, tabularParts } from "../../test/support/tabular-task.js";
import type { Question } from "./data.js";
import type { Generator, Outcome, Task } from "./generator.js";
import { localGenerator } from "./local-generator.js";
import { readInferenceFile } from "./record.js";
import { journalFile, runInference, settingsFile, type InferenceOptions } from "./run-inference.js";

let folder: string;
let out: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "breakwater-infer-"));
  out = join(folder, "out.json");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const questions: Question[] = Array.from({ length: 12 }, (_, i) => ({
  dataset: i < 6 ? "a" : "b",
  example: { id: `q${i}`, image: null, question: `What is ${i}?`, answer: String(i), goldReasoning: null, kind: "count" },
}));

/** Answers by rule; `fate` may fail a task or throw. */
function scripted(asked: string[], fate: (id: string) => Outcome | Error | null = () => null, more: Partial<Generator> = {}): Generator {
  return {
    unit: 1,
    concurrency: 3,
    retriesFailures: true,
    generate: async (tasks) => {
      const outcomes: Outcome[] = [];
      for (const { question, sample, seed } of tasks) {
        await new Promise((resolve) => setImmediate(resolve));
        const { id, answer } = question.example;
        asked.push(`${id}.${sample}`);
        const special = fate(id);
        if (special instanceof Error) throw special;
        outcomes.push(special ?? { status: "done", text: `<think>Seed ${seed % 97}.</think><answer>${answer}</answer>`, tokens: 5, truncated: false });
      }
      return outcomes;
    },
    close: () => Promise.resolve(),
    ...more,
  };
}

function run(generator: Generator, more: Partial<InferenceOptions> = {}): ReturnType<typeof runInference> {
  return runInference({ questions, settings: { model: "m", temperature: 0 }, out, samples: 1, seed: 0, open: () => Promise.resolve(generator), ...more });
}

const bytes = (): string[] => [readFileSync(out, "utf8"), readFileSync(settingsFile(out), "utf8")];

describe("runInference", () => {
  it("writes the questions in order, with the reference's keys, and leaves no journal", async () => {
    const asked: string[] = [];
    expect(await run(scripted(asked))).toEqual({ total: 12, before: 0, failed: 0, reasons: {}, noAnswer: 0 });
    const rows = readInferenceFile(out);
    expect(rows.map(({ id, dataset, answer }) => [id, dataset, answer])).toEqual(questions.map(({ dataset, example }) => [example.id, dataset, example.answer]));
    expect(readdirSync(folder).sort()).toEqual(["out.json", "out.json.settings.json"]);
    // A second run has nothing to do and opens no model.
    const before = bytes();
    expect(await run(scripted([]), { open: () => Promise.reject(new Error("opened")) })).toMatchObject({ before: 12, failed: 0 });
    expect(bytes()).toEqual(before);
  });

  it("goes on after a stop at any question, to the same bytes, asking nothing twice", async () => {
    await run(scripted([]));
    const straight = bytes();
    for (const place of [0, 5, 11]) {
      rmSync(out);
      rmSync(settingsFile(out));
      const first: string[] = [];
      await expect(run(scripted(first, (id) => (id === `q${place}` ? new Error("server gone") : null), { concurrency: 1 }))).rejects.toThrow("server gone");
      expect(existsSync(out)).toBe(false);
      const second: string[] = [];
      expect(await run(scripted(second))).toMatchObject({ before: place });
      expect(second.sort()).toEqual(questions.slice(place).map(({ example }) => `${example.id}.0`).sort());
      expect(bytes()).toEqual(straight);
    }
  });

  it("a line of the journal that was cut off does not count; a stop by signal keeps the rest", async () => {
    await run(scripted([]));
    const straight = bytes();
    rmSync(out);
    rmSync(settingsFile(out));
    const controller = new AbortController();
    const stopped = run(scripted([], (id) => (id === "q7" ? (controller.abort(new Error("stopped")), null) : null), { concurrency: 1 }), { signal: controller.signal });
    await expect(stopped).rejects.toThrow("stopped");
    appendFileSync(journalFile(out), '{"at":8,"value":{"status":"do');
    const asked: string[] = [];
    await run(scripted(asked));
    expect(asked).toHaveLength(4);
    expect(bytes()).toEqual(straight);
  });

  it("records failures as failed, never as answers, and asks them again", async () => {
    await run(scripted([]));
    const straight = bytes();
    rmSync(out);
    rmSync(settingsFile(out));
    const bad: Outcome = { status: "failed", reason: "HTTP 500" };
    expect(await run(scripted([], (id) => (id === "q3" || id === "q9" ? bad : null)))).toMatchObject({ failed: 2, reasons: { "HTTP 500": 2 } });
    expect(readInferenceFile(out)[3]).toMatchObject({ text: null, think: null, answer: null, failed: "HTTP 500" });
    const asked: string[] = [];
    expect(await run(scripted(asked))).toMatchObject({ before: 10, failed: 0 });
    expect(asked.sort()).toEqual(["q3.0", "q9.0"]);
    expect(bytes()).toEqual(straight);
  });

  it("does so in a plain file too, which holds six keys", async () => {
    await run(scripted([], (id) => (id === "q3" ? { status: "failed", reason: "x" } : null)), { plain: true });
    for (const row of JSON.parse(readFileSync(out, "utf8")) as object[]) expect(Object.keys(row)).toEqual(["problem", "image", "solution", "text", "think", "answer"]);
    const asked: string[] = [];
    await run(scripted(asked), { plain: true });
    expect(asked).toEqual(["q3.0"]);
  });

  it("refuses a file of other settings, of other questions, or of another program", async () => {
    await run(scripted([]));
    await expect(run(scripted([]), { settings: { model: "other", temperature: 0 } })).rejects.toThrow(/settings \(model "m", now "other"\).*--out/);
    await expect(run(scripted([]), { questions: questions.slice(1) })).rejects.toThrow(/the questions/);
    rmSync(settingsFile(out));
    await expect(run(scripted([]))).rejects.toThrow(/not written by breakwater infer/);
    writeFileSync(journalFile(out), "{}\n");
    await expect(run(scripted([]))).rejects.toThrow(/other settings/);
  });

  it("samples several completions of a question with seeds of their own", async () => {
    await run(scripted([]), { samples: 3 });
    const rows = readInferenceFile(out);
    expect(rows.map(({ id, sample }) => `${id}.${sample}`).slice(0, 4)).toEqual(["q0.0", "q0.1", "q0.2", "q1.0"]);
    expect(new Set(rows.map(({ think }) => think)).size).toBeGreaterThan(20);
  });
});

describe("a model of the engine", () => {
  const config = tabularConfig("unused");
  const asQuestions = (parts: ReturnType<typeof tabularParts>): Question[] => parts.examples.map((example) => ({ dataset: "t", example }));
  const options = { temperature: 1, topP: 1, maxTokens: 12, stop: ["</answer>"], samples: 2, batch: 3 };

  it("gives the same completions whatever units were done before", async () => {
    const parts = tabularParts(config);
    const mine = asQuestions(parts);
    const generator = (): Generator => localGenerator(tabularParts(config).engine, parts.codec, options);
    await run(generator(), { questions: mine, samples: 2 });
    const straight = bytes();
    rmSync(out);
    rmSync(settingsFile(out));
    const inner = generator();
    let units = 0;
    const dies: Generator = { ...inner, generate: (tasks: readonly Task[], signal) => (++units > 3 ? Promise.reject(new Error("killed")) : inner.generate(tasks, signal)) };
    await expect(run(dies, { questions: mine, samples: 2 })).rejects.toThrow("killed");
    // The kill fell into the writing of a unit: one of its completions is missing, so all of it is made again.
    const journal = readFileSync(journalFile(out), "utf8").trimEnd().split("\n");
    writeFileSync(journalFile(out), `${journal.slice(0, -1).join("\n")}\n`);
    await run(generator(), { questions: mine, samples: 2 });
    expect(bytes()).toEqual(straight);
  });

  it("says of questions that do not fit that they failed, and asks them no second time", async () => {
    const parts = tabularParts(config, { maxSequenceTokens: 5 });
    let calls = 0;
    const inner = localGenerator(parts.engine, parts.codec, options);
    const counted: Generator = { ...inner, generate: (tasks, signal) => (calls++, inner.generate(tasks, signal)) };
    const mine = asQuestions(parts).slice(0, 3);
    const result = await run(counted, { questions: mine, samples: 2 });
    expect(result).toMatchObject({ failed: 6 });
    expect(Object.keys(result.reasons)[0]).toMatch(/prompt's 2 tokens and 12 new ones exceed the model's 5/);
    await run(counted, { questions: mine, samples: 2 });
    expect(calls).toBe(1);
  });
});
