import OpenAI, { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from "openai";
import type { ChatCompletionCreateParamsNonStreaming } from "openai/resources/chat/completions";
import { UserError, messageOf } from "../util/errors.js";
import { isRecord } from "../util/json-file.js";
import { retryAfterMs } from "../util/waiting.js";
import { rateHeaders, type RateHeaders } from "./headers.js";

/** What became of one HTTP request. */
export type CallResult =
  | { readonly kind: "reply"; readonly text: string; readonly refusal: string | null; readonly finish: string | null; readonly usage: CallUsage | null }
  /** 429: the server wants less at a time. */
  | { readonly kind: "limited"; readonly reason: string; readonly waitMs: number | null }
  /** No connection was made: nothing of this request is to blame. */
  | { readonly kind: "unreachable"; readonly reason: string }
  /** Connected, then cut, hung or told "unavailable": the server, or what this request does to it. */
  | { readonly kind: "down"; readonly reason: string; readonly waitMs: number | null }
  /** Another error on the server's side (500, a broken body): asking again may help. */
  | { readonly kind: "error"; readonly reason: string; readonly waitMs: number | null }
  /** The server will not take this request as it is. */
  | { readonly kind: "rejected"; readonly status: number; readonly reason: string; readonly param: string | null }
  /** The key or the model is refused: no request will be taken. */
  | { readonly kind: "denied"; readonly status: number; readonly reason: string };

export interface CallUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export interface Transport {
  call(body: ChatCompletionCreateParamsNonStreaming, signal?: AbortSignal): Promise<{ result: CallResult; rates: RateHeaders | null }>;
}

export interface TransportOptions {
  /** Base URL of the API, such as http://localhost:8000/v1. */
  readonly url: string;
  /** Never stored, logged or given back: it is struck out of every text that comes from the server. */
  readonly apiKey: string | null;
  readonly timeoutMs: number;
  readonly now: () => number;
}

/** A reply is a few hundred bytes; more than this is no reply. */
const MAX_BODY_BYTES = 8 << 20;
const MAX_REASON = 300;

/** One request at a time through the `openai` package, without its own retries; every outcome is a value. */
export function createTransport({ url, apiKey, timeoutMs, now }: TransportOptions): Transport {
  const base = checkUrl(url, apiKey);
  const client = new OpenAI({
    baseURL: base,
    apiKey: apiKey ?? "none",
    // A local server needs no key: then no header at all is sent.
    defaultHeaders: apiKey === null ? { Authorization: null } : {},
    organization: null,
    project: null,
    maxRetries: 0,
    timeout: timeoutMs,
    logLevel: "off",
  });
  const clean = (text: string): string => (apiKey === null ? text : text.replaceAll(apiKey, "[key]"));

  return {
    async call(body, signal) {
      signal?.throwIfAborted();
      // The package's own time limit ends with the headers; this one holds until the body is read.
      const limit = new AbortController();
      const timer = setTimeout(() => limit.abort(), timeoutMs);
      const stop = (): void => limit.abort();
      signal?.addEventListener("abort", stop, { once: true });
      try {
        const response = await client.chat.completions.create(body, { signal: limit.signal }).asResponse();
        return { result: readReply(clean(await readBody(response))), rates: rateHeaders(response.headers) };
      } catch (error) {
        signal?.throwIfAborted();
        if (limit.signal.aborted) return { result: { kind: "down", reason: `no reply within ${timeoutMs / 1000} s`, waitMs: null }, rates: null };
        return { result: classify(error, clean, now()), rates: error instanceof APIError && error.headers instanceof Headers ? rateHeaders(error.headers) : null };
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
      }
    },
  };
}

/** The API's address without a user name or password, for messages. */
export function shownUrl(url: string): string {
  try {
    const parsed = new URL(url);
    return `${parsed.origin}${parsed.pathname}`.replace(/\/$/, "");
  } catch {
    return url;
  }
}

function checkUrl(url: string, apiKey: string | null): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new UserError(`"${url}" is no URL; give the base address of an OpenAI-compatible API, such as http://localhost:8000/v1`);
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    // "localhost:8000" reads as a scheme, which leaves no origin to show.
    const shown = parsed.username === "" && parsed.password === "" ? url : parsed.protocol;
    throw new UserError(`${shown}: an http or https address is needed, such as http://localhost:8000/v1`);
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw new UserError(`${shownUrl(url)}: give no user name or password in the URL; the key is read from OPENAI_API_KEY`);
  }
  if (parsed.hostname === "api.openai.com" && apiKey === null) {
    throw new UserError(`${shownUrl(url)} needs a key: set OPENAI_API_KEY in the environment`);
  }
  if (apiKey !== null && !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new UserError("OPENAI_API_KEY holds a blank or a character that no HTTP header takes; set it again");
  }
  return url.replace(/\/+$/, "").replace(/\/chat\/completions$/, "");
}

async function readBody(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    const bytes = chunk as Uint8Array;
    size += bytes.length;
    if (size > MAX_BODY_BYTES) throw new SyntaxError(`a body of more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function readReply(body: string): CallResult {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { kind: "error", reason: `the reply's body is not JSON (${body.length} characters)`, waitMs: null };
  }
  const choices = isRecord(value) && Array.isArray(value.choices) ? (value.choices as unknown[]) : [];
  const choice = choices[0];
  if (!isRecord(value) || !isRecord(choice) || !isRecord(choice.message)) {
    return { kind: "error", reason: "the reply holds no message", waitMs: null };
  }
  const { content, refusal } = choice.message;
  return {
    kind: "reply",
    text: contentText(content),
    refusal: typeof refusal === "string" && refusal !== "" ? refusal : null,
    finish: typeof choice.finish_reason === "string" ? choice.finish_reason : null,
    usage: usageOf(value.usage),
  };
}

/** A string; some servers give a list of text parts. */
function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return (content as unknown[]).map((part) => (isRecord(part) && typeof part.text === "string" ? part.text : "")).join("");
}

function usageOf(usage: unknown): CallUsage | null {
  if (!isRecord(usage)) return null;
  const { prompt_tokens: prompt, completion_tokens: completion } = usage;
  if (typeof prompt !== "number" || typeof completion !== "number") return null;
  return { promptTokens: prompt, completionTokens: completion };
}

const NEVER_CONNECTED = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "UND_ERR_CONNECT_TIMEOUT"];

function classify(error: unknown, clean: (text: string) => string, now: number): CallResult {
  const short = (text: string): string => clean(text).replace(/\s+/g, " ").trim().slice(0, MAX_REASON);
  if (error instanceof APIConnectionTimeoutError) return { kind: "down", reason: "no reply in time", waitMs: null };
  if (error instanceof APIUserAbortError) return { kind: "down", reason: "the connection was cut", waitMs: null };
  if (error instanceof APIConnectionError || !(error instanceof APIError) || error.status === undefined) {
    const { code, message } = rootOf(error);
    if (error instanceof SyntaxError) return { kind: "error", reason: short(message), waitMs: null };
    const reason = short(code === "" ? message : code);
    return NEVER_CONNECTED.includes(code) ? { kind: "unreachable", reason } : { kind: "down", reason: `the connection was cut (${reason})`, waitMs: null };
  }
  const status = error.status as number;
  const waitMs = error.headers instanceof Headers ? retryAfterMs(error.headers, now) : null;
  const reason = short(`HTTP ${status}: ${serverMessage(error)}`);
  if (status === 401 || status === 403 || status === 404) return { kind: "denied", status, reason };
  if (status === 429) {
    if (error.code === "insufficient_quota") return { kind: "denied", status, reason };
    // OpenAI says 429 of a request that is larger than a whole minute's tokens: waiting does not make it smaller.
    if (/request too large/i.test(reason)) return { kind: "rejected", status, reason, param: null };
    return { kind: "limited", reason, waitMs };
  }
  if (status === 502 || status === 503 || status === 504 || status === 529) return { kind: "down", reason, waitMs };
  if (status >= 500 || status === 408 || status === 409 || status === 425) return { kind: "error", reason, waitMs };
  return { kind: "rejected", status, reason, param: error.param ?? null };
}

function serverMessage(error: APIError): string {
  const body: unknown = error.error;
  if (isRecord(body) && typeof body.message === "string") return body.message;
  if (isRecord(body) && typeof body.detail === "string") return body.detail;
  return error.message.replace(/^\d{3}\s*/, "");
}

function rootOf(error: unknown): { code: string; message: string } {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  // Node gives several errors for several addresses of a host: the first tells as much as the rest.
  if (root instanceof AggregateError && root.errors.length > 0) root = root.errors[0] as unknown;
  const code = (root as { code?: unknown } | null)?.code;
  return { code: typeof code === "string" ? code : "", message: messageOf(root) };
}
