import type { EvaluatedChain } from "../../src/evaluation/chain.js";
import { EVALUATION_FORMAT, type EvaluationFile } from "../../src/evaluation/file.js";
import { summarize, summarizeKinds } from "../../src/evaluation/summary.js";
import type { GalleryChain, ReportRun } from "../../src/report/data.js";
import type { EvaluationRow, MetricsRow, TimelineSpan, TimingsRow } from "../../src/store/types.js";
import type { Span, StepVerdict } from "../../src/types.js";
import { RandomStream, seedFrom } from "../../src/util/random.js";

/**
 * Made-up runs of known truth for the tests of evaluation and report. A chain's steps fail independently before the
 * first failure with probability `hazard[k]`, and with probability `after` behind it.
 */
export interface Behaviour {
  readonly hazard: readonly number[];
  readonly after: number;
  readonly rightWhenValid: number;
  readonly rightWhenFailing: number;
}

export const START: Behaviour = { hazard: [0.3, 0.25, 0.15, 0.1, 0.08, 0.06], after: 0.7, rightWhenValid: 0.9, rightWhenFailing: 0.3 };
export const GRPO: Behaviour = { hazard: [0.08, 0.1, 0.1, 0.1, 0.1, 0.08], after: 0.62, rightWhenValid: 0.93, rightWhenFailing: 0.45 };
export const MRPO: Behaviour = { hazard: [0.04, 0.06, 0.08, 0.1, 0.1, 0.08], after: 0.55, rightWhenValid: 0.94, rightWhenFailing: 0.45 };

const SENTENCES: readonly (readonly [string, string])[] = [
  ["This is an MRI scan.", "This is a CT scan."],
  ["The image shows the abdomen.", "The image shows the chest."],
  ["The liver lies on the left of the image.", "The spleen lies on the left of the image."],
  ["A bright round lesion is seen in the upper right lobe.", "No lesion is seen."],
  ["It measures about 2.5 cm across.", "It measures about 7 cm across."],
  ["Therefore the finding is a cyst in the liver.", "Therefore the scan is normal."],
];
const KINDS = ["modality", "organ", "location", "count"] as const;

function blend(from: Behaviour, to: Behaviour, share: number): Behaviour {
  const mix = (a: number, b: number) => a + (b - a) * share;
  return {
    hazard: from.hazard.map((h, k) => mix(h, to.hazard[k])),
    after: mix(from.after, to.after),
    rightWhenValid: mix(from.rightWhenValid, to.rightWhenValid),
    rightWhenFailing: mix(from.rightWhenFailing, to.rightWhenFailing),
  };
}

/** One chain of question `q`. */
export function syntheticChain(behaviour: Behaviour, q: number, random: RandomStream, image: string | null = null): EvaluatedChain {
  const K = 4 + random.int(3);
  const valid: boolean[] = [];
  for (let k = 0; k < K; k++) valid.push(random.uniform() >= (valid.includes(false) ? behaviour.after : behaviour.hazard[k]));
  const correct = random.uniform() < (valid.includes(false) ? behaviour.rightWhenFailing : behaviour.rightWhenValid);
  let text = "<thinking>";
  const steps: Span[] = [];
  const failed = valid.indexOf(false);
  const verdicts = valid.map((ok, k): StepVerdict => {
    const sentence = SENTENCES[k === K - 1 ? 5 : k][ok ? 0 : 1];
    if (k > 0) text += " ";
    steps.push({ start: text.length, end: text.length + sentence.length });
    text += sentence;
    return ok
      ? { alignment: 1, contribution: random.uniform() < 0.6 ? 1 : 0, valid: true, own: true }
      : { alignment: 0, contribution: 0, valid: false, own: k === failed ? false : random.uniform() < 0.4, inheritedFrom: k === failed ? null : failed, why: "contradicts the scene" };
  });
  const answer = correct ? "liver cyst" : "normal";
  text += `</thinking><answer>${answer}</answer>`;
  return {
    exampleId: `q${q}`,
    sample: 0,
    kind: KINDS[q % KINDS.length],
    image,
    question: "What does the scan show, and in which organ?",
    goldAnswer: "liver cyst",
    goldReasoning: SENTENCES.map(([sentence]) => sentence).join(" "),
    text,
    answer,
    steps,
    verdicts,
    correct,
    rewards: { answer: correct ? 1 : 0, process: valid.filter(Boolean).length / K, length: 0 },
    unscored: [],
    tokens: Math.ceil(text.length / 4),
    truncated: false,
  };
}

export function syntheticEvaluation(name: string, method: string | null, seed: number, behaviour: Behaviour, questions: number, image: string | null = null): EvaluationFile {
  const random = new RandomStream(seedFrom("synthetic", name, seed));
  const chains = Array.from({ length: questions }, (_, q) => syntheticChain(behaviour, q, random, image));
  return {
    format: EVALUATION_FORMAT,
    name,
    method,
    runSeed: seed,
    settings: { model: name, data: "phantom", split: "test", temperature: 1, maxTokens: 160, samplesPerQuestion: 1, seed: 0, judge: "phantom", answerScorer: "lexical" },
    summary: summarize(chains, { resamples: 500 }),
    kinds: summarizeKinds(chains, { resamples: 200 }),
    speed: { seconds: 3.1, tokens: 61000, tokensPerSecond: { value: 19677, low: 19100, high: 20100, n: 3.1 } },
    chains,
  };
}

/** A run of `steps` updates that moves from the start's behaviour to `target`; without steps it is the start itself. */
export function syntheticRun(
  method: string,
  seed: number,
  target: Behaviour,
  { steps = 60, questions = 512, image = null }: { readonly steps?: number; readonly questions?: number; readonly image?: string | null } = {},
): ReportRun {
  const name = `${method}-seed${seed}`;
  const random = new RandomStream(seedFrom("run", name));
  const metrics: MetricsRow[] = [];
  const timings: TimingsRow[] = [];
  const evaluations: EvaluationRow[] = [];
  const at = (step: number) => blend(START, target, 1 - Math.exp(-step / 18));
  for (let step = 1; step <= steps; step++) {
    const chains = Array.from({ length: 64 }, (_, q) => syntheticChain(at(step), q, random));
    metrics.push(metricsRow(step, chains, random));
    timings.push({ step, sample: 0.4, judge: 0.001, score: 0.01, reference: 0.05, train: 0.5, store: 0.01, total: 0.97, tokensPerSecond: 21000 + 900 * random.normal(), sampledTokensPerSecond: 19000 });
  }
  for (let step = 0; steps > 0 && step <= steps; step += 10) {
    evaluations.push(evaluationRow(step, Array.from({ length: 256 }, (_, q) => syntheticChain(at(step), q, random))));
  }
  return {
    name,
    method,
    seed,
    config: steps === 0 ? {} : { method, seed, sampling: { groupSize: 8, temperature: 1 }, optimizer: { learningRate: 1e-4 }, loss: { beta: 0.04 } },
    metrics,
    timings,
    timeline: timings.flatMap(({ step }): TimelineSpan[] => [
      { lane: "sample", step, start: 1000 * step, end: 1000 * step + 400 },
      { lane: "train", step, start: 1000 * step + 400, end: 1000 * step + 900 },
    ]),
    evaluations,
    final: syntheticEvaluation(name, method, seed, steps === 0 ? START : at(steps), questions, image),
    gallery: steps === 0 ? [] : Array.from({ length: 12 }, (_, q) => galleryChain(`${method.toUpperCase()}, seed ${seed}, step ${steps}`, method, syntheticChain(at(steps), q, random, image), random)),
  };
}

function galleryChain(label: string, method: string, chain: EvaluatedChain, random: RandomStream): GalleryChain {
  const offsets: Span[] = [...chain.text.matchAll(/<\/?\w+>|\s?\w+|\s?[^\w\s]/g)].map((m) => ({ start: m.index, end: m.index + m[0].length }));
  const advantage = (chain.correct === true ? 1 : -1) * (0.4 + random.uniform());
  const K = chain.steps.length;
  const advantages = offsets.map(({ start, end }) => {
    const k = chain.steps.findIndex((step) => start < step.end && end > step.start);
    if (k < 0 || chain.correct === true) return advantage;
    return chain.verdicts?.[k].valid === true ? Math.abs(advantage) : -Math.exp(1 - k / (K - 1)) * Math.abs(advantage);
  });
  const scored = (value: number | null) => (value === null ? ({ status: "unscored", reason: "encoder failed" } as const) : ({ status: "scored", value } as const));
  return {
    label,
    method,
    example: { id: chain.exampleId, image: chain.image, question: chain.question, answer: chain.goldAnswer, goldReasoning: chain.goldReasoning, kind: chain.kind },
    text: chain.text,
    answer: chain.answer,
    steps: chain.steps,
    verdict: chain.verdicts === null ? { status: "unscored", reason: "the judge gave no verdict" } : { status: "judged", steps: chain.verdicts },
    rewards: { answer: scored(chain.rewards.answer), process: scored(chain.rewards.process), length: scored(chain.rewards.length) },
    correct: chain.correct,
    advantage,
    tokens: { offsets, advantages },
  };
}

function metricsRow(step: number, chains: readonly EvaluatedChain[], random: RandomStream): MetricsRow {
  const { metrics } = summarize(chains, { resamples: 1 });
  return {
    step,
    epoch: 0,
    loss: 0.02 * random.normal(),
    kl: 0.002 * step,
    gradNorm: 0.6 + 0.1 * random.normal(),
    learningRate: 1e-4,
    clipFraction: 0,
    entropy: 0.5 * Math.exp(-step / 80),
    rewardMean: (metrics.accuracy.value ?? 0) + (metrics.stepValidity.value ?? 0),
    rewardAnswer: metrics.answerReward.value,
    rewardProcess: metrics.stepValidity.value,
    rewardLength: 0,
    accuracy: metrics.accuracy.value,
    stepValidity: metrics.stepValidity.value,
    failingShare: metrics.failing.value,
    earlyShare: metrics.early.value,
    midShare: metrics.mid.value,
    lateShare: metrics.late.value,
    far: metrics.far.value,
    stepsPerChain: metrics.stepsPerChain.value,
    prompts: 8,
    rollouts: 64,
    completionTokens: metrics.tokensPerChain.value,
    truncatedShare: 0,
    unscored: 0,
    zeroGroups: 1,
    skippedPrompts: 0, staleness: 0, policyShift: 0,
  };
}

function evaluationRow(step: number, chains: readonly EvaluatedChain[]): EvaluationRow {
  const { metrics } = summarize(chains, { resamples: 1 });
  return {
    step,
    split: "test",
    temperature: 1,
    questions: chains.length,
    chains: chains.length,
    accuracy: metrics.accuracy.value,
    stepValidity: metrics.stepValidity.value,
    failingShare: metrics.failing.value,
    early: metrics.early.value,
    mid: metrics.mid.value,
    late: metrics.late.value,
    far: metrics.far.value,
    farByBin: [metrics.farBin1, metrics.farBin2, metrics.farBin3, metrics.farBin4, metrics.farBin5].map((bin) => bin.value),
    stepsPerChain: metrics.stepsPerChain.value,
    completionTokens: metrics.tokensPerChain.value,
    truncatedShare: 0,
    unscored: 0,
  };
}
