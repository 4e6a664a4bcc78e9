import { createReadStream } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { loadDataset } from "../datasets/dataset.js";
import { corruptionProfiles, verifyExample, type ProfileName } from "../datasets/phantom/index.js";
import { sftCompletion } from "../datasets/phantom/example.js";
import { checkVerdicts, isValid, type Judge, type JudgeRequest } from "../judges/judge.js";
import { segment } from "../steps/segment.js";
import { openRun } from "../store/reader.js";
import type { StepVerdict } from "../types.js";
import { messageOf, UserError } from "../util/errors.js";
import { readJsonLines } from "../util/jsonl.js";
import { RandomStream, seedFrom } from "../util/random.js";
import { agreementReport, type AgreementReport } from "./agreement.js";

/** A chain whose verdict is known. */
export interface LabelledChain {
  readonly request: JudgeRequest;
  readonly truth: readonly StepVerdict[];
}

export interface Calibration {
  readonly judge: string;
  /** Where the truth comes from. */
  readonly truth: string;
  readonly report: AgreementReport;
  /** How often each reason kept a chain from being judged. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Lets a judge judge chains whose verdicts are known, and compares. */
export async function calibrate(judge: Judge, chains: readonly LabelledChain[], truth: string, options: { readonly seed: number; readonly signal?: AbortSignal }): Promise<Calibration> {
  const requests = chains.map(({ request }) => request);
  const verdicts = checkVerdicts(judge.name, requests, await judge.judge(requests, options.signal));
  const reasons: Record<string, number> = {};
  for (const verdict of verdicts) if (verdict.status === "unscored") reasons[verdict.reason] = (reasons[verdict.reason] ?? 0) + 1;
  const judged = chains.map(({ request, truth: steps }, i) => {
    const verdict = verdicts[i];
    return { id: request.example.id, truth: steps, judged: verdict.status === "judged" ? verdict.steps : null };
  });
  return { judge: judge.name, truth, report: agreementReport(judged, { seed: options.seed }), reasons };
}

const bit = z.union([z.literal(0), z.literal(1)], { error: "must be 0 or 1" });
const labelledLine = z.object({
  id: z.union([z.string(), z.int()]),
  image: z.string().nullable(),
  question: z.string(),
  answer: z.string(),
  goldReasoning: z.string().nullable(),
  steps: z.array(z.object({ text: z.string(), alignment: bit, contribution: bit })).min(1),
});

/**
 * Chains that people labelled: JSON Lines of `{"id", "image", "question", "answer", "goldReasoning", "steps": [{"text",
 * "alignment", "contribution"}]}`; relative images lie beside the file. Every line must be right.
 */
export async function labelledChains(file: string): Promise<LabelledChain[]> {
  const chains: LabelledChain[] = [];
  try {
    for await (const item of readJsonLines(createReadStream(file))) {
      if ("error" in item) throw new UserError(`${file}, line ${item.line}: ${item.error}`);
      const parsed = labelledLine.safeParse(item.value);
      if (!parsed.success) throw new UserError(`${file}, line ${item.line}: ${z.prettifyError(parsed.error)}`);
      const { id, image, question, answer, goldReasoning, steps } = parsed.data;
      const text = steps.map((step) => step.text).join(" ");
      let start = 0;
      const spans = steps.map((step) => {
        const span = { text: step.text, start, end: start + step.text.length };
        start = span.end + 1;
        return span;
      });
      chains.push({
        request: { example: { id: String(id), image: image === null ? null : resolve(dirname(file), image), question, answer, goldReasoning }, text, steps: spans, answer: null },
        truth: steps.map(({ alignment, contribution }) => ({ alignment, contribution, valid: isValid({ alignment, contribution }) })),
      });
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`cannot read labelled chains: ${messageOf(error)}`);
  }
  if (chains.length === 0) throw new UserError(`${file} holds no labelled chain`);
  return chains;
}

/** Chains of a run, of all its steps alike, with the verdicts of the judge that it was trained with (the phantom's is exact). */
export function runChains(dir: string, count: number, seed: number): { chains: LabelledChain[]; truth: string } {
  const run = openRun(dir);
  try {
    const examples = new Map(run.examples().map((example) => [example.id, example]));
    const random = new RandomStream(seedFrom(seed, "calibration"));
    const kept: LabelledChain[] = [];
    let met = 0;
    for (const step of run.rolloutSteps()) {
      for (const { exampleId, text, steps, answer, verdict } of run.rollouts({ step })) {
        const example = examples.get(exampleId);
        if (example === undefined || verdict.status === "unscored" || steps.length === 0) continue;
        // Reservoir sampling (Vitter's algorithm R): every chain has the same chance, and only `count` are held.
        const at = met < count ? met : random.int(met + 1);
        met++;
        if (at >= count) continue;
        const { kind, ...rest } = example;
        kept[at] = { request: { example: { ...rest, kind: kind ?? undefined }, text, steps, answer }, truth: verdict.steps };
      }
    }
    if (kept.length === 0) throw new UserError(`${dir}: no judged chain is stored in this run; take one that was trained with a judge`);
    const judge = (run.config as { judge?: { kind?: string } }).judge?.kind ?? "unknown";
    return { chains: kept, truth: `${run.name}: verdicts of its judge (${judge})` };
  } finally {
    run.close();
  }
}

/** Chains of the phantom's own error profiles, which need no model, with exact verdicts. */
export function phantomChains(dir: string, options: { readonly split: string; readonly profile: ProfileName; readonly count: number; readonly seed: number }): LabelledChain[] {
  const { split, profile, count, seed } = options;
  const { examples } = loadDataset(dir, { split, limit: count });
  return examples.map((example) => {
    const text = sftCompletion(example, corruptionProfiles[profile], seed);
    const { steps, answer } = segment(text, { thinkTag: /<thinking>/.test(text) ? "thinking" : "think" });
    const verdict = verifyExample(example, steps.map((step) => step.text));
    if (verdict.status === "unscored") throw new UserError(`${dir}: example ${example.id}: ${verdict.reason}; only data of \`breakwater phantom\` carry their truth`);
    return { request: { example, text, steps, answer }, truth: verdict.steps };
  });
}
