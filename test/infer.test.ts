import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writePhantomDataset } from "../src/datasets/phantom/index.js";
import { readInferenceFile } from "../src/inference/record.js";
import { RandomStream } from "../src/util/random.js";
import { command, commandFolder, startCompiled, type Ended } from "./support/cli.js";
import { startScriptedLlm, type ScriptedLlm } from "./support/scripted-llm.js";

const vqaRad = join(import.meta.dirname, "../../shared/data/vqa-rad");
const startPolicy = join(import.meta.dirname, "../assets/start/phantom-biased");
const KEY = "sk-key-that-must-not-be-seen";

const { folder, cli } = commandFolder("infer-cli");
let server: ScriptedLlm;
beforeAll(async () => {
  await writePhantomDataset(join(folder, "phantom"), { train: 2, test: 24, seed: 5 });
  // Stands in for vLLM and for the judge: an answer by the question's length, a grade by the answers' first letters.
  server = await startScriptedLlm(({ question, format }) => {
    if (format !== null) {
      const [, gold, answer] = /Reference answer: "(.?)[\s\S]*Candidate answer: "(.?)/.exec(question) ?? [];
      return { reply: JSON.stringify({ verdict: gold?.toLowerCase() === answer ? "correct" : "incorrect" }), delayMs: 8 };
    }
    return { reply: `<thinking>It has ${question.length} letters. It is ${question.length % 2 === 0 ? "left" : "right"}.</thinking><answer>${question.length % 2 === 0 ? "left" : "right"}</answer>`, delayMs: 8 };
  });
}, 400_000);
afterAll(() => server.close());

const seed = Number(process.env.BREAKWATER_KILL_SEED ?? Date.now() % 1e6);
const random = new RandomStream(seed);

function start(args: readonly string[], killAfter: number | null): Promise<Ended> {
  const { child, ended } = startCompiled(command, args, { cwd: folder, environment: { OPENAI_API_KEY: KEY } });
  if (killAfter !== null) killWhenBusy(() => child.kill("SIGKILL"), killAfter);
  return ended;
}

/** Kills so many requests after now: by the work done, not by the clock, so that a slow machine is killed in its work too. */
function killWhenBusy(kill: () => void, requests: number): void {
  const from = server.seen.length;
  const timer = setInterval(() => {
    if (server.seen.length - from < requests) return;
    clearInterval(timer);
    kill();
  }, 2);
  timer.unref();
}

const bytesOf = (names: readonly string[]): string[] => names.map((name) => readFileSync(join(folder, name), "utf8"));

describe("infer and eval answers killed at random moments", () => {
  it("end with the bytes of those never interrupted; nothing is asked twice of the judge; no key is kept", { timeout: 300_000 }, async () => {
    const infer = (out: string): string[] => ["infer", "--url", server.url, "--model-name", "qwen3-vl", "--data", "phantom", "--out", out, "--concurrency", "2"];
    expect(await start(infer("straight.json"), null)).toMatchObject({ code: 0, output: expect.stringContaining("24 of 24 completions") as string });
    let kills = 0;
    for (const after of [3, 2 + random.int(6)]) kills += (await start(infer("killed.json"), after)).signal === "SIGKILL" ? 1 : 0;
    expect(kills).toBeGreaterThan(0);
    const before = server.seen.length;
    expect({ seed, ...(await start(infer("killed.json"), null)) }).toMatchObject({ seed, code: 0, output: expect.stringContaining("from an earlier run") as string });
    expect(server.seen.length - before).toBeLessThan(24);
    expect(bytesOf(["killed.json", "killed.json.settings.json"])).toEqual(bytesOf(["straight.json", "straight.json.settings.json"]));

    const judge = (file: string, out: string): string[] => ["eval", "answers", file, "--judge-url", server.url, "--judge-model", "grader", "--name", "x", "--concurrency", "2", "--out", out];
    expect(await start(judge("straight.json", "judged.json"), null)).toMatchObject({ code: 0, output: expect.stringMatching(/Judge grader: \d+ correct, \d+ incorrect/) as string });
    const from = server.seen.length;
    for (const after of [3 + random.int(6)]) await start(judge("straight.json", "judged-again.json"), after);
    expect(await start(judge("straight.json", "judged-again.json"), null)).toMatchObject({ code: 0 });
    expect(bytesOf(["judged-again.json"])).toEqual(bytesOf(["judged.json"]));
    // What was under way at the kill may be asked again: at most two calls.
    expect(server.seen.length - from).toBeLessThanOrEqual(24 + 2);
    // Finished, it asks nobody.
    const done = server.seen.length;
    await start(judge("straight.json", "judged-again.json"), null);
    expect(server.seen.length).toBe(done);

    for (const name of readdirSync(folder)) if (!["phantom"].includes(name)) expect({ name, key: readFileSync(join(folder, name)).includes(KEY) }).toEqual({ name, key: false });
  });
});

describe("the shipped start policy on the phantom", () => {
  it("is answered, judged by the truth, compared and drawn, without any server", { timeout: 300_000 }, async () => {
    expect(await cli(["infer", "--model", startPolicy, "--data", "phantom", "--out", "start.json"])).toMatchObject({ code: 0, stdout: expect.stringContaining("24 of 24") as string });
    const rows = readInferenceFile(join(folder, "start.json"));
    expect(rows.every(({ dataset, think, answer, tokens }) => dataset === "phantom" && think !== null && answer !== null && (tokens ?? 0) > 5)).toBe(true);
    const lexical = await cli(["eval", "answers", "start.json"]);
    expect(lexical).toMatchObject({ code: 0, stdout: expect.stringMatching(/exact match[\s\S]*No judge was asked/) as string });
    const reasoned = await cli(["eval", "reasoning", "start.json", "--gold", "phantom", "--judge", "phantom"]);
    expect(reasoned).toMatchObject({ code: 0, stdout: expect.stringMatching(/Fails first early[\s\S]*Step \d+ fails most[\s\S]*\(k\*-1\)\/K[\s\S]*Judge: phantom/) as string });
    // The same model by breakwater eval: the same chains, so the same figures.
    expect((await cli(["eval", startPolicy, "--data", "phantom", "--json", "eval.json"])).code).toBe(0);
    const compared = await cli(["compare", "infer=start-answers.json", "infer=start-reasoning.json", "eval=eval.json", "--json", "c.json", "--markdown", "c.md", "--html", "c.html"]);
    expect(compared).toMatchObject({ code: 0, stderr: "" });
    const { differences } = JSON.parse(readFileSync(join(folder, "c.json"), "utf8")) as { differences: { macro: Record<string, { value: number; p: number }> }[] };
    for (const key of ["accuracy", "stepValidity", "early", "far"]) expect(differences[0].macro[key]).toMatchObject({ value: 0, p: 1 });
    expect(readFileSync(join(folder, "c.html"), "utf8")).toContain("Where chains first fail");
    expect(readFileSync(join(folder, "c.md"), "utf8")).toContain("| Accuracy (exact match) |");
  });

  it("says what is missing", { timeout: 300_000 }, async () => {
    expect(await cli(["infer", "--data", "phantom", "--out", "x.json"])).toMatchObject({ code: 1, stderr: expect.stringContaining("--model PATH") as string });
    expect(await cli(["infer", "--url", server.url, "--data", "phantom", "--out", "x.json"])).toMatchObject({ code: 1, stderr: expect.stringContaining("--model-name") as string });
    expect(await cli(["eval", startPolicy])).toMatchObject({ code: 1, stderr: expect.stringContaining("--data") as string });
    expect(await cli(["eval", "reasoning", "start.json"])).toMatchObject({ code: 1, stderr: expect.stringContaining("--gold") as string });
    expect(await cli(["compare", "start.json", "--markdown", "start.json"])).toMatchObject({ code: 1, stderr: expect.stringContaining("ends in .md") as string });
  });
});

describe.skipIf(!existsSync(vqaRad))("VQA-RAD", () => {
  it("is answered by a server, open-ended questions only, and evaluated by kind", { timeout: 300_000 }, async () => {
    const from = server.seen.length;
    const args = ["infer", "--url", server.url, "--model-name", "qwen3-vl", "--data", vqaRad, "--open-ended", "--questions", "40", "--out", "rad.json"];
    expect(await cli(args)).toMatchObject({ code: 0, stdout: expect.stringContaining("40 of 40") as string });
    expect(server.seen.slice(from).every(({ images }) => images.length === 1 && images[0].startsWith("data:image/jpeg;base64,"))).toBe(true);
    const rows = readInferenceFile(join(folder, "rad.json"));
    expect(rows.every(({ solution, dataset }) => dataset === "vqa-rad" && !/^(yes|no)$/i.test(solution))).toBe(true);
    const judged = await cli(["eval", "answers", "rad.json", "--judge-url", server.url, "--judge-model", "grader"]);
    expect(judged).toMatchObject({ code: 0, stdout: expect.stringMatching(/Accuracy \(judge\)[\s\S]*Kind of question/) as string });
  });
});
