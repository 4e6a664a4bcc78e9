import type { JsonObject } from "../util/json-file.js";

/** One piece of what the model is shown, in order. */
export type LlmPart =
  | { readonly type: "text"; readonly text: string }
  /** An image file; sent as a data URL, scaled down to the client's bound. */
  | { readonly type: "image"; readonly path: string };

/** What the caller's parser made of a reply; `error` is told to the model when it is asked again, so name the mistake. */
export type Parsed<T> = { readonly value: T } | { readonly error: string };

export interface LlmRequest<T> {
  /** Name and version of the prompt ("chain judge 1"): part of the cache key, so raise it when the wording changes. */
  readonly prompt: string;
  readonly system?: string;
  readonly parts: readonly LlmPart[];
  /** Shape of the reply; left out: plain text is asked for. */
  readonly schema?: { readonly name: string; readonly schema: JsonObject };
  readonly parse: (text: string) => Parsed<T>;
  /** Longest reply, tokens, reasoning of the model included. */
  readonly maxTokens?: number;
  /** 0 where not given. Models that take no temperature are found out and asked without one. */
  readonly temperature?: number;
}

/** Tokens of one answered request, over all calls that it took. */
export interface LlmUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export type LlmReply<T> =
  | { readonly status: "ok"; readonly value: T; readonly cached: boolean; readonly usage: LlmUsage }
  | { readonly status: "failed"; readonly reason: string };

/** Reason of a request that was not made because the budget is spent. */
export const BUDGET_REASON = "budget";

/** Running totals; all but `cached` are of this process alone. */
export interface LlmAccount {
  /** Requests sent that may have to be paid for. */
  readonly calls: number;
  /** Questions answered from the cache, or by the same question under way. */
  readonly cached: number;
  /** Questions answered by the model. */
  readonly answered: number;
  /** Questions that ended without an answer. */
  readonly failed: number;
  /** Calls repeated: errors, rate limits, malformed replies. */
  readonly retries: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** In the currency of the prices; `null` where no price is known. */
  readonly cost: number | null;
}

export interface Llm {
  readonly model: string;
  /**
   * Asks one question, or takes its answer from the cache. What a retry cannot mend for this question (refusal,
   * malformed replies, a request that the server rejects, a spent budget) is `failed`, never an exception. Rejects only
   * when the signal is aborted, and with a UserError for what ends all judging: a missing or refused key, an unknown
   * model, a server that stays away longer than the patience.
   */
  ask<T>(request: LlmRequest<T>, signal?: AbortSignal): Promise<LlmReply<T>>;
  account(): LlmAccount;
  /** Frees the cache, where this client opened it. */
  close(): Promise<void>;
}

export const emptyAccount: LlmAccount = { calls: 0, cached: 0, answered: 0, failed: 0, retries: 0, promptTokens: 0, completionTokens: 0, cost: null };

/** Sum of several clients' totals. */
export function addAccounts(accounts: readonly LlmAccount[]): LlmAccount {
  return accounts.reduce(
    (a, b) => ({
      calls: a.calls + b.calls,
      cached: a.cached + b.cached,
      answered: a.answered + b.answered,
      failed: a.failed + b.failed,
      retries: a.retries + b.retries,
      promptTokens: a.promptTokens + b.promptTokens,
      completionTokens: a.completionTokens + b.completionTokens,
      cost: a.cost === null && b.cost === null ? null : (a.cost ?? 0) + (b.cost ?? 0),
    }),
    emptyAccount,
  );
}
