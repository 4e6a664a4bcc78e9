import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { ChatCompletionContentPart, ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { messageOf, UserError } from "../util/errors.js";
import { costOf } from "./budget.js";
import { LlmCache, type CachedReply } from "./cache.js";
import { Caller, type Reply } from "./caller.js";
import { ImageHashes, imageDataUrl } from "./image.js";
import type { LlmOptions } from "./options.js";
import { Semaphore } from "./semaphore.js";
import type { Llm, LlmAccount, LlmReply, LlmRequest, LlmUsage } from "./types.js";

export type { LlmOptions } from "./options.js";

const DEFAULT_MAX_TOKENS = 4096;
/** Part of every key: raised when what is hashed changes. */
const KEY_FORMAT = 1;

/** A client of one model behind an OpenAI-compatible chat endpoint. @throws UserError for a bad URL, key or cache file. */
export function createLlm(options: LlmOptions): Llm {
  return new ChatClient(options);
}

type Ended = { readonly status: "ok" | "failed"; readonly text: string; readonly usage: LlmUsage; readonly paid: boolean };
interface Job {
  readonly promise: Promise<Ended>;
  readonly controller: AbortController;
  waiters: number;
}

class ChatClient implements Llm {
  readonly model: string;
  private readonly options: LlmOptions;
  private readonly cache: LlmCache | null;
  private readonly ownsCache: boolean;
  private readonly slots: Semaphore;
  private readonly hashes = new ImageHashes();
  private readonly jobs = new Map<string, Job>();
  private readonly caller: Caller;
  private closed = false;
  private readonly totals = { calls: 0, cached: 0, answered: 0, failed: 0, retries: 0, promptTokens: 0, completionTokens: 0 };

  constructor(options: LlmOptions) {
    this.options = options;
    this.model = options.model;
    const environment = process.env.OPENAI_API_KEY?.trim();
    const apiKey = options.apiKey === undefined ? (environment === undefined || environment === "" ? null : environment) : options.apiKey;
    this.caller = new Caller(options, apiKey, this.totals);
    this.slots = new Semaphore(Math.max(1, options.concurrency ?? 8));
    if (options.budget && "money" in options.budget.limit && options.prices === undefined) {
      throw new UserError(`a budget of money needs the prices of ${options.model} per million tokens; give them, or a budget of calls (100calls)`);
    }
    this.ownsCache = typeof options.cache === "string";
    this.cache = typeof options.cache === "string" ? LlmCache.open(options.cache) : (options.cache ?? null);
  }

  async ask<T>(request: LlmRequest<T>, signal?: AbortSignal): Promise<LlmReply<T>> {
    signal?.throwIfAborted();
    // One signal ends many questions at once: their number is no leak.
    if (signal !== undefined) setMaxListeners(0, signal);
    let key: string;
    try {
      key = await this.keyOf(request);
    } catch (error) {
      this.totals.failed++;
      return { status: "failed", reason: messageOf(error) };
    }
    signal?.throwIfAborted();
    const shared = this.jobs.get(key);
    const job = shared ?? this.start(key, request);
    const ended = await this.waitFor(key, job, signal);
    const known = shared !== undefined || !ended.paid;
    if (ended.status === "failed") {
      this.totals.failed++;
      return { status: "failed", reason: ended.text };
    }
    const parsed = request.parse(ended.text);
    if ("error" in parsed) {
      // Cannot happen with one parser a prompt: the text was accepted by it before it was kept.
      this.totals.failed++;
      return { status: "failed", reason: `a kept reply cannot be read: ${parsed.error}` };
    }
    if (known) this.totals.cached++;
    else this.totals.answered++;
    return { status: "ok", value: parsed.value, cached: known, usage: ended.usage };
  }

  account(): LlmAccount {
    const { prices } = this.options;
    const { promptTokens, completionTokens } = this.totals;
    return { ...this.totals, cost: prices ? costOf(prices, promptTokens, completionTokens) : null };
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const { controller } of this.jobs.values()) controller.abort(new Error("closed"));
    await Promise.allSettled([...this.jobs.values()].map(({ promise }) => promise));
    if (this.ownsCache) this.cache?.close();
  }

  /** One job a key: whoever asks the same while it is under way waits for it too. */
  private start<T>(key: string, request: LlmRequest<T>): Job {
    const controller = new AbortController();
    const promise = this.answer(key, request, controller.signal).finally(() => {
      if (this.jobs.get(key)?.controller === controller) this.jobs.delete(key);
    });
    promise.catch(() => undefined);
    const job: Job = { promise, controller, waiters: 0 };
    this.jobs.set(key, job);
    return job;
  }

  /** A job goes on while anyone waits for it, and is broken off when the last one has left. */
  private async waitFor(key: string, job: Job, signal?: AbortSignal): Promise<Ended> {
    job.waiters++;
    if (signal === undefined) return job.promise;
    let leave: (() => void) | undefined;
    const left = new Promise<never>((_, reject) => {
      leave = () => {
        if (--job.waiters === 0) {
          if (this.jobs.get(key) === job) this.jobs.delete(key);
          job.controller.abort(signal.reason);
        }
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", leave, { once: true });
    });
    try {
      return await Promise.race([job.promise, left]);
    } finally {
      if (leave !== undefined) signal.removeEventListener("abort", leave);
    }
  }

  private async answer<T>(key: string, request: LlmRequest<T>, signal: AbortSignal): Promise<Ended> {
    const before = this.lookUp(key, request);
    if (before !== null) return before;
    return this.slots.run(async () => {
      // While this one waited for its turn, another process that shares the file may have asked.
      const meanwhile = this.lookUp(key, request);
      if (meanwhile !== null) return meanwhile;
      const ended = await this.converse(request, signal);
      if (this.cache === null || !ended.paid) return ended;
      const { promptTokens, completionTokens } = ended.usage;
      const kept = this.cache.put(key, this.model, { status: ended.status, text: ended.text, promptTokens, completionTokens });
      return kept.status === ended.status && kept.text === ended.text ? ended : { ...endedOf(kept), paid: true };
    }, signal);
  }

  private lookUp<T>(key: string, request: LlmRequest<T>): Ended | null {
    const found = this.cache?.get(key) ?? null;
    if (found === null) return null;
    const stale = found.status === "failed" ? this.options.retryFailed === true : "error" in request.parse(found.text);
    if (!stale) return endedOf(found);
    this.cache?.remove(key);
    return null;
  }

  /** Asks, and asks again with what was wrong, until a reply can be used. */
  private async converse<T>(request: LlmRequest<T>, signal: AbortSignal): Promise<Ended> {
    const { corrections = 2, maxImageSide = 1024 } = this.options;
    let first: ChatCompletionMessageParam[];
    try {
      first = await messagesOf(request, maxImageSide);
    } catch (error) {
      return { status: "failed", text: `the image cannot be sent: ${messageOf(error)}`, usage: noUsage, paid: false };
    }
    let messages: readonly ChatCompletionMessageParam[] = first;
    let maxTokens = request.maxTokens ?? DEFAULT_MAX_TOKENS;
    let usage = noUsage;
    for (let round = 0; ; round++) {
      const outcome = await this.caller.call({ messages, schema: request.schema, maxTokens, temperature: request.temperature ?? 0 }, signal);
      if (outcome.kind === "failed") return { status: "failed", text: outcome.reason, usage, paid: false };
      usage = addUsage(usage, outcome.usage);
      const { reply } = outcome;
      const problem = problemOf(reply, request, maxTokens);
      if (problem === null) return { status: "ok", text: reply.text, usage, paid: true };
      if (round >= corrections) {
        const times = round === 0 ? "" : ` (asked ${round + 1} times)`;
        return { status: "failed", text: `${problem}${times}`, usage, paid: true };
      }
      this.totals.retries++;
      if (reply.finish === "length") {
        maxTokens *= 2;
        messages = first;
      } else {
        messages = [...first, { role: "assistant", content: excerpt(reply.refusal ?? reply.text) }, { role: "user", content: correction(problem, request.schema !== undefined) }];
      }
    }
  }

  private async keyOf<T>(request: LlmRequest<T>): Promise<string> {
    const parts = await Promise.all(
      request.parts.map(async (part) => (part.type === "text" ? ["text", part.text] : ["image", await this.hashes.hash(part.path), this.options.maxImageSide ?? 1024])),
    );
    const { prompt, system = null, schema = null, maxTokens = DEFAULT_MAX_TOKENS, temperature = 0 } = request;
    const material = [KEY_FORMAT, this.model, prompt, system, parts, schema, maxTokens, temperature];
    return createHash("sha256").update(JSON.stringify(material)).digest("hex");
  }
}

const noUsage: LlmUsage = { promptTokens: 0, completionTokens: 0 };

function addUsage(a: LlmUsage, b: LlmUsage): LlmUsage {
  return { promptTokens: a.promptTokens + b.promptTokens, completionTokens: a.completionTokens + b.completionTokens };
}

function endedOf({ status, text, promptTokens, completionTokens }: CachedReply): Ended {
  return { status, text, usage: { promptTokens, completionTokens }, paid: false };
}

async function messagesOf<T>({ system, parts }: LlmRequest<T>, maxImageSide: number): Promise<ChatCompletionMessageParam[]> {
  const content = await Promise.all(
    parts.map(async (part): Promise<ChatCompletionContentPart> => {
      if (part.type === "text") return { type: "text", text: part.text };
      return { type: "image_url", image_url: { url: await imageDataUrl(part.path, maxImageSide) } };
    }),
  );
  const only = content.length === 1 && content[0].type === "text" ? content[0].text : null;
  const user: ChatCompletionMessageParam = { role: "user", content: only ?? content };
  return system === undefined ? [user] : [{ role: "system", content: system }, user];
}

/** What is wrong with a reply, `null` where it can be used. */
function problemOf<T>(reply: Reply, request: LlmRequest<T>, maxTokens: number): string | null {
  if (reply.refusal !== null) return `the model refused: ${oneLine(reply.refusal)}`;
  if (reply.finish === "content_filter") return "the reply was held back by a content filter";
  const parsed = request.parse(reply.text);
  if (!("error" in parsed)) return null;
  return reply.finish === "length" ? `the reply was cut off at ${maxTokens} tokens` : parsed.error;
}

function correction(problem: string, json: boolean): string {
  return `That reply cannot be used: ${problem}. Answer the same task again${json ? ", with nothing but the JSON object that was asked for" : ""}.`;
}

function excerpt(text: string): string {
  return text.length <= 2000 ? text || "(empty)" : `${text.slice(0, 2000)} …`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(0, 200);
}
