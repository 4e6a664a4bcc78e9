import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startScriptedLlm, type Action, type ScriptedLlm } from "../../test/support/scripted-llm.js";
import { Budget } from "./budget.js";
import { LlmCache } from "./cache.js";
import { createLlm, type LlmOptions } from "./client.js";
import { addAccounts, BUDGET_REASON, type Llm, type LlmRequest } from "./types.js";

const KEY = "sk-test-1234567890-secret";
let dir: string;
let server: ScriptedLlm | undefined;
const clients: Llm[] = [];
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), "breakwater-llm-"))));
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await server?.close();
  server = undefined;
  rmSync(dir, { recursive: true, force: true });
});

async function start(script: ScriptedLlm["script"], options: Partial<LlmOptions> = {}): Promise<{ llm: Llm; server: ScriptedLlm }> {
  server ??= await startScriptedLlm(script);
  return { llm: client({ url: server.url, ...options }), server };
}

function client(options: Partial<LlmOptions> & { url: string }): Llm {
  const llm = createLlm({ model: "m", apiKey: KEY, backoffMs: 5, maxBackoffMs: 40, timeoutMs: 2000, ...options });
  clients.push(llm);
  return llm;
}

function ask(text: string): LlmRequest<string> {
  return {
    prompt: "echo 1",
    parts: [{ type: "text", text }],
    schema: { name: "word", schema: { type: "object" } },
    parse: (reply) => (reply.startsWith("word:") ? { value: reply.slice(5) } : { error: "it does not start with word:" }),
  };
}

const good: Action = { reply: "word:yes" };

describe("errors that pass", () => {
  const passing: [string, Action][] = [
    ["429 with Retry-After in seconds", { status: 429, headers: { "retry-after": "0" } }],
    ["429 with Retry-After as a date", { status: 429, headers: { "retry-after": new Date(Date.now() - 1000).toUTCString() } }],
    ["429 without Retry-After", { status: 429 }],
    ["500", { status: 500 }],
    ["503", { status: 503, body: "upstream is away" }],
    ["a connection reset", { broken: "reset" }],
    ["half of a body", { broken: "half-body" }],
    ["a body that is no JSON", { status: 200, body: "<html>" }],
    ["a malformed reply", { reply: "sorry?" }],
    ["a refusal", { reply: "", refusal: "I cannot help with that" }],
    ["an empty reply", { reply: "" }],
  ];
  test.each(passing)("%s, twice, and then the answer", async (_name, action) => {
    const { llm, server } = await start(({ earlier }) => (earlier < 2 ? action : good));
    expect(await llm.ask(ask("a"))).toMatchObject({ status: "ok", value: "yes", cached: false });
    expect(server.seen).toHaveLength(3);
    expect(llm.account()).toMatchObject({ answered: 1, failed: 0, retries: 2 });
  });

  test.each(["hang", "hang-in-body"] as const)("a server that does not finish (%s) is left after the time limit", async (broken) => {
    const { llm, server } = await start(({ earlier }) => (earlier < 1 ? { broken } : good), { timeoutMs: 150 });
    expect(await llm.ask(ask("a"))).toMatchObject({ status: "ok" });
    expect(server.seen).toHaveLength(2);
  });
});

describe("errors that stay", () => {
  test.each<[string, Action, RegExp, number]>([
    ["500", { status: 500 }, /HTTP 500: .*5 attempts/, 5],
    ["hangs", { broken: "hang" }, /no reply within 0.5 s \(2 attempts\)/, 2],
    ["malformed replies", { reply: "no" }, /does not start with word: \(asked 3 times\)/, 3],
    ["refusals", { reply: "", refusal: "I cannot" }, /the model refused: I cannot \(asked 3 times\)/, 3],
    ["a reply cut off", { reply: "wo", finish: "length" }, /cut off at 16384 tokens/, 3],
    ["a content filter", { reply: "", finish: "content_filter" }, /content filter/, 3],
  ])("%s: failed with the reason, others go on", async (name, action, reason, calls) => {
    const options = name === "hangs" ? { timeoutMs: 500, attempts: 2 } : {};
    const { llm, server } = await start(({ question }) => (question.includes("bad") ? action : good), options);
    const [bad, other] = await Promise.all([llm.ask(ask("bad")), llm.ask(ask("fine"))]);
    expect(bad).toMatchObject({ status: "failed" });
    expect(bad.status === "failed" && bad.reason).toMatch(reason);
    expect(other).toMatchObject({ status: "ok" });
    expect(server.seen.filter(({ question }) => question.includes("bad"))).toHaveLength(calls);
    expect(llm.account()).toMatchObject({ answered: 1, failed: 1 });
  });

  test("a request that the server rejects is not repeated for ever", async () => {
    const { llm, server } = await start(() => ({ status: 400, body: { error: { message: "something odd" } } }));
    expect(await llm.ask(ask("a"))).toEqual({ status: "failed", reason: "HTTP 400: something odd" });
    // json_schema, json_object, plain.
    expect(server.seen.map(({ format }) => format)).toEqual(["json_schema", "json_object", null]);
    expect(llm.account().calls).toBe(0);
  });

  test.each([
    [401, /refuses access .*OPENAI_API_KEY/],
    [404, /does not know model "m"/],
    [429, /quota is used up/],
  ])("HTTP %i ends all asking", async (status, message) => {
    const { llm } = await start(() => ({ status, body: { error: { message: `no: ${KEY}`, code: "insufficient_quota" } } }));
    const error: unknown = await llm.ask(ask("a")).catch((caught: unknown) => caught);
    expect(String(error)).toMatch(message);
    expect(String(error)).not.toContain(KEY);
  });

  test("a server that stays away ends all asking when patience does", async () => {
    const { llm, server } = await start(() => good);
    await server.close();
    const patient = client({ url: server.url, patienceMs: 200 });
    await expect(Promise.all([patient.ask(ask("a")), patient.ask(ask("b"))])).rejects.toThrow(/has not answered \(ECONNREFUSED\).*start again/);
    expect(patient.account().failed).toBe(0);
    await llm.close();
  });

  test("Retry-After beyond patience is not sat out", async () => {
    const { llm } = await start(() => ({ status: 429, headers: { "retry-after": "86400" } }), { patienceMs: 1000 });
    await expect(llm.ask(ask("a"))).rejects.toThrow(/has taken no call .*86400 s/);
  });
});

test("a break of the server costs no question", async () => {
  const first = await startScriptedLlm(() => good);
  const port = Number(new URL(first.url).port);
  await first.close();
  const notices: string[] = [];
  const llm = client({ url: first.url, concurrency: 4, onNotice: (text) => notices.push(text) });
  const asked = Promise.all(Array.from({ length: 40 }, (_, i) => llm.ask(ask(`q${i}`))));
  while (notices.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  server = await startScriptedLlm(() => good, port);
  expect((await asked).every(({ status }) => status === "ok")).toBe(true);
  expect(server.seen).toHaveLength(40);
  expect(notices[0]).toMatch(/does not answer \(ECONNREFUSED\)/);
  expect(notices.at(-1)).toMatch(/answers again/);
});

describe("servers that take less", () => {
  const refuse = (message: string, param: string | null = null): Action => ({ status: 400, body: { error: { message, param } } });

  test("without json_schema, then without response_format: found out once", async () => {
    const { llm, server } = await start(({ format }) => (format === null ? good : { status: 422, body: { detail: `response_format ${format} is not supported` } }), { concurrency: 1 });
    for (const text of ["a", "b", "c"]) expect(await llm.ask(ask(text))).toMatchObject({ status: "ok" });
    expect(server.seen.map(({ format }) => format)).toEqual(["json_schema", "json_object", null, null, null]);
  });

  test("many at once find it out too", async () => {
    const { llm, server } = await start(({ format }) => (format === "json_schema" ? refuse("json_schema: no") : good), { concurrency: 8 });
    const replies = await Promise.all(Array.from({ length: 30 }, (_, i) => llm.ask(ask(`q${i}`))));
    expect(replies.every(({ status }) => status === "ok")).toBe(true);
    expect(server.seen.filter(({ format }) => format === "json_schema").length).toBeLessThanOrEqual(8);
    expect(server.seen.filter(({ format }) => format === null)).toHaveLength(0);
  });

  test("a guess that does not help is not kept", async () => {
    const { llm, server } = await start(({ question }) => (question.includes("long") ? refuse("odd") : good), { concurrency: 1 });
    expect(await llm.ask(ask("long"))).toMatchObject({ status: "failed" });
    await llm.ask(ask("a"));
    expect(server.seen.at(-1)?.format).toBe("json_schema");
  });

  test("max_completion_tokens in place of max_tokens, and no temperature", async () => {
    const { llm, server } = await start(
      ({ body }) => {
        if ("max_tokens" in body) return refuse("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "max_tokens");
        return "temperature" in body ? refuse("Unsupported value: 'temperature' does not support 0 with this model.", "temperature") : good;
      },
      { concurrency: 1 },
    );
    for (const text of ["a", "b"]) expect(await llm.ask(ask(text))).toMatchObject({ status: "ok" });
    expect(server.seen).toHaveLength(4);
    expect(server.seen[3].body).toMatchObject({ max_completion_tokens: 4096 });
  });

  test("a context too short for the longest reply", async () => {
    const { llm, server } = await start(({ body }) => ("max_tokens" in body || "max_completion_tokens" in body ? refuse("'max_tokens' is too large: 4096. This model's maximum context length is 4096 tokens") : good));
    expect(await llm.ask(ask("a"))).toMatchObject({ status: "ok" });
    expect(server.seen).toHaveLength(2);
  });
});

describe("cache", () => {
  test("what was answered is not asked again, by this or another client; failures of the model neither", async () => {
    const cache = join(dir, "deep", "cache.sqlite");
    const script = ({ question }: { question: string }): Action => (question.includes("bad") ? { reply: "no" } : good);
    const { llm, server } = await start(script, { cache });
    await Promise.all(["a", "b", "bad"].map((text) => llm.ask(ask(text))));
    await llm.close();
    const calls = server.seen.length;
    const again = client({ url: server.url, cache });
    const replies = await Promise.all(["a", "b", "bad"].map((text) => again.ask(ask(text))));
    expect(replies.map(({ status }) => status)).toEqual(["ok", "ok", "failed"]);
    expect(replies[0]).toMatchObject({ cached: true, usage: { promptTokens: 100, completionTokens: 20 } });
    expect(server.seen).toHaveLength(calls);
    expect(again.account()).toMatchObject({ calls: 0, cached: 2, failed: 1 });
    const eager = client({ url: server.url, cache, retryFailed: true });
    server.script = () => good;
    expect(await eager.ask(ask("bad"))).toMatchObject({ status: "ok", cached: false });
    expect(server.seen).toHaveLength(calls + 1);
  });

  test("another model, prompt, text, temperature or image is another question", async () => {
    const cache = join(dir, "cache.sqlite");
    const { llm, server } = await start(() => good, { cache });
    const base = ask("a");
    await llm.ask(base);
    await llm.ask({ ...base, prompt: "echo 2" });
    await llm.ask({ ...base, temperature: 1 });
    await llm.ask({ ...base, system: "be brief" });
    await llm.ask(ask("b"));
    await client({ url: server.url, cache, model: "other" }).ask(base);
    expect(server.seen).toHaveLength(6);
  });

  test("the same question asked many times at once goes out once", async () => {
    const { llm, server } = await start(() => ({ ...good, delayMs: 20 }), { cache: join(dir, "c.sqlite") });
    const replies = await Promise.all(Array.from({ length: 20 }, () => llm.ask(ask("same"))));
    expect(replies.every(({ status }) => status === "ok")).toBe(true);
    expect(server.seen).toHaveLength(1);
    expect(llm.account()).toMatchObject({ calls: 1, answered: 1, cached: 19 });
  });

  test("two clients with a connection each share a file", async () => {
    const cache = join(dir, "c.sqlite");
    const { llm, server } = await start(() => ({ ...good, delayMs: 1 }), { cache });
    const other = client({ url: server.url, cache });
    const texts = Array.from({ length: 60 }, (_, i) => `q${i}`);
    await Promise.all([...texts.map((text) => llm.ask(ask(text))), ...[...texts].reverse().map((text) => other.ask(ask(text)))]);
    const read = LlmCache.open(cache);
    expect(read.count()).toBe(60);
    read.close();
    expect(llm.account().cached + other.account().cached).toBeGreaterThan(0);
  });

  test.each([
    ["no SQLite", "hello, this is no database at all, whatever its name says"],
  ])("refuses a file that is %s", async (_name, text) => {
    const { writeFileSync } = await import("node:fs");
    const path = join(dir, "x.sqlite");
    writeFileSync(path, text.repeat(40));
    expect(() => client({ url: "http://127.0.0.1:9/v1", cache: path })).toThrow(/x\.sqlite: .*name another file/);
  });
});

describe("budget", () => {
  test("of calls: no more are made, the rest failed with the reason", async () => {
    const { llm, server } = await start(() => good, { budget: new Budget({ calls: 7 }), concurrency: 4 });
    const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => llm.ask(ask(`q${i}`))));
    expect(server.seen).toHaveLength(7);
    expect(replies.filter(({ status }) => status === "ok")).toHaveLength(7);
    expect(replies.filter((reply) => reply.status === "failed" && reply.reason === BUDGET_REASON)).toHaveLength(13);
  });

  test("of money: never overdrawn, and nearly used up", async () => {
    const budget = new Budget({ money: 0.01 });
    const { llm } = await start(() => ({ ...good, usage: [100, 20] }), { budget, prices: { input: 1, output: 5 }, concurrency: 4 });
    // 100·1 + 20·5 = 200 millionths a call: 50 calls; the longest reply allowed is reserved first.
    const request = (text: string) => ({ ...ask(text), maxTokens: 40 });
    await Promise.all(Array.from({ length: 100 }, (_, i) => llm.ask(request(`q${i}`))));
    const { cost } = llm.account();
    expect(cost).toBeLessThanOrEqual(0.01);
    expect(cost).toBeGreaterThan(0.0095);
    expect(budget.spentSoFar).toBeCloseTo(cost ?? NaN, 12);
  });

  test("is shared by several clients, and needs prices for money", async () => {
    const budget = new Budget({ calls: 3 });
    const { llm, server } = await start(() => good, { budget });
    const other = client({ url: server.url, budget });
    await Promise.all([...["a", "b", "c"].map((text) => llm.ask(ask(text))), ...["d", "e"].map((text) => other.ask(ask(text)))]);
    expect(server.seen).toHaveLength(3);
    expect(addAccounts([llm.account(), other.account()])).toMatchObject({ calls: 3, answered: 3, failed: 2 });
    expect(() => client({ url: server.url, budget: new Budget({ money: 1 }) })).toThrow(/needs the prices/);
  });
});

describe("aborting", () => {
  test("rejects with the reason and breaks the call off; others who ask the same go on", async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const { llm, server } = await start(() => held.then(() => good));
    const abort = new AbortController();
    const left = llm.ask(ask("a"), abort.signal);
    const stays = llm.ask(ask("a"));
    const alone = llm.ask(ask("b"), abort.signal);
    const ended = Promise.allSettled([left, alone]);
    while (server.seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort(new Error("enough"));
    for (const outcome of await ended) expect(outcome).toMatchObject({ status: "rejected", reason: { message: "enough" } });
    release();
    expect(await stays).toMatchObject({ status: "ok" });
    expect(server.seen).toHaveLength(2);
  });
});

describe("the key", () => {
  test("is sent, and stands in no file, reason or reply", async () => {
    const cache = join(dir, "cache.sqlite");
    const { llm, server } = await start(
      ({ question, authorization }) => {
        if (question.includes("reject")) return { status: 400, body: { error: { message: `bad key ${String(authorization)}` } } };
        if (question.includes("error")) return { status: 500, body: `${KEY} broke` };
        if (question.includes("mad")) return { reply: `your key is ${KEY}` };
        return { reply: `word:${KEY}` };
      },
      { cache, attempts: 2 },
    );
    const replies = await Promise.all(["reject", "error", "mad", "leak"].map((text) => llm.ask(ask(text))));
    expect(server.seen[0].authorization).toBe(`Bearer ${KEY}`);
    expect(JSON.stringify(replies)).not.toContain(KEY);
    expect(replies[3]).toMatchObject({ status: "ok", value: "[key]" });
    await llm.close();
    for (const file of readdirSync(dir)) expect(readFileSync(join(dir, file)).includes(KEY)).toBe(false);
  });

  test("is not needed by a local server, and then no header is sent", async () => {
    const { llm, server } = await start(() => good, { apiKey: null });
    await llm.ask(ask("a"));
    expect(server.seen[0].authorization).toBeNull();
    expect(() => client({ url: "https://api.openai.com/v1", apiKey: null })).toThrow(/set OPENAI_API_KEY/);
  });

  test.each([
    ["nonsense", /is no URL/],
    ["ftp://x/v1", /http or https/],
    ["http://me:word@localhost/v1", /no user name or password/],
  ])("address %s is refused", (url, message) => {
    expect(() => client({ url })).toThrow(message);
  });
});

test("no more calls are open than the limit allows, and all are answered", async () => {
  const { llm, server } = await start(() => ({ ...good, delayMs: 3 }), { concurrency: 5 });
  await Promise.all(Array.from({ length: 60 }, (_, i) => llm.ask(ask(`q${i}`))));
  expect(server.mostOpen()).toBeLessThanOrEqual(5);
  expect(server.seen).toHaveLength(60);
});
