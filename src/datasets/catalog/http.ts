/** One try of a GET: redirects, who gets the token, time-outs, and which failures another try may mend. */
import { retryAfterMs } from "../../util/waiting.js";
import { StatusError, TransientError, plainUrl } from "./errors.js";

export interface HttpSettings {
  readonly fetch: typeof fetch;
  /** Sent as a bearer token to URLs of this origin, and to no other. */
  readonly token: { readonly origin: string; readonly value: string } | null;
  /** Longest silence, before the answer and within its body, in milliseconds. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

/** An answer whose body is still to be read; silence ends it with a TransientError. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Headers of every answer on the way, the last one's first. */
  readonly trail: readonly Headers[];
  chunks(): AsyncGenerator<Uint8Array>;
  /** Leaves the rest of the body. */
  close(): void;
}

const mostRedirects = 10;
const redirects = new Set([301, 302, 303, 307, 308]);
/** Too many requests, a busy or broken server, and time-outs. */
const passing = new Set([408, 425, 429, 500, 502, 503, 504]);

/**
 * @param accept statuses that count as answers; others are thrown.
 * @throws TransientError for what another try may mend; StatusError for other statuses; the signal's reason when aborted.
 */
export async function get(settings: HttpSettings, url: string, headers: Readonly<Record<string, string>> = {}, accept: readonly number[] = [200]): Promise<Answer> {
  const stop = new AbortController();
  const stall = setTimeout(() => stop.abort(new TransientError(`nothing came for ${settings.stallMs / 1000} s`)), settings.stallMs);
  const signal = AbortSignal.any([settings.signal, stop.signal]);
  const close = (): void => {
    clearTimeout(stall);
    stop.abort(new TransientError("closed"));
  };
  try {
    const trail: Headers[] = [];
    let at = url;
    for (let hop = 0; ; hop++) {
      const response = await settings.fetch(at, {
        redirect: "manual",
        signal,
        // Identity, so that byte ranges and sizes are those of the file.
        headers: { "user-agent": "breakwater", "accept-encoding": "identity", ...headers, ...authorization(settings, at) },
      });
      stall.refresh();
      trail.unshift(response.headers);
      const location = response.headers.get("location");
      if (redirects.has(response.status) && location !== null) {
        await response.body?.cancel();
        if (hop === mostRedirects) throw new StatusError(response.status, plainUrl(url), `${plainUrl(url)} redirects more than ${mostRedirects} times`);
        at = new URL(location, at).href;
        continue;
      }
      if (!accept.includes(response.status)) {
        await response.body?.cancel();
        throw refusal(response, plainUrl(at), at !== url);
      }
      return { status: response.status, headers: response.headers, trail, chunks: () => chunks(response, settings, signal, stall, close), close };
    }
  } catch (error) {
    close();
    throw judged(error, settings, signal, plainUrl(url));
  }
}

function authorization({ token }: HttpSettings, url: string): Record<string, string> {
  return token !== null && new URL(url).origin === token.origin ? { authorization: `Bearer ${token.value}` } : {};
}

async function* chunks(response: Response, settings: HttpSettings, signal: AbortSignal, stall: NodeJS.Timeout, close: () => void): AsyncGenerator<Uint8Array> {
  try {
    if (response.body === null) return;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      stall.refresh();
      yield chunk;
    }
  } catch (error) {
    throw judged(error, settings, signal, plainUrl(response.url));
  } finally {
    close();
  }
}

function refusal(response: Response, url: string, redirected: boolean): Error {
  const { status, headers } = response;
  const limited = status === 403 && headers.get("x-ratelimit-remaining") === "0";
  const what = `${url} answered ${status}${response.statusText ? ` (${response.statusText})` : ""}`;
  // A signed address that a redirect gave may have run out: the start gives a new one.
  if (passing.has(status) || limited || (status === 403 && redirected)) return new TransientError(what, retryAfter(headers));
  return new StatusError(status, url, what);
}

/** Seconds or a date, and GitHub's time of the reset; in milliseconds from now. */
function retryAfter(headers: Headers): number | null {
  const asked = retryAfterMs(headers, Date.now());
  if (asked !== null) return asked;
  // The hub: `"api";r=0;t=53`, seconds until there is room again.
  const room = /;\s*r=0\b.*;\s*t=(\d+)/.exec(headers.get("ratelimit") ?? "");
  if (room !== null) return Number(room[1]) * 1000;
  const reset = headers.get("x-ratelimit-reset");
  return headers.get("x-ratelimit-remaining") === "0" && reset !== null && /^\d+$/.test(reset) ? Math.max(0, Number(reset) * 1000 - Date.now()) : null;
}

/** What fetch threw: the user's stop, our time-out, or a broken connection. */
function judged(error: unknown, settings: HttpSettings, signal: AbortSignal, url: string): unknown {
  if (settings.signal.aborted) return settings.signal.reason;
  if (error instanceof StatusError || error instanceof TransientError) return error;
  if (signal.aborted && signal.reason instanceof TransientError) return new TransientError(`${url}: ${signal.reason.message}`);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new TransientError(`${url}: the connection failed (${message || "no reason given"})`);
}
