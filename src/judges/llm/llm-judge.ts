/**
 * The judge of the paper: a language model that sees the image, the question, the gold answer and the gold reasoning, and
 * marks all steps of a chain in one call. Departs from the reference: a reply with another number of steps is asked for
 * again, never cut or filled with zeros; a chain that cannot be judged is unscored, never a reward of 0; instructions
 * in the chain are quoted, so that a policy cannot learn to talk to its judge; images are scaled down to a bound.
 */
import type { Llm } from "../../llm/types.js";
import type { ChainVerdict } from "../../types.js";
import { emptyChainVerdict, type Judge, type JudgeRequest } from "../judge.js";
import { parseChain } from "./parse.js";
import { chainPrompt, chainSchema, PROMPT_VERSION, SYSTEM_PROMPT } from "./prompt.js";

export interface LlmJudgeOptions {
  /** False for a model that sees no images: it judges by the texts alone. */
  readonly sendImage?: boolean;
  readonly temperature?: number;
  /** Longest reply, tokens; the model's own reasoning counts. Raised for chains of very many steps. */
  readonly maxTokens?: number;
}

/** What the marks of one step take as JSON, tokens, with room to spare. */
const TOKENS_PER_STEP = 32;

/** A judge on a client, which it closes. */
export function llmJudge(llm: Llm, { sendImage = true, temperature = 0, maxTokens = 4096 }: LlmJudgeOptions = {}): Judge {
  const judgeOne = async (request: JudgeRequest, signal?: AbortSignal): Promise<ChainVerdict> => {
    const { example, steps } = request;
    if (steps.length === 0) return emptyChainVerdict;
    if (example.goldReasoning === null || example.goldReasoning.trim() === "") return { status: "unscored", reason: "no gold reasoning to judge by" };
    const shown = sendImage ? request : { ...request, example: { ...example, image: null } };
    const { image } = shown.example;
    const reply = await llm.ask(
      {
        prompt: PROMPT_VERSION,
        system: SYSTEM_PROMPT,
        parts: [...(image === null ? [] : [{ type: "image" as const, path: image }]), { type: "text", text: chainPrompt(shown) }],
        schema: chainSchema(steps.length),
        parse: (text) => parseChain(text, steps.length),
        temperature,
        maxTokens: Math.max(maxTokens, 1024 + TOKENS_PER_STEP * steps.length),
      },
      signal,
    );
    return reply.status === "ok" ? { status: "judged", steps: reply.value } : { status: "unscored", reason: reply.reason };
  };
  return {
    name: llm.model,
    judge: (requests, signal) => Promise.all(requests.map((request) => judgeOne(request, signal))),
    account: () => llm.account(),
    close: () => llm.close(),
  };
}
