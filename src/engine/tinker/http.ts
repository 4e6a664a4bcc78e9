/** HTTP with the retries that are safe: a request that may have been acted on is sent again only where that is harmless. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { messageOf } from "../../util/errors.js";
import { sleep } from "../../util/waiting.js";
import { faultOf, TinkerError } from "./errors.js";

export interface HttpOptions {
  readonly baseUrl: string;
  /** Sent as X-API-Key to this server only; taken out of every message. */
  readonly apiKey?: string;
  /** How long to go on trying while the server is down or overloaded, seconds. */
  readonly patienceSeconds: number;
  /** How long to wait for one answer, seconds. */
  readonly timeoutSeconds: number;
  /** Told when a request is tried again. */
  readonly onRetry?: (what: string) => void;
}

export interface Call {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  /** JSON, or bytes with their headers. */
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** `repeatable`: acting twice does no harm. `once`: an answer that is lost is reported as `lost`, not asked for again. */
  readonly safety: "repeatable" | "once";
  readonly signal?: AbortSignal;
  readonly timeoutSeconds?: number;
  /** Instead of the client's own. */
  readonly patienceSeconds?: number;
  /** Statuses that are answers, not errors. */
  readonly accept?: readonly number[];
  /** No answer in time is an answer too: 408. */
  readonly longPoll?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
}

/** Errors that are known to come before anything was sent. */
const unsent = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL"]);
/** Longest pause between two tries, milliseconds. */
const maxPause = 5_000;
const maxRedirects = 5;
/** A server that keeps failing on the same request (500) will go on doing so; one that is down (502, 503) comes back. */
const maxCrashes = 4;

export class Http {
  private readonly base: URL;
  private readonly agents = { "http:": new HttpAgent({ keepAlive: true }), "https:": new HttpsAgent({ keepAlive: true }) };

  constructor(private readonly options: HttpOptions) {
    this.base = new URL(options.baseUrl.endsWith("/") ? options.baseUrl : `${options.baseUrl}/`);
  }

  /** For messages and files. */
  get address(): string {
    const { origin, pathname } = this.base;
    return `${origin}${pathname}`.replace(/\/$/, "");
  }

  /** @throws TinkerError; the signal's reason when aborted. */
  async call(call: Call): Promise<Answer> {
    const { signal, accept = [], patienceSeconds = this.options.patienceSeconds } = call;
    const deadline = Date.now() + patienceSeconds * 1000;
    let crashes = 0;
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      let error: TinkerError;
      let again: boolean;
      try {
        const answer = await this.once(new URL(call.path.replace(/^\//, ""), this.base), call);
        if (answer.status < 300 || accept.includes(answer.status)) return answer;
        error = this.refusal(call, answer);
        // A 5xx may come from a proxy after the server acted: only 429 and 503 say that nothing was done.
        again = error.fault === "unavailable" && (call.safety === "repeatable" || answer.status === 429 || answer.status === 503);
        if (answer.status === 500 && ++crashes >= maxCrashes) again = false;
      } catch (cause) {
        if (signal?.aborted) throw signal.reason;
        if (cause instanceof TinkerError) throw cause;
        const before = unsent.has((cause as { code?: string }).code ?? "");
        again = before || call.safety === "repeatable";
        error = new TinkerError(again ? "unavailable" : "lost", this.clean(`${call.method} ${this.address}${call.path}: ${messageOf(cause)}`));
      }
      const pause = Math.min(maxPause, 200 * 2 ** attempt);
      if (!again || Date.now() + pause > deadline) throw error;
      this.options.onRetry?.(error.message);
      await sleep(pause, signal);
    }
  }

  close(): void {
    for (const agent of Object.values(this.agents)) agent.destroy();
  }

  /** Takes the key out of a text that a server or a library made. */
  clean(text: string): string {
    const { apiKey } = this.options;
    return apiKey ? text.replaceAll(apiKey, "(TINKER_API_KEY)") : text;
  }

  private refusal(call: Call, { status, body }: Answer): TinkerError {
    const detail = this.clean(detailOf(body));
    return new TinkerError(faultOf(status, detail), `${call.method} ${this.address}${call.path} answered ${status}: ${detail}`, status);
  }

  private once(url: URL, call: Call, redirects = 0): Promise<Answer> {
    const { method, json, bytes, signal, timeoutSeconds = this.options.timeoutSeconds } = call;
    const payload = bytes ?? (json === undefined ? undefined : Buffer.from(JSON.stringify(json)));
    const ours = url.origin === this.base.origin;
    const options: RequestOptions = {
      method,
      signal,
      // A kept connection may die under a request; one that must not be repeated gets a connection of its own.
      agent: call.safety === "once" ? false : url.protocol === "https:" ? this.agents["https:"] : this.agents["http:"],
      headers: {
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...(payload === undefined ? {} : { "content-length": String(payload.length) }),
        ...(ours && this.options.apiKey ? { "x-api-key": this.options.apiKey } : {}),
        ...call.headers,
      },
    };
    return new Promise<Answer>((resolve, reject) => {
      const answered = (response: IncomingMessage): void => {
        const { statusCode: status = 0, headers } = response;
        if (method === "GET" && status >= 300 && status < 400 && headers.location !== undefined && redirects < maxRedirects) {
          response.resume();
          resolve(this.once(new URL(headers.location, url), call, redirects + 1));
          return;
        }
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => resolve({ status, type: headers["content-type"] ?? "", body: Buffer.concat(chunks) }));
        response.on("error", reject);
        response.on("aborted", () => reject(new Error("the connection closed in the middle of the answer")));
      };
      const request = url.protocol === "https:" ? httpsRequest(url, options, answered) : httpRequest(url, options, answered);
      request.setTimeout(timeoutSeconds * 1000, () => {
        if (call.longPoll) resolve({ status: 408, type: "", body: Buffer.alloc(0) });
        request.destroy(new Error(`no answer within ${timeoutSeconds} s`));
      });
      request.on("error", reject);
      request.end(payload);
    });
  }
}

/** What a FastAPI or SDK-style error body says. */
export function detailOf(body: Buffer): string {
  const text = body.toString("utf8");
  try {
    const value = JSON.parse(text) as { detail?: unknown; error?: unknown; message?: unknown };
    const detail = value.detail ?? value.error ?? value.message ?? value;
    return (typeof detail === "string" ? detail : JSON.stringify(detail)).slice(0, 1000);
  } catch {
    return text.slice(0, 300);
  }
}
