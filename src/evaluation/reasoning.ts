import { segmentCompletion } from "../inference/record.js";
import { checkVerdicts, emptyChainVerdict, type Judge, type JudgeRequest } from "../judges/judge.js";
import { answersEqual } from "../rewards/verify.js";
import { sentenceSpans } from "../steps/sentences.js";
import type { ChainVerdict, Example, Step } from "../types.js";
import type { PlacedRow } from "./answers.js";
import type { EvaluatedChain } from "./chain.js";
import type { GoldReasoning } from "./gold.js";
import { measureChains, QuestionKeys, type Measured } from "./measured.js";

/** A chain with where it counts. */
export interface ReasoningRow {
  readonly dataset: string;
  readonly labelled: boolean;
  readonly chain: EvaluatedChain;
}

/** A row that can be judged: its question with the gold, and the steps of its reasoning. */
export interface ReasoningTask extends PlacedRow {
  readonly request: JudgeRequest;
}

export interface ReasoningTasks {
  readonly tasks: readonly ReasoningTask[];
  /** Rows of the input that are not judged. */
  readonly leftOut: { readonly failed: number; readonly duplicates: number; readonly noGold: number };
}

/**
 * What is to be judged: as in the reference, the first of several rows with the same image, question and answer (and
 * sample), and only questions that have gold reasoning. Without `gold` every row is taken (recorded labels need none).
 */
export function reasoningTasks(rows: readonly PlacedRow[], gold: GoldReasoning | null): ReasoningTasks {
  const leftOut = { failed: 0, duplicates: 0, noGold: 0 };
  const keys = new QuestionKeys();
  const tasks = rows.flatMap((row): ReasoningTask[] => {
    const { record, dataset } = row;
    const { image, problem, solution, sample = 0 } = record;
    if (record.failed !== undefined) {
      leftOut.failed++;
      return [];
    }
    const key = keys.of({ image, question: problem, goldAnswer: solution, sample }, dataset);
    if (/#\d+$/.test(key)) {
      leftOut.duplicates++;
      return [];
    }
    const found = gold?.find(image, problem, solution) ?? null;
    if (found === null && gold !== null) {
      leftOut.noGold++;
      return [];
    }
    const example: Example = {
      id: record.id ?? found?.id ?? key,
      image: image ?? found?.image ?? null,
      question: problem,
      answer: solution,
      goldReasoning: found?.goldReasoning ?? null,
      ...(record.kind ?? found?.kind) === undefined ? {} : { kind: record.kind ?? found?.kind },
      ...(found?.meta === undefined ? {} : { meta: found.meta }),
    };
    return [{ ...row, request: { example, answer: record.answer, ...stepsOf(record) } }];
  });
  return { tasks, leftOut };
}

/** The completion where its steps are those of the reasoning, else the reasoning alone; steps are spans of it. */
function stepsOf({ text, think }: PlacedRow["record"]): { readonly text: string; readonly steps: readonly Step[] } {
  const reasoning = think ?? "";
  const at = text === null ? -1 : text.indexOf(reasoning);
  if (text !== null && at < 0) {
    const { steps } = segmentCompletion(text);
    if (steps.length > 0) return { text, steps };
  }
  const whole = text !== null && at >= 0 ? text : reasoning;
  const offset = at >= 0 ? at : 0;
  const steps = sentenceSpans(reasoning).map(({ start, end }) => ({ start: start + offset, end: end + offset, text: reasoning.slice(start, end) }));
  return { text: whole, steps };
}

export interface JudgeReasoningOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A verdict for every chain, in order. Rejects as the judge does. */
export async function judgeReasoning(tasks: readonly ReasoningTask[], judge: Judge, { signal, onProgress }: JudgeReasoningOptions = {}): Promise<ReasoningRow[]> {
  let done = 0;
  return Promise.all(
    tasks.map(async (task) => {
      const { request } = task;
      const [verdict] = request.steps.length === 0 ? [emptyChainVerdict] : checkVerdicts(judge.name, [request], await judge.judge([request], signal));
      onProgress?.(++done, tasks.length);
      return { dataset: task.dataset, labelled: task.labelled, chain: chainOf(task, verdict) };
    }),
  );
}

function chainOf({ record, request }: ReasoningTask, verdict: ChainVerdict): EvaluatedChain {
  const { example, text, steps, answer } = request;
  return {
    exampleId: example.id,
    sample: record.sample ?? 0,
    kind: example.kind ?? null,
    image: example.image,
    question: example.question,
    goldAnswer: example.answer,
    goldReasoning: example.goldReasoning,
    text,
    answer,
    steps: steps.map(({ start, end }) => ({ start, end })),
    verdicts: verdict.status === "judged" ? verdict.steps : null,
    correct: answer !== null && answersEqual(answer, example.answer),
    rewards: { answer: null, process: null, length: null },
    unscored: verdict.status === "unscored" ? [verdict.reason] : [],
    tokens: record.tokens ?? 0,
    truncated: record.truncated ?? false,
  };
}

export function measureReasoning(rows: readonly ReasoningRow[]): Measured[] {
  const places = new Map(rows.map(({ chain, dataset, labelled }) => [chain, { name: dataset, labelled }]));
  return measureChains(
    rows.map(({ chain }) => chain),
    (chain) => places.get(chain) ?? { name: "", labelled: false },
  );
}
