import type { Judge } from "../../src/judges/judge.js";
import type { TrainingParts } from "../../src/training/parts.js";
import { configOf } from "../../src/training/config.js";
import type { TrainConfig, TrainConfigInput } from "../../src/training/schema.js";
import type { Example, Span } from "../../src/types.js";
import { TabularEngine, type TabularOptions } from "./tabular-engine.js";

/** A task of four-sentence chains over a vocabulary of whole sentences; a judge of ground truth knows the right ones. */
const OPEN = 0;
const CLOSE = 1;
const END = 2;
const SENTENCES = ["This is MRI. ", "This is CT. ", "The liver is shown. ", "The lung is shown. ", "A cyst is seen. ", "A mass is seen. "];
const ANSWERS = ["cyst", "mass"];
const VOCABULARY = ["<thinking>", "</thinking><answer>", "</answer>", ...SENTENCES, ...ANSWERS];
const FIRST_SENTENCE = 3;
const FIRST_ANSWER = FIRST_SENTENCE + SENTENCES.length;
const STEPS = 4;

/** Allowed tokens at a position of a completion, which the start policy takes with equal chances. */
function allowed(position: number): readonly number[] {
  if (position === 0) return [OPEN];
  if (position <= STEPS) return SENTENCES.map((_, i) => FIRST_SENTENCE + i);
  if (position === STEPS + 1) return [CLOSE];
  return position === STEPS + 2 ? ANSWERS.map((_, i) => FIRST_ANSWER + i) : [END];
}

function prior(position: number): number[] {
  const tokens = allowed(position);
  return VOCABULARY.map((_, v) => (tokens.includes(v) ? 4 : -4));
}

/** The truth of example i: which member of each pair of sentences and of answers is right. */
export function tabularExamples(count: number): Example[] {
  return Array.from({ length: count }, (_, i) => {
    const truth = i % 2;
    const right = SENTENCES.filter((_sentence, s) => s % 2 === truth);
    return {
      id: `case-${i}`,
      image: null,
      question: `What is seen in case ${i}?`,
      answer: ANSWERS[truth],
      goldReasoning: [...right, right[0]].join(""),
      kind: "finding",
    };
  });
}

export const truthJudge: Judge = {
  name: "truth",
  judge: (requests) =>
    Promise.resolve(
      requests.map(({ example, steps }) => ({
        status: "judged",
        steps: steps.map(({ text }) => {
          const valid = example.goldReasoning?.includes(text.trim()) === true;
          return { alignment: valid ? 1 : 0, contribution: 0, valid, own: valid, inheritedFrom: null };
        }),
      })),
    ),
};

function decode(tokens: readonly number[]): { text: string; offsets: Span[] } {
  let text = "";
  const offsets = tokens.map((token) => {
    const start = text.length;
    text += VOCABULARY[token];
    return { start, end: text.length };
  });
  return { text, offsets };
}

export function tabularParts(config: TrainConfig, options: Partial<TabularOptions> = {}): TrainingParts {
  const engine = new TabularEngine({ vocabulary: VOCABULARY, prior, positions: STEPS + 4, ...options });
  const examples = tabularExamples(20);
  return {
    engine,
    codec: {
      decode,
      segmentation: { thinkTag: "thinking" },
      prompt: (example) => Promise.resolve({ tokens: [7, Number(example.id.slice(5)) % 2], images: [] }),
      target: ({ goldReasoning, answer }) =>
        goldReasoning === null
          ? null
          : [
              OPEN,
              ...goldReasoning.split(". ").filter(Boolean).map((text) => VOCABULARY.indexOf(`${text}. `)),
              ...[CLOSE, VOCABULARY.indexOf(answer), END],
            ],
    },
    judge: config.judge.kind === "none" ? null : truthJudge,
    encoder: null,
    examples,
    heldOut: examples,
  };
}

/** A configuration for the task: fast learning, an evaluation and a checkpoint every few steps. */
export function tabularConfig(output: string, changes: TrainConfigInput = {}): TrainConfig {
  return configOf({
    method: "mrpo",
    output,
    seed: 3,
    steps: 12,
    batch: { prompts: 4, microBatch: 5 },
    sampling: { groupSize: 6, maxTokens: 12 },
    optimizer: { learningRate: 0.2, schedule: "cosine", warmupSteps: 2 },
    loss: { beta: 0.01 },
    rewards: { kMin: 4, kMax: 6 },
    evaluation: { every: 4, questions: 20 },
    checkpoint: { every: 3, keep: 2 },
    ...changes,
  });
}
