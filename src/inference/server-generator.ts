import type { ChatCompletionCreateParamsNonStreaming } from "openai/resources/chat/completions";
import { systemClock, type Clock } from "../llm/clock.js";
import { imageDataUrl } from "../llm/image.js";
import { Pacing } from "../llm/pacing.js";
import { createTransport, shownUrl, type CallResult, type Transport } from "../llm/transport.js";
import { instructionText, type Instruction, type ThinkTag } from "../prompts/instruction.js";
import type { Example } from "../types.js";
import { messageOf, UserError } from "../util/errors.js";
import { backoff } from "../util/waiting.js";
import type { GenerationParams, Generator, Outcome, Task } from "./generator.js";

export interface ServerOptions extends GenerationParams {
  /** Base URL of an OpenAI-compatible API. */
  readonly url: string;
  /** The name under which the server knows the model. */
  readonly model: string;
  /** From the environment; `null` for a server that needs none. */
  readonly apiKey: string | null;
  readonly concurrency: number;
  /** Seconds that one answer may take. */
  readonly timeout: number;
  /** Calls made for one question before it counts as failed. */
  readonly attempts: number;
  /** Seconds that the server may be away before the run stops. */
  readonly patience: number;
  /** Longest side of an image that is sent, pixels. */
  readonly maxSide: number;
  readonly prompt: PromptText;
  readonly clock?: Clock;
  readonly backoffMs?: number;
}

export interface PromptText {
  readonly thinkTag: ThinkTag;
  readonly instruction: Instruction;
  readonly system?: string;
}

/** Longest completion where none is told; the paper's value. */
const DEFAULT_MAX_TOKENS = 512;
const MAX_BACKOFF_MS = 30_000;
/** Seconds for a server that never answered yet: most often its address is wrong. */
const FIRST_PATIENCE = 60;
/** A question that is refused by 429 this often, while others are answered, is given up. */
const MAX_LIMITED = 30;

/** Qwen3 models have a special token <think>, so they are asked for <thinking>; as the reference, by the name. */
export function thinkTagOf(model: string): ThinkTag {
  return /qwen-?3/i.test(model) ? "thinking" : "think";
}

/**
 * Answers of a model behind an OpenAI-compatible API (vLLM, SGLang, a hosted one). Errors of one question are tried
 * again with growing pauses and then recorded; while the server is away all wait. What refuses every question (the key,
 * the model's name) and a server that stays away reject.
 */
export function serverGenerator(options: ServerOptions): Generator {
  const { clock = systemClock, backoffMs = 1000, concurrency, url, apiKey, timeout, patience } = options;
  const transport = createTransport({ url, apiKey, timeoutMs: timeout * 1000, now: () => clock.now() });
  const pacing = new Pacing({ clock, backoffMs, maxBackoffMs: MAX_BACKOFF_MS, downAfter: 5, patienceMs: () => 1000 * (asker.everAnswered ? patience : Math.min(patience, FIRST_PATIENCE)) });
  const asker: Asker = new Asker(options, transport, pacing, clock, backoffMs);
  return {
    unit: 1,
    concurrency,
    retriesFailures: true,
    generate: (tasks, signal) => Promise.all(tasks.map((task) => asker.ask(task, signal))),
    close: () => Promise.resolve(),
  };
}

class Asker {
  everAnswered = false;
  /** Newer hosted models refuse some parameters; what one call found out holds for all. */
  private readonly refused = new Set<string>();

  constructor(
    private readonly options: ServerOptions,
    private readonly transport: Transport,
    private readonly pacing: Pacing,
    private readonly clock: Clock,
    private readonly backoffMs: number,
  ) {}

  async ask(task: Task, signal?: AbortSignal): Promise<Outcome> {
    const { attempts } = this.options;
    let content: string | null;
    try {
      content = await this.imageOf(task.question.example);
    } catch (error) {
      return failed(`the image cannot be sent: ${messageOf(error)}`);
    }
    let failures = 0;
    let limited = 0;
    for (;;) {
      const result = await this.call(this.body(task, content), signal);
      let reason: string;
      switch (result.kind) {
        case "reply": {
          this.everAnswered = true;
          const outcome = outcomeOf(result);
          if (outcome.status === "done" || result.refusal !== null) return outcome;
          ({ reason } = outcome);
          break;
        }
        case "denied":
          throw new UserError(`${shownUrl(this.options.url)} takes no question for ${this.options.model}: ${result.reason}. ${wayOut(result.status)}; what was answered is kept`);
        case "rejected":
          if (this.drop(result.param, result.reason)) continue;
          return failed(result.reason);
        case "limited":
          if (++limited > MAX_LIMITED) return failed(`${result.reason} (${limited} times)`);
          continue;
        case "unreachable":
          // Not this question's fault: the pacing waits until the server is back, or patience ends.
          await this.pause(1, signal);
          continue;
        case "down":
        case "error":
          ({ reason } = result);
          break;
      }
      if (++failures >= attempts) return failed(`${reason} (${failures} attempts)`);
      await this.pause(failures, signal);
    }
  }

  private pause(n: number, signal?: AbortSignal): Promise<void> {
    return this.clock.sleep(backoff(n, this.backoffMs, MAX_BACKOFF_MS, () => this.clock.random()), signal);
  }

  private async call(body: ChatCompletionCreateParamsNonStreaming, signal?: AbortSignal): Promise<CallResult> {
    const leave = await this.pacing.enter(this.options.maxTokens ?? DEFAULT_MAX_TOKENS, signal);
    if (leave.kind !== "leave") {
      const what = leave.kind === "down" ? "has not answered" : "has taken no call";
      throw new UserError(
        `${shownUrl(this.options.url)} ${what} (${leave.reason}); given up after ${Math.round(leave.forMs / 1000)} s: start the server and run the same command again, what was answered is kept`,
      );
    }
    let settled = false;
    try {
      const { result, rates } = await this.transport.call(body, signal);
      this.pacing.settle(leave, result, rates);
      settled = true;
      return result;
    } finally {
      if (!settled) this.pacing.settle(leave, null, null);
    }
  }

  private body({ question, sample, seed }: Task, image: string | null): ChatCompletionCreateParamsNonStreaming {
    const { model, maxTokens, temperature, topP, prompt } = this.options;
    const { example } = question;
    const asked = instructionText(prompt.instruction, prompt.thinkTag);
    const text = asked === "" ? example.question : `${example.question}\n${asked}`;
    const allowed = (name: string): boolean => !this.refused.has(name);
    return {
      model,
      messages: [
        ...(prompt.system === undefined ? [] : [{ role: "system" as const, content: prompt.system }]),
        {
          role: "user",
          content: [...(image === null ? [] : [{ type: "image_url" as const, image_url: { url: image } }]), { type: "text", text }],
        },
      ],
      ...(allowed("max_tokens") ? { max_tokens: maxTokens ?? DEFAULT_MAX_TOKENS } : { max_completion_tokens: maxTokens ?? DEFAULT_MAX_TOKENS }),
      ...(allowed("temperature") ? { temperature } : {}),
      ...(allowed("top_p") && topP < 1 ? { top_p: topP } : {}),
      // Greedy completions have one sample; a seed would change nothing.
      ...(allowed("seed") && (temperature > 0 || sample > 0) ? { seed: seed % 2 ** 31 } : {}),
    };
  }

  /** Leaves out the parameter that the server does not take, from now on; whether there is another way to ask. */
  private drop(param: string | null, reason: string): boolean {
    const name = ["max_tokens", "temperature", "top_p", "seed"].find((known) => param === known || (param === null && reason.includes(`'${known}'`)));
    if (name === undefined || this.refused.has(name)) return false;
    this.refused.add(name);
    return true;
  }

  /** Some images are kept: the questions about one mostly follow each other. */
  private imageOf({ image }: Example): Promise<string | null> {
    if (image === null) return Promise.resolve(null);
    const known = this.images.get(image);
    if (known !== undefined) return known;
    const url = imageDataUrl(image, this.options.maxSide);
    this.images.set(image, url);
    const [oldest] = this.images.keys();
    if (this.images.size > 8 && oldest !== undefined) this.images.delete(oldest);
    return url;
  }

  private readonly images = new Map<string, Promise<string>>();
}

/** A reply without text is no answer: it is asked again, and in the end it failed. */
function outcomeOf(reply: CallResult & { readonly kind: "reply" }): Outcome {
  if (reply.refusal !== null) return failed(`refused: ${reply.refusal}`);
  if (reply.finish === "content_filter") return failed("stopped by the server's content filter");
  if (reply.text.trim() === "") return failed("the reply was empty");
  return {
    status: "done",
    text: reply.text,
    ...(reply.usage === null ? {} : { tokens: reply.usage.completionTokens }),
    truncated: reply.finish === "length",
  };
}

function failed(reason: string): Outcome {
  return { status: "failed", reason };
}

function wayOut(status: number): string {
  if (status === 404) return "Correct --model-name (the name under which it is served), or --url (it ends in /v1 for most servers)";
  return "Check OPENAI_API_KEY";
}
