import { UserError } from "../../util/errors.js";
import { backoff, sleep } from "../../util/waiting.js";
import { TransientError } from "./errors.js";

export interface RetrySettings {
  /** Tries without progress before giving up. */
  readonly tries: number;
  /** First wait, in milliseconds; doubled each time. */
  readonly delayMs: number;
  readonly longestDelayMs: number;
  /** A server that asks for a longer wait than this ends the work. */
  readonly longestRetryAfterMs: number;
  readonly signal: AbortSignal;
  /** In [0, 1). */
  readonly random: () => number;
}

export const defaultRetry = { tries: 8, delayMs: 1000, longestDelayMs: 60_000, longestRetryAfterMs: 15 * 60_000 };

/** Waits between tries: exponential, between half and the whole of the step, and at least what the server asks for. */
export class Backoff {
  private failures = 0;

  constructor(
    private readonly settings: RetrySettings,
    /** What is being tried, for the message. */
    private readonly what: string,
    private readonly onRetry: (message: string) => void = () => {},
  ) {}

  progressed(): void {
    this.failures = 0;
  }

  /** Resolves when it is time for another try. @throws what is not transient as it is; UserError when it gives up. */
  async failed(error: unknown): Promise<void> {
    const { tries, delayMs, longestDelayMs, longestRetryAfterMs, random, signal } = this.settings;
    if (!(error instanceof TransientError)) throw error;
    this.failures++;
    if (this.failures >= tries) throw new UserError(`${this.what}: given up after ${tries} tries: ${error.message}. Run the same command again to go on from here.`);
    const asked = error.retryAfterMs ?? 0;
    if (asked > longestRetryAfterMs) {
      throw new UserError(`${this.what}: ${error.message}, and the server asks to wait ${Math.ceil(asked / 60_000)} minutes. Run the same command again then; it goes on from here.`);
    }
    const wait = Math.max(asked, backoff(this.failures, delayMs, longestDelayMs, random));
    this.onRetry(`${error.message}; try ${this.failures + 1} of ${tries} in ${(wait / 1000).toFixed(1)} s`);
    await sleep(wait, signal);
  }
}

/** Tries until it works. */
export async function retried<T>(settings: RetrySettings, what: string, work: () => Promise<T>, onRetry?: (message: string) => void): Promise<T> {
  const waits = new Backoff(settings, what, onRetry);
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await waits.failed(error);
    }
  }
}
