import { bootstrapRatios, type BootstrapOptions, type Estimate, type RatioSums } from "./bootstrap.js";
import { firstFailure } from "./cascade.js";
import type { EvaluatedChain } from "./chain.js";
import { FAR_BIN_KEYS, METRIC_KEYS, type MetricKey } from "./metrics.js";

export type MetricEstimates = Readonly<Record<MetricKey, Estimate>>;

/** All metrics of a set of chains with their intervals, and what had to be left out of them. */
export interface Summary {
  readonly questions: number;
  readonly chains: number;
  readonly metrics: MetricEstimates;
  /** Chains whose answer could not be scored: out of accuracy and answer reward. */
  readonly unscoredAnswers: number;
  /** Chains with steps that could not be judged: out of every metric of reasoning. */
  readonly unjudgedChains: number;
  /** How often each reason was given. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Metrics over `chains`, bootstrapped over their questions. */
export function summarize(chains: readonly EvaluatedChain[], options: BootstrapOptions = {}): Summary {
  const questions = [...new Set(chains.map((chain) => chain.exampleId))];
  const estimates = bootstrapRatios(metricSums(chains, questions), options);
  const reasons: Record<string, number> = {};
  for (const chain of chains) for (const reason of chain.unscored) reasons[reason] = (reasons[reason] ?? 0) + 1;
  return {
    questions: questions.length,
    chains: chains.length,
    metrics: Object.fromEntries(METRIC_KEYS.map((key, m) => [key, estimates[m]])) as Record<MetricKey, Estimate>,
    unscoredAnswers: chains.filter((chain) => chain.correct === null).length,
    unjudgedChains: chains.filter((chain) => chain.verdicts === null).length,
    reasons,
  };
}

/** A summary for each kind of question that occurs, in alphabetical order; chains without a kind are in none. */
export function summarizeKinds(
  chains: readonly EvaluatedChain[],
  options: BootstrapOptions = {},
): Readonly<Record<string, Summary>> {
  const kinds = [...new Set(chains.flatMap((chain) => (chain.kind === null ? [] : [chain.kind])))].sort();
  return Object.fromEntries(
    kinds.map((kind) => [kind, summarize(chains.filter((chain) => chain.kind === kind), options)]),
  );
}

/** Each metric as sums per question, in the order of METRIC_KEYS; chains of other questions are not counted. */
export function metricSums(chains: readonly EvaluatedChain[], questions: readonly string[]): RatioSums[] {
  const place = new Map(questions.map((id, at) => [id, at]));
  const numerators = METRIC_KEYS.map(() => new Array<number>(questions.length).fill(0));
  const denominators = METRIC_KEYS.map(() => new Array<number>(questions.length).fill(0));
  for (const chain of chains) {
    const at = place.get(chain.exampleId);
    if (at === undefined) continue;
    const parts = partsOf(chain);
    METRIC_KEYS.forEach((key, m) => {
      const part = parts[key];
      if (part === undefined) return;
      numerators[m][at] += part[0];
      denominators[m][at] += part[1];
    });
  }
  return METRIC_KEYS.map((_, m) => ({ numerator: numerators[m], denominator: denominators[m] }));
}

/** What one chain adds to each metric's numerator and denominator; an absent metric does not concern the chain. */
export function partsOf(chain: EvaluatedChain): Partial<Record<MetricKey, readonly [number, number]>> {
  const parts: Partial<Record<MetricKey, readonly [number, number]>> = {
    stepsPerChain: [chain.steps.length, 1],
    noSteps: [chain.steps.length === 0 ? 1 : 0, 1],
    tokensPerChain: [chain.tokens, 1],
    truncated: [chain.truncated ? 1 : 0, 1],
  };
  if (chain.correct !== null) parts.accuracy = [chain.correct ? 1 : 0, 1];
  if (chain.rewards.answer !== null) parts.answerReward = [chain.rewards.answer, 1];
  const { verdicts } = chain;
  if (verdicts === null || verdicts.length === 0) return parts;

  const K = verdicts.length;
  parts.stepValidity = [count(verdicts, (verdict) => verdict.valid), K];
  parts.alignment = [count(verdicts, (verdict) => verdict.alignment === 1), K];
  parts.contribution = [count(verdicts, (verdict) => verdict.contribution === 1), K];
  const failure = firstFailure(verdicts.map((verdict) => verdict.valid));
  const failing = failure === null ? 0 : 1;
  parts.failing = [failing, 1];
  parts.earlyOfAll = [failure?.stage === "early" ? 1 : 0, 1];
  if (chain.correct === true) parts.lucky = [failing, 1];
  if (failure === null) return parts;

  for (const stage of ["early", "mid", "late"] as const) parts[stage] = [failure.stage === stage ? 1 : 0, 1];
  if (failure.accumulation !== null) {
    parts.far = [failure.accumulation, 1];
    parts[FAR_BIN_KEYS[failure.bin]] = [failure.accumulation, 1];
  }
  return parts;
}

function count<T>(items: readonly T[], test: (item: T) => boolean): number {
  return items.reduce((n, item) => n + (test(item) ? 1 : 0), 0);
}
