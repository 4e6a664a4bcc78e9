/**
 * A judge that gives recorded labels (people's, or another judge's): JSON Lines of
 * `{"id", "steps": [{"text", "alignment", "contribution", "own"?, "inheritedFrom"?, "why"?}]}`, looked up by example
 * id and the texts of all steps in order (runs of blanks folded), because a step's verdict depends on its chain.
 * A chain that was not labelled is unscored.
 */
import { createReadStream } from "node:fs";
import { z } from "zod";
import type { ChainVerdict, StepVerdict } from "../types.js";
import { UserError, messageOf } from "../util/errors.js";
import { readJsonLines } from "../util/jsonl.js";
import { emptyChainVerdict, isValid, type Judge, type JudgeRequest } from "./judge.js";

const bit = z.union([z.literal(0), z.literal(1)], { error: "must be 0 or 1" });

const labelledChain = z.object({
  id: z.string(),
  steps: z.array(
    z.object({
      text: z.string(),
      alignment: bit,
      contribution: bit,
      own: z.boolean().optional(),
      inheritedFrom: z.int().min(0).nullable().optional(),
      why: z.string().optional(),
    }),
  ),
});

export class RecordedJudge implements Judge {
  readonly name = "recorded";
  private readonly chains: ReadonlyMap<string, readonly StepVerdict[]>;

  constructor(chains: ReadonlyMap<string, readonly StepVerdict[]>) {
    this.chains = chains;
  }

  judge(requests: readonly JudgeRequest[], signal?: AbortSignal): Promise<ChainVerdict[]> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    return Promise.resolve(requests.map((request) => this.lookUp(request)));
  }

  private lookUp({ example, steps }: JudgeRequest): ChainVerdict {
    if (steps.length === 0) return emptyChainVerdict;
    const found = this.chains.get(chainKey(example.id, steps.map((step) => step.text)));
    return found ? { status: "judged", steps: found } : { status: "unscored", reason: "no recorded label for this chain" };
  }
}

/** Key of a chain in a `RecordedJudge`. */
export function chainKey(exampleId: string, stepTexts: readonly string[]): string {
  return JSON.stringify([exampleId, ...stepTexts.map((text) => text.replace(/\s+/g, " ").trim())]);
}

/**
 * Reads the labels of a file. Every line must be right: labels are few and made by hand, a lost one is a mistake.
 * The same chain may stand twice with the same bits; with other bits it is refused.
 */
export async function loadRecordedJudge(file: string): Promise<RecordedJudge> {
  const chains = new Map<string, StepVerdict[]>();
  const lineOf = new Map<string, number>();
  try {
    for await (const item of readJsonLines(createReadStream(file))) {
      if ("error" in item) throw new UserError(`${file}, line ${item.line}: ${item.error}`);
      const parsed = labelledChain.safeParse(item.value);
      if (!parsed.success) throw new UserError(`${file}, line ${item.line}: ${z.prettifyError(parsed.error)}`);
      const { id, steps } = parsed.data;
      const verdicts = steps.map(({ text: _text, ...label }): StepVerdict => ({ ...label, valid: isValid(label) }));
      const key = chainKey(id, steps.map((step) => step.text));
      const before = chains.get(key);
      if (before && JSON.stringify(before.map(bits)) !== JSON.stringify(verdicts.map(bits))) {
        throw new UserError(`${file}, line ${item.line}: this chain of ${id} has other labels on line ${lineOf.get(key)}; keep one of them`);
      }
      chains.set(key, verdicts);
      lineOf.set(key, item.line);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`cannot read recorded labels: ${messageOf(error)}`);
  }
  return new RecordedJudge(chains);
}

function bits({ alignment, contribution, own, inheritedFrom }: StepVerdict): unknown[] {
  return [alignment, contribution, own ?? null, inheritedFrom ?? null];
}
