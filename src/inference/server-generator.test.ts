import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startScriptedLlm, type Action, type ScriptedLlm } from "../../test/support/scripted-llm.js";
import type { Task } from "./generator.js";
import { serverGenerator, thinkTagOf, type ServerOptions } from "./server-generator.js";

const KEY = "sk-secret-of-the-test";
let dir: string;
let image: string;
let server: ScriptedLlm | undefined;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "breakwater-server-"));
  image = join(dir, "scan.png");
  await sharp({ create: { width: 40, height: 30, channels: 3, background: "#446" } }).png().toFile(image);
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(dir, { recursive: true, force: true });
});

const task = (id: string, more: { image?: string | null; sample?: number } = {}): Task => ({
  question: { dataset: "d", example: { id, image: more.image ?? null, question: `What is ${id}?`, answer: "x", goldReasoning: null } },
  sample: more.sample ?? 0,
  seed: 12345,
});

async function open(script: ScriptedLlm["script"], options: Partial<ServerOptions> = {}): Promise<ReturnType<typeof serverGenerator>> {
  server = await startScriptedLlm(script);
  return serverGenerator({
    ...{ url: server.url, model: "Qwen/Qwen3-VL-8B-Instruct", apiKey: KEY, temperature: 0, topP: 1, concurrency: 4, timeout: 2, attempts: 3, patience: 1, maxSide: 64 },
    prompt: { thinkTag: "thinking", instruction: "full" },
    backoffMs: 5,
    ...options,
  });
}

const good: Action = { reply: "<thinking>A.</thinking><answer>x</answer>", usage: [50, 7] };

describe("a server", () => {
  test("is asked with the image before the question, the paper's tags, and the seed where there is chance", async () => {
    const generator = await open(() => good, { temperature: 0.7, topP: 0.9, maxTokens: 99 });
    expect(await generator.generate([task("a", { image })])).toEqual([{ status: "done", text: "<thinking>A.</thinking><answer>x</answer>", tokens: 7, truncated: false }]);
    const [{ body, images, authorization, text }] = server?.seen ?? [];
    expect(body).toMatchObject({ model: "Qwen/Qwen3-VL-8B-Instruct", max_tokens: 99, temperature: 0.7, top_p: 0.9, seed: 12345 });
    expect((body.messages as { content: { type: string }[] }[])[0].content.map(({ type }) => type)).toEqual(["image_url", "text"]);
    expect(images[0]).toMatch(/^data:image\/png;base64,/);
    expect(text).toMatch(/^What is a\?\n[\s\S]*<thinking>[\s\S]*<answer>/);
    expect(authorization).toBe(`Bearer ${KEY}`);
  });

  test("greedy completions carry no seed, and the name tells the tag", async () => {
    const generator = await open(() => ({ ...good, finish: "length" }));
    expect(await generator.generate([task("a")])).toMatchObject([{ truncated: true }]);
    expect(server?.seen[0].body).not.toHaveProperty("seed");
    expect(["qwen3-vl", "Qwen2.5-VL-7B", "InternVL3-8B"].map(thinkTagOf)).toEqual(["thinking", "think", "think"]);
  });

  const passing: [string, Action][] = [
    ["429 with Retry-After", { status: 429, headers: { "retry-after": "0" } }],
    ["500", { status: 500 }],
    ["a connection reset", { broken: "reset" }],
    ["half of a body", { broken: "half-body" }],
    ["an empty reply", { reply: "" }],
  ];
  test.each(passing)("%s, twice, and then the answer", async (_name, action) => {
    const generator = await open(({ earlier }) => (earlier < 2 ? action : good));
    expect(await generator.generate([task("a")])).toMatchObject([{ status: "done" }]);
  });

  test("what goes on failing is failed with its reason, its neighbours are not", async () => {
    const fate: Record<string, Action> = { b: { status: 500 }, c: { reply: "  " }, d: { reply: "", refusal: "no" }, e: { reply: "x", finish: "content_filter" }, f: { status: 400, body: { error: { message: "image too small" } } } };
    const generator = await open(({ question }) => fate[/What is (\w)/.exec(question)?.[1] ?? ""] ?? good);
    const outcomes = (await Promise.all(["a", "b", "c", "d", "e", "f"].map((id) => generator.generate([task(id)])))).flat();
    expect(outcomes.map((outcome) => (outcome.status === "done" ? "done" : outcome.reason))).toEqual([
      "done",
      "HTTP 500: scripted 500 (3 attempts)",
      "the reply was empty (3 attempts)",
      "refused: no",
      expect.stringContaining("content filter"),
      "HTTP 400: image too small",
    ]);
    expect(await generator.generate([task("g", { image: join(dir, "none.png") })])).toMatchObject([{ status: "failed", reason: expect.stringContaining("none.png") as string }]);
  });

  test("a parameter that the model does not take is left out from then on", async () => {
    const generator = await open(({ body }) => ("max_tokens" in body ? { status: 400, body: { error: { message: "Unsupported parameter: 'max_tokens'", param: "max_tokens" } } } : good));
    await generator.generate([task("a")]);
    await generator.generate([task("b")]);
    expect(server?.seen.map(({ body }) => ["max_tokens" in body, "max_completion_tokens" in body])).toEqual([[true, false], [false, true], [false, true]]);
  });

  test.each([
    [401, /Check OPENAI_API_KEY/],
    [404, /Correct --model-name/],
  ])("HTTP %d ends the run with the way out, and the key is in no message", async (status, message) => {
    const generator = await open(() => ({ status, body: { error: { message: `bad key ${KEY}` } } }));
    const error = await generator.generate([task("a")]).then(
      () => null,
      (reason: unknown) => reason as Error,
    );
    expect(error?.message).toMatch(message);
    expect(error?.message).not.toContain(KEY);
  });

  test("one that is away is waited for, and one that stays away ends the run", async () => {
    const generator = await open(() => good, { patience: 0 });
    const port = Number(new URL(server?.url ?? "").port);
    await server?.close();
    await expect(generator.generate([task("a")])).rejects.toThrow(/has not answered .*run the same command again/s);
    const patient = serverGenerator({
      ...{ url: `http://127.0.0.1:${port}/v1`, model: "m", apiKey: null, temperature: 0, topP: 1, concurrency: 1, timeout: 2, attempts: 2, patience: 30, maxSide: 64 },
      prompt: { thinkTag: "think", instruction: "short" },
      backoffMs: 20,
    });
    const answer = patient.generate([task("a")]);
    await new Promise((resolve) => setTimeout(resolve, 100));
    server = await startScriptedLlm(() => good, port);
    expect(await answer).toMatchObject([{ status: "done" }]);
  });
});
