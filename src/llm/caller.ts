import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { UserError } from "../util/errors.js";
import { backoff } from "../util/waiting.js";
import { costOf } from "./budget.js";
import { systemClock, type Clock } from "./clock.js";
import { allFeatures, requestBody, withoutRejected, type Features, type Wording } from "./dialect.js";
import type { LlmOptions } from "./options.js";
import { Pacing } from "./pacing.js";
import { createTransport, shownUrl, type CallResult, type Transport } from "./transport.js";
import { BUDGET_REASON, type LlmAccount, type LlmUsage } from "./types.js";

/** A question that is refused by 429 this often while others are answered is given up. */
const MAX_LIMITED = 30;
/** A server that never answered yet is waited for no longer than this: most often its address is wrong. */
const FIRST_PATIENCE_MS = 60_000;

export type Reply = Extract<CallResult, { kind: "reply" }>;
export type Called = { readonly kind: "reply"; readonly reply: Reply; readonly usage: LlmUsage } | { readonly kind: "failed"; readonly reason: string };

/** Counted while calls are made. */
export type Totals = { -readonly [K in Exclude<keyof LlmAccount, "cost">]: number };

/** Makes calls to one model until each has a reply, within the server's limits and the budget. */
export class Caller {
  private readonly clock: Clock;
  private readonly transport: Transport;
  private readonly pacing: Pacing;
  private readonly backoffMs: number;
  private readonly maxBackoffMs: number;
  private features: Features = allFeatures;
  private largestPrompt = 0;
  private everAnswered = false;

  constructor(
    private readonly options: LlmOptions,
    apiKey: string | null,
    private readonly totals: Totals,
  ) {
    const { url, timeoutMs = 120_000, patienceMs = 600_000 } = options;
    this.clock = options.clock ?? systemClock;
    this.backoffMs = options.backoffMs ?? 1000;
    this.maxBackoffMs = options.maxBackoffMs ?? 60_000;
    this.transport = createTransport({ url, apiKey, timeoutMs, now: () => this.clock.now() });
    this.pacing = new Pacing({
      ...{ clock: this.clock, backoffMs: this.backoffMs, maxBackoffMs: this.maxBackoffMs, downAfter: 5 },
      patienceMs: () => (this.everAnswered ? patienceMs : Math.min(patienceMs, FIRST_PATIENCE_MS)),
      onDown: (reason) => options.onNotice?.(`${shownUrl(url)} does not answer (${reason}): waiting for it`),
      onUp: () => options.onNotice?.(`${shownUrl(url)} answers again`),
    });
  }

  /** One reply, through rate limits, breaks and repeated calls. Rejects with a UserError for what ends all asking. */
  async call(wording: Wording, signal: AbortSignal): Promise<Called> {
    const { attempts = 5, budget } = this.options;
    const promptFloor = promptTokensOf(wording.messages);
    let guess: Features | null = null;
    let failures = 0;
    let limited = 0;
    for (;;) {
      const promptEstimate = Math.max(promptFloor, this.largestPrompt);
      const most = this.priceOf(promptEstimate, wording.maxTokens);
      const held = budget ? await budget.reserve(most, signal) : null;
      if (budget && held === null) return { kind: "failed", reason: BUDGET_REASON };
      let cost = 0;
      let result: CallResult;
      const used = guess ?? this.features;
      try {
        const leave = await this.pacing.enter(promptEstimate + Math.min(wording.maxTokens, 512), signal);
        if (leave.kind !== "leave") throw this.stayedAway(leave.kind, leave.reason, leave.forMs);
        this.totals.calls++;
        let settled = false;
        try {
          const sent = await this.transport.call(requestBody(this.options.model, wording, used), signal);
          result = sent.result;
          this.pacing.settle(leave, result, sent.rates);
          settled = true;
        } finally {
          if (!settled) {
            this.pacing.settle(leave, null, null);
            // Broken off by the caller: the server may have done, and may bill, the work.
            cost = most;
          }
        }
        cost = this.billed(result, promptEstimate, most);
      } finally {
        if (budget && held !== null) budget.settle(held, cost);
      }

      switch (result.kind) {
        case "reply": {
          if (guess !== null) this.adopt(guess);
          this.everAnswered = true;
          const usage = result.usage ?? { promptTokens: promptEstimate, completionTokens: Math.ceil(result.text.length / 3) };
          if (result.usage !== null) this.largestPrompt = Math.max(this.largestPrompt, result.usage.promptTokens);
          this.totals.promptTokens += usage.promptTokens;
          this.totals.completionTokens += usage.completionTokens;
          return { kind: "reply", reply: result, usage };
        }
        case "denied":
          // Refused from the start: no question will be answered. Later (a firewall, a filter) it is this question's.
          if (result.status === 401 || result.status === 429 || !this.everAnswered) throw this.denied(result.status, result.reason);
          return { kind: "failed", reason: result.reason };
        case "rejected": {
          this.totals.calls--;
          // Another call may have found out meanwhile what the server does not take.
          if (guess === null && used !== this.features) break;
          const less = withoutRejected(used, wording.schema !== undefined, result.reason, result.param);
          if (less === null) return { kind: "failed", reason: result.reason };
          if (less.certain && guess === null) this.adopt(less.features);
          else guess = less.features;
          break;
        }
        case "limited":
          this.totals.calls--;
          if (++limited > MAX_LIMITED) return { kind: "failed", reason: `${result.reason} (${limited} times)` };
          break;
        case "unreachable":
          // Not this question's fault: the pacing waits until the server is back, or patience ends.
          this.totals.calls--;
          await this.clock.sleep(this.backoff(1), signal);
          break;
        case "down":
        case "error": {
          if (++failures >= attempts) return { kind: "failed", reason: `${result.reason} (${failures} attempts)` };
          await this.clock.sleep(Math.max(this.backoff(failures), Math.min(result.waitMs ?? 0, this.maxBackoffMs)), signal);
          break;
        }
      }
      this.totals.retries++;
    }
  }

  /** Reserved or settled amount of a call: 1 of a budget of calls, money of a budget of money. */
  private priceOf(promptTokens: number, completionTokens: number): number {
    const { budget, prices } = this.options;
    if (!budget) return 0;
    return "calls" in budget.limit || prices === undefined ? 1 : costOf(prices, promptTokens, completionTokens);
  }

  /** A call that came to no reply is counted where the server may have worked on it. */
  private billed(result: CallResult, promptEstimate: number, most: number): number {
    switch (result.kind) {
      case "reply":
        return result.usage === null ? this.priceOf(promptEstimate, Math.ceil(result.text.length / 3)) : this.priceOf(result.usage.promptTokens, result.usage.completionTokens);
      case "down":
      case "error":
        return most;
      case "limited":
      case "unreachable":
      case "rejected":
      case "denied":
        return 0;
    }
  }

  private adopt(features: Features): void {
    const { format, tokenLimit, temperature } = this.features;
    if (features.format !== format) this.options.onNotice?.(`${this.options.model} takes no response_format ${format}: going on with ${features.format}`);
    if (features.tokenLimit !== tokenLimit || features.temperature !== temperature || features.format !== format) this.features = features;
  }

  private denied(status: number, reason: string): UserError {
    const at = shownUrl(this.options.url);
    if (status === 401 || status === 403) return new UserError(`${at} refuses access (${reason}); set OPENAI_API_KEY to a key of this server`);
    if (status === 429) return new UserError(`${at}: the account's quota is used up (${reason}); raise it, then start again: what is cached is not paid twice`);
    return new UserError(`${at} does not know model "${this.options.model}", or is no OpenAI-compatible API (${reason}); correct the model's name or the URL, which usually ends in /v1`);
  }

  private stayedAway(kind: "down" | "limited", reason: string, forMs: number): UserError {
    const what = kind === "down" ? "has not answered" : "has taken no call";
    return new UserError(`${shownUrl(this.options.url)} ${what} (${reason}); given up after waiting, or being told to wait, ${Math.round(forMs / 1000)} s: start again when it does, what is cached is not paid twice`);
  }

  private backoff(n: number): number {
    return backoff(n, this.backoffMs, this.maxBackoffMs, this.clock.random);
  }
}

/** A guess from above: 3 characters a token, 1500 tokens an image. */
function promptTokensOf(messages: readonly ChatCompletionMessageParam[]): number {
  let tokens = 100;
  for (const { content } of messages) {
    if (typeof content === "string") tokens += content.length / 3;
    else for (const part of content ?? []) tokens += part.type === "text" ? part.text.length / 3 : 1500;
  }
  return Math.ceil(tokens);
}
