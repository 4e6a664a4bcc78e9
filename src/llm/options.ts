import type { Budget, Prices } from "./budget.js";
import type { LlmCache } from "./cache.js";
import type { Clock } from "./clock.js";

export interface LlmOptions {
  /** Base URL of the API, such as http://localhost:8000/v1. */
  readonly url: string;
  readonly model: string;
  /** `OPENAI_API_KEY` where not given; `null` sends none. Never stored or logged. */
  readonly apiKey?: string | null;
  /** Calls under way at a time. */
  readonly concurrency?: number;
  /** Longest wait for one reply. */
  readonly timeoutMs?: number;
  /** Replies already paid for: a file, or a cache that the caller closes. Without it nothing is kept. */
  readonly cache?: string | LlmCache;
  /** Asks again where the cache holds a question that ended without a usable reply. */
  readonly retryFailed?: boolean;
  /** Shared by all clients that are to stay within it together. */
  readonly budget?: Budget;
  readonly prices?: Prices;
  /** Longest side of an image sent, pixels. */
  readonly maxImageSide?: number;
  /** Calls of one question that may fail by the server's fault before it is given up. */
  readonly attempts?: number;
  /** Times that a malformed reply or a refusal is asked for again. */
  readonly corrections?: number;
  /** How long a server that is down, or that refuses all calls, is waited for before asking ends with an error. */
  readonly patienceMs?: number;
  readonly backoffMs?: number;
  readonly maxBackoffMs?: number;
  readonly clock?: Clock;
  /** Told for people what goes on: the server is down, structured output was given up. */
  readonly onNotice?: (text: string) => void;
}
