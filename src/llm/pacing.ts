import { backoff } from "../util/waiting.js";
import type { Clock } from "./clock.js";
import type { RateHeaders } from "./headers.js";
import type { CallResult } from "./transport.js";

export interface PacingOptions {
  readonly clock: Clock;
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Failures in a row, with no answer between, after which the server counts as down. */
  readonly downAfter: number;
  /** How long a server that is down, or that refuses every call, is waited for. */
  readonly patienceMs: () => number;
  /** Told when the server goes down, and when it answers again. */
  readonly onDown?: (reason: string) => void;
  readonly onUp?: () => void;
}

/** Why no call is let through. */
export type Trouble = { readonly kind: "down" | "limited"; readonly reason: string; readonly forMs: number };

/** Leave to send one call; `probe`: it tries a server that is down. */
export type Leave = { readonly kind: "leave"; readonly probe: boolean };

/**
 * Decides when the next call may go out, for all calls of one server together: after a 429 all wait; by the server's
 * x-ratelimit counters none is sent that would be refused; and while the server is down one call at a time tries it, so
 * that a break is waited out and not spent on every chain's attempts.
 */
export class Pacing {
  private pausedUntil = 0;
  private limitedInRow = 0;
  private limitedSince: number | null = null;
  private failuresInRow = 0;
  private downSince: number | null = null;
  private probing = false;
  private lastReason = "";
  private probes = 0;
  /** Remaining requests and tokens as last told, less what was sent since; refilled when their reset is due. */
  private requests: Allowance | null = null;
  private tokens: Allowance | null = null;

  constructor(private readonly options: PacingOptions) {}

  /** Waits for leave to send a call of about `tokens` tokens, which `settle` gives back; or tells why it is not to be had. */
  async enter(tokens: number, signal?: AbortSignal): Promise<Leave | Trouble> {
    const { clock, patienceMs } = this.options;
    for (;;) {
      signal?.throwIfAborted();
      const wait = this.waitMs(tokens, clock.now());
      if (wait <= 0) break;
      const trouble = this.trouble();
      if (trouble !== null && clock.now() < this.pausedUntil && trouble.forMs > patienceMs()) return trouble;
      // Waiters look again at least every second: what they wait for may end early.
      await clock.sleep(Math.min(wait, 1000), signal);
    }
    if (this.requests !== null) this.requests.left--;
    if (this.tokens !== null) this.tokens.left -= tokens;
    const probe = this.downSince !== null;
    if (probe) this.probing = true;
    return { kind: "leave", probe };
  }

  /** Tells what became of a call that was let through; `null` where it was broken off by the caller. */
  settle({ probe }: Leave, result: CallResult | null, rates: RateHeaders | null): void {
    const { clock, backoffMs, maxBackoffMs, downAfter } = this.options;
    const now = clock.now();
    if (probe) this.probing = false;
    if (rates !== null) this.learn(rates, now);
    if (result === null) return;
    if (result.kind === "unreachable" || result.kind === "down") {
      this.failuresInRow++;
      this.lastReason = result.reason;
      if (this.downSince === null && this.failuresInRow >= downAfter) {
        this.downSince = now;
        this.probes = 0;
        this.options.onDown?.(result.reason);
      }
      if (this.downSince !== null && (probe || this.probes === 0)) {
        this.probes++;
        const asked = result.kind === "down" ? (result.waitMs ?? 0) : 0;
        this.pauseFor(Math.max(asked, backoff(this.probes, backoffMs, maxBackoffMs, clock.random)), now);
      }
      return;
    }
    // Any other reply, an error too, shows that the server is there.
    this.failuresInRow = 0;
    if (this.downSince !== null) this.options.onUp?.();
    this.downSince = null;
    if (result.kind === "limited") {
      this.limitedInRow++;
      this.limitedSince ??= now;
      this.lastReason = result.reason;
      const own = backoff(Math.min(this.limitedInRow, 8), backoffMs, maxBackoffMs, clock.random);
      // With Retry-After a little is added, so that not all who waited come back in the same instant.
      this.pauseFor(result.waitMs === null ? own : result.waitMs + clock.random() * Math.min(backoffMs, 250), now);
    } else if (result.kind === "reply") {
      this.limitedInRow = 0;
      this.limitedSince = null;
    }
  }

  private trouble(): Trouble | null {
    const now = this.options.clock.now();
    const ahead = Math.max(0, this.pausedUntil - now);
    if (this.downSince !== null) return { kind: "down", reason: this.lastReason, forMs: now - this.downSince + ahead };
    if (this.limitedSince !== null) return { kind: "limited", reason: this.lastReason, forMs: now - this.limitedSince + ahead };
    return null;
  }

  private waitMs(tokens: number, now: number): number {
    if (now < this.pausedUntil) return this.pausedUntil - now;
    if (this.downSince !== null && this.probing) return this.options.backoffMs;
    return Math.max(waitFor(this.requests, 1, now), waitFor(this.tokens, tokens, now));
  }

  private pauseFor(ms: number, now: number): void {
    this.pausedUntil = Math.max(this.pausedUntil, now + ms);
  }

  private learn(rates: RateHeaders, now: number): void {
    if (rates.remainingRequests !== null) this.requests = { left: rates.remainingRequests, resetAt: now + (rates.resetRequestsMs ?? DEFAULT_RESET_MS) };
    if (rates.remainingTokens !== null) this.tokens = { left: rates.remainingTokens, resetAt: now + (rates.resetTokensMs ?? DEFAULT_RESET_MS) };
  }
}

interface Allowance {
  left: number;
  /** When the counter is full again, by the clock. */
  readonly resetAt: number;
}

/** Where a server tells what is left but not until when. */
const DEFAULT_RESET_MS = 1000;
/** The counters are a courtesy: a call is never held back longer for them alone. */
const LONGEST_RESET_MS = 60_000;

function waitFor(allowance: Allowance | null, need: number, now: number): number {
  if (allowance === null || allowance.left >= need || now >= allowance.resetAt) return 0;
  return Math.min(allowance.resetAt - now, LONGEST_RESET_MS);
}
