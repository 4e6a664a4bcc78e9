import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadDataset } from "../src/datasets/dataset.js";
import { writePhantomDataset } from "../src/datasets/phantom/index.js";
import { openRun } from "../src/store/reader.js";
import { commandFolder, type Cli, type Ended } from "./support/cli.js";
import { askedCase, marks, startScriptedLlm, type Action, type ScriptedLlm, type SeenRequest } from "./support/scripted-llm.js";

const KEY = "sk-key-that-must-not-be-seen";
const startPolicy = fileURLToPath(new URL("../assets/start/phantom-biased", import.meta.url));

const { folder, cli: run } = commandFolder("judge", { OPENAI_API_KEY: KEY });
let server: ScriptedLlm;
const outputs: Ended[] = [];
const cli: Cli = async (args, input) => {
  const ended = await run(args, input);
  outputs.push(ended);
  return ended;
};
beforeAll(async () => {
  await writePhantomDataset(join(folder, "phantom"), { train: 4, test: 6, seed: 3 });
  server = await startScriptedLlm(fromGold);
}, 400_000);
afterAll(() => server.close());

/** A step is aligned where the expert's reasoning has it word for word. */
function fromGold({ question }: SeenRequest): Action {
  const { expert_reasoning: gold, student_steps: steps } = askedCase(question);
  return { reply: marks(Object.values(steps).map((step) => gold.includes(step))) };
}

/** Chains of the training examples, the second step of each replaced. */
function chains(): { id: number; steps: string[]; [key: string]: unknown }[] {
  return loadDataset(join(folder, "phantom"), { split: "train" }).examples.map(({ image, question, answer, goldReasoning }, id) => ({
    id, image, question, answer, goldReasoning,
    steps: (goldReasoning ?? "").split(/(?<=\.)\s+/).map((step, k) => (k === 1 ? "Nothing is to be seen." : step)),
  }));
}

const jsonLines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
const asked = (): string[] => ["--judge-url", server.url, "--judge-model", "m", "--judge-cache", "judged.sqlite", "--concurrency", "2"];

/** Every file below a folder, as Latin-1 text. */
function everyFile(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: "utf8" }).map((name) => join(dir, name)).filter((path) => statSync(path).isFile()).map((path) => readFileSync(path, "latin1"));
}

describe("breakwater judge, as a process", () => {
  it("judges through failures, pays nothing twice, and answers with the same bytes", { timeout: 120_000 }, async () => {
    server.script = (request) => {
      if (request.earlier === 0) return { status: 500, body: { error: { message: `the key ${KEY} met an error` } } };
      return fromGold(request);
    };
    const input = jsonLines(chains());
    const first = await cli(["judge", ...asked()], input);
    expect(first.code).toBe(0);
    const verdicts = first.stdout.trim().split("\n").map((line) => JSON.parse(line) as { id: number; status: string; steps: { valid: boolean }[] });
    expect(verdicts.map(({ id, status }) => [id, status])).toEqual([0, 1, 2, 3].map((id) => [id, "judged"]));
    for (const { steps } of verdicts) expect(steps.map(({ valid }) => valid)).toEqual(steps.map((_, k) => k !== 1));
    const paid = server.seen.length;
    const again = await cli(["judge", ...asked()], input);
    expect(again.stdout).toBe(first.stdout);
    expect(again.stderr).toContain("4 cached");
    expect(server.seen.length).toBe(paid);
    expect(server.seen.every(({ authorization }) => authorization === `Bearer ${KEY}`)).toBe(true);
  });

  it("calibrate reports agreement with labels", { timeout: 120_000 }, async () => {
    server.script = fromGold;
    // The labels call the third step wrong too, which the judge does not see.
    const labelled = chains().map((chain) => ({ ...chain, steps: chain.steps.map((text, k) => ({ text, alignment: k === 1 || k === 2 ? 0 : 1, contribution: 0 })) }));
    writeFileSync(join(folder, "labelled.jsonl"), jsonLines(labelled));
    const { code, stdout } = await cli(["judge", "calibrate", "labelled.jsonl", ...asked(), "--json", "agreement.json", "--markdown", "agreement.md"]);
    expect(code).toBe(0);
    expect(stdout).toContain("4 of 4 chains judged.");
    // Of 24 steps the judge calls 20 aligned, the labels 16: both 1 16, judge only 4, both 0 4, so kappa is 4/7.
    expect(stdout).toMatch(/alignment +24 +83\.3% +0\.571 \[.*\] +16 +4 +0 +4\n/);
    expect(readFileSync(join(folder, "agreement.md"), "utf8")).toContain("0.571");
    expect(existsSync(join(folder, "agreement.json"))).toBe(true);
  });

  it("mistakes name what is wrong and the way out", { timeout: 120_000 }, async () => {
    const missing = await cli(["judge", "nothing.jsonl", ...asked()]);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining("there is no file nothing.jsonl; correct the path")]);
    const scheme = await cli(["judge", "--judge-url", "localhost:8000/v1", "--judge-model", "m"]);
    expect([scheme.code, scheme.stderr]).toEqual([1, expect.stringContaining("localhost:8000/v1: an http or https address is needed")]);
    const image = await cli(["judge", ...asked()], jsonLines([{ ...chains()[0], image: "gone.png" }]));
    expect([image.code, image.stderr]).toEqual([1, expect.stringContaining("line 1: id 0: there is no image gone.png")]);
  });
});

describe("train with the LLM judge and the local engine", () => {
  it("finishes through failures; a refused chain is unscored and in no mean; judging ahead gives a whole run too", { timeout: 300_000 }, async () => {
    for (const staleness of ["0", "1"]) {
      const refused = new Set<string>();
      server.script = (request) => {
        if (request.earlier === 0 && request.question.length % 5 === 0) return { status: 429, headers: { "retry-after": "0" } };
        if (refused.size === 0) refused.add(request.question);
        return refused.has(request.question) ? { reply: "I cannot help with that." } : fromGold(request);
      };
      const output = `run-${staleness}`;
      const { code, stdout, stderr } = await cli([
        "train", "--data.path", "phantom", "--model", startPolicy, "--judge.kind", "llm", "--judge.url", server.url, "--judge.models", "m", "--rewards.encoder", "none",
        "--steps", "2", "--batch.prompts", "2", "--sampling.group-size", "3", "--sampling.max-tokens", "128", "--sampling.max-staleness", staleness, "--engine.workers", "1", "--engine.threads", "1", "--output", output,
      ]);
      expect(code, stderr).toBe(0);
      const reader = openRun(join(folder, output));
      const rollouts = reader.rollouts();
      const metrics = reader.metrics();
      reader.close();
      expect(metrics.map(({ step }) => step)).toEqual([1, 2]);
      // A chain that stands in its group more than once is refused each time.
      const unscored = rollouts.filter(({ verdict }) => verdict?.status === "unscored");
      expect(unscored.length).toBeGreaterThan(0);
      expect(metrics.reduce((sum, one) => sum + one.unscored, 0)).toBe(unscored.length);
      for (const { advantage, tokenAdvantages } of unscored) expect([advantage, ...tokenAdvantages].every((value) => value === 0)).toBe(true);
      expect(rollouts).toHaveLength(12);
      expect(stdout).toMatch(/unscored \d.*judge: \d+ judged/);
    }
  });

  it("the key is in no output and no file", () => {
    expect(outputs.length).toBeGreaterThan(5);
    for (const { stdout, stderr } of outputs) expect(stdout + stderr).not.toContain(KEY);
    for (const text of everyFile(folder)) expect(text.includes(KEY)).toBe(false);
  });
});
