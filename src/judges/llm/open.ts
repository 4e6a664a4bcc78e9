import { BUDGET_REASON, type Llm } from "../../llm/types.js";
import { Budget, parseBudget } from "../../llm/budget.js";
import { LlmCache } from "../../llm/cache.js";
import { createLlm } from "../../llm/client.js";
import { UserError } from "../../util/errors.js";
import type { Judge } from "../judge.js";
import { votingJudge } from "../vote.js";
import { llmJudge, type LlmJudgeOptions } from "./llm-judge.js";

export interface OpenJudgeOptions extends LlmJudgeOptions {
  /** Base URL of the API. */
  readonly url: string;
  /** One model, or several that vote; `name@http://…` asks another server for that one. */
  readonly models: readonly string[];
  readonly concurrency?: number;
  readonly timeoutMs?: number;
  /** File of the replies paid for; without it nothing is kept. */
  readonly cache?: string;
  readonly retryFailed?: boolean;
  /** "100calls" or "5usd", for all models together. */
  readonly budget?: string;
  /** What earlier processes spent under this name counts; needs a cache. */
  readonly budgetScope?: string;
  /** What follows on a spent budget: the rest is unscored, or judging ends with an error. */
  readonly onBudget?: "unscored" | "stop";
  /** Per million tokens. */
  readonly priceIn?: number;
  readonly priceOut?: number;
  readonly maxImageSide?: number;
  readonly attempts?: number;
  readonly corrections?: number;
  readonly patienceMs?: number;
  readonly backoffMs?: number;
  readonly onNotice?: (text: string) => void;
  /** `OPENAI_API_KEY` where not given. */
  readonly apiKey?: string | null;
}

/** Opens one LLM judge or several that vote, on one cache and one budget. @throws UserError for what cannot work. */
export function openLlmJudge(options: OpenJudgeOptions): Judge {
  const { url, models, priceIn, priceOut, onBudget = "unscored", ...rest } = options;
  if (models.length === 0) throw new UserError("an LLM judge needs the name of a model");
  if (new Set(models).size < models.length) throw new UserError(`the models that vote (${models.join(", ")}) are not all different`);
  const listeners: ((text: string) => void)[] = options.onNotice ? [options.onNotice] : [];
  const cache = options.cache === undefined ? undefined : LlmCache.open(options.cache);
  try {
    const budget = options.budget === undefined ? undefined : openBudget(options.budget, cache, options.budgetScope);
    const clients = models.map((model): Llm => {
      const at = model.search(/@https?:/);
      return createLlm({
        ...rest,
        ...{ cache, budget },
        url: at < 0 ? url : model.slice(at + 1),
        model: at < 0 ? model : model.slice(0, at),
        prices: priceIn === undefined && priceOut === undefined ? undefined : { input: priceIn ?? 0, output: priceOut ?? 0 },
        onNotice: (text) => listeners.forEach((listen) => listen(text)),
      });
    });
    const judge = votingJudge(clients.map((client) => llmJudge(client, options)));
    return {
      name: judge.name,
      account: judge.account,
      listen: (listen) => void listeners.push(listen),
      judge: onBudget === "unscored" ? judge.judge : stopAtBudget(judge, options.budget ?? ""),
      async close() {
        await judge.close?.();
        cache?.close();
      },
    };
  } catch (error) {
    cache?.close();
    throw error;
  }
}

function openBudget(text: string, cache: LlmCache | undefined, scope: string | undefined): Budget {
  const limit = parseBudget(text);
  if (cache === undefined || scope === undefined) return new Budget(limit);
  const name = `${"calls" in limit ? "calls" : "money"} ${scope}`;
  return new Budget(limit, cache.spent(name), (amount) => cache.addSpent(name, amount));
}

function stopAtBudget(judge: Judge, budget: string): Judge["judge"] {
  return async (requests, signal) => {
    const verdicts = await judge.judge(requests, signal);
    if (verdicts.some((verdict) => verdict.status === "unscored" && verdict.reason.includes(BUDGET_REASON))) {
      throw new UserError(`the judge's budget (${budget}) is spent; raise judge.budget, then start again: what was judged is not paid twice`);
    }
    return verdicts;
  };
}
