import { UserError } from "../util/errors.js";

/** What judging may cost: calls, or money in the currency of the prices. */
export type BudgetLimit = { readonly calls: number } | { readonly money: number };

/** Prices per million tokens. */
export interface Prices {
  readonly input: number;
  readonly output: number;
}

/** "100calls" or "5usd" (also "$5", "5.50"). @throws UserError for anything else. */
export function parseBudget(text: string): BudgetLimit {
  const trimmed = text.trim().toLowerCase();
  const calls = /^(\d+)\s*calls?$/.exec(trimmed);
  if (calls) return { calls: Number(calls[1]) };
  const money = /^(\d+(?:\.\d+)?)\s*(?:usd|eur|gbp|chf|dollars?)$/.exec(trimmed) ?? /^[$€£](\d+(?:\.\d+)?)$/.exec(trimmed);
  if (money) return { money: Number(money[1]) };
  throw new UserError(`budget "${text}" is neither calls nor money; write 100calls or 5usd`);
}

/** Cost in the currency of the prices. */
export function costOf(prices: Prices, promptTokens: number, completionTokens: number): number {
  return (promptTokens * prices.input + completionTokens * prices.output) / 1e6;
}

interface Reservation {
  readonly amount: number;
}

/**
 * Spending against a limit, shared by all who spend. An amount is reserved before a call, at the most that it may cost,
 * and settled at what it did cost, so that calls in flight never go over the limit together.
 */
export class Budget {
  private reserved = 0;
  private readonly waiting = new Set<() => void>();

  constructor(
    readonly limit: BudgetLimit,
    /** What earlier processes spent of it: calls, or money. */
    private spent = 0,
    /** Told of every amount spent, to keep it. */
    private readonly onSpent: (amount: number) => void = () => undefined,
  ) {}

  get total(): number {
    return "calls" in this.limit ? this.limit.calls : this.limit.money;
  }

  get spentSoFar(): number {
    return this.spent;
  }

  /** `null` where the amount can never be had; waits while only calls in flight stand between. */
  async reserve(amount: number, signal?: AbortSignal): Promise<Reservation | null> {
    for (;;) {
      signal?.throwIfAborted();
      if (this.spent + amount > this.total * (1 + 1e-12)) return null;
      if (this.spent + this.reserved + amount <= this.total * (1 + 1e-12)) break;
      await this.change(signal);
    }
    this.reserved += amount;
    return { amount };
  }

  settle({ amount }: Reservation, cost: number): void {
    this.reserved -= amount;
    this.spent += cost;
    if (cost > 0) this.onSpent(cost);
    for (const wake of [...this.waiting]) wake();
  }

  private change(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.waiting.delete(done);
        signal?.removeEventListener("abort", done);
        if (signal?.aborted === true) reject(signal.reason as Error);
        else resolve();
      };
      this.waiting.add(done);
      signal?.addEventListener("abort", done, { once: true });
    });
  }
}
