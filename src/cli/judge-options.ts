import { InvalidArgumentError, type Command } from "commander";
import type { OpenJudgeOptions } from "../judges/llm/open.js";
import { UserError } from "../util/errors.js";
import { collect } from "./collect.js";
import { atLeast } from "./whole-number.js";

/** What every command that asks an LLM judge takes. */
export interface JudgeFlags {
  readonly judgeUrl: string;
  /** Not there where the flag is not given. */
  readonly judgeModel?: readonly string[];
  readonly concurrency: number;
  readonly judgeCache?: string;
  readonly judgeBudget?: string;
  readonly judgePriceIn?: number;
  readonly judgePriceOut?: number;
  readonly judgeTimeout: number;
  readonly judgeAttempts: number;
  readonly judgeCorrections: number;
  readonly judgePatience: number;
  readonly judgeRetryFailed?: boolean;
  readonly judgeImage: boolean;
  readonly judgeImageSide: number;
  readonly judgeTemperature: number;
  readonly judgeMaxTokens: number;
}

/** Adds the options of an LLM judge to a command. */
export function withJudgeOptions(command: Command): Command {
  return command
    .option("--judge-url <url>", "address of an OpenAI-compatible API", "https://api.openai.com/v1")
    .option("--judge-model <name>", "model of the judge; given several times, they vote; name@URL asks another server for it", collect)
    .option("--concurrency <n>", "calls under way at a time", atLeast(1), 16)
    .option("--judge-cache <file>", "SQLite file of the replies paid for: what it holds is not asked again")
    .option("--judge-budget <limit>", "most that judging may cost: 100calls, or 5usd with the prices; the rest is unscored")
    .option("--judge-price-in <price>", "price of a million prompt tokens", notNegative)
    .option("--judge-price-out <price>", "price of a million tokens of replies", notNegative)
    .option("--judge-timeout <seconds>", "longest wait for one reply", notNegative, 120)
    .option("--judge-attempts <n>", "calls of one chain that may fail by the server's fault", atLeast(1), 5)
    .option("--judge-corrections <n>", "times that a malformed reply or a refusal is asked for again", atLeast(0), 2)
    .option("--judge-patience <seconds>", "how long a server that is down is waited for", notNegative, 600)
    .option("--judge-retry-failed", "ask again where the cache holds a chain that never got a usable reply")
    .option("--no-judge-image", "do not send the images: for a model that sees none")
    .option("--judge-image-side <pixels>", "longest side of an image sent", atLeast(1), 1024)
    .option("--judge-temperature <t>", "sampling temperature of the judge", notNegative, 0)
    .option("--judge-max-tokens <n>", "longest reply, the model's own reasoning included", atLeast(1), 4096);
}

export function judgeOptionsOf(flags: JudgeFlags): OpenJudgeOptions {
  const { judgeModel: models = [] } = flags;
  if (models.length === 0) throw new UserError("--judge-model: name the model that judges");
  return {
    url: flags.judgeUrl,
    models,
    concurrency: flags.concurrency,
    timeoutMs: 1000 * flags.judgeTimeout,
    cache: flags.judgeCache,
    retryFailed: flags.judgeRetryFailed,
    budget: flags.judgeBudget,
    priceIn: flags.judgePriceIn,
    priceOut: flags.judgePriceOut,
    sendImage: flags.judgeImage,
    maxImageSide: flags.judgeImageSide,
    attempts: flags.judgeAttempts,
    corrections: flags.judgeCorrections,
    patienceMs: 1000 * flags.judgePatience,
    temperature: flags.judgeTemperature,
    maxTokens: flags.judgeMaxTokens,
  };
}

function notNegative(text: string): number {
  const n = Number(text);
  if (text.trim() === "" || !Number.isFinite(n) || n < 0) throw new InvalidArgumentError("Give a number of 0 or more.");
  return n;
}
