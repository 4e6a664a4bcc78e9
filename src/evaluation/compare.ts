import { UserError } from "../util/errors.js";
import { bootstrapDifferences, type BootstrapOptions, type Estimate } from "./bootstrap.js";
import type { EvaluatedChain } from "./chain.js";
import { METRIC_KEYS, type MetricKey } from "./metrics.js";
import { metricSums, summarize, type MetricEstimates, type Summary } from "./summary.js";

/** One system's chains on a set of questions. */
export interface System {
  readonly name: string;
  readonly chains: readonly EvaluatedChain[];
}

export interface Difference {
  readonly from: string;
  readonly to: string;
  /** Questions that both answered: only these are compared. */
  readonly questions: number;
  /** `to − from` with a paired interval. */
  readonly metrics: MetricEstimates;
}

export interface Comparison {
  readonly systems: readonly { readonly name: string; readonly summary: Summary }[];
  /** Every other system against the first. */
  readonly differences: readonly Difference[];
}

/**
 * Systems side by side: each over all its own questions, and the difference of each to the first over the questions
 * that both answered. Throws when two systems share no question.
 */
export function compareSystems(systems: readonly System[], options: BootstrapOptions = {}): Comparison {
  const [first, ...others] = systems;
  if (first === undefined) throw new UserError("nothing to compare: name at least one run or evaluation file");
  return {
    systems: systems.map(({ name, chains }) => ({ name, summary: summarize(chains, options) })),
    differences: others.map((other) => differenceOf(first, other, options)),
  };
}

function differenceOf(from: System, to: System, options: BootstrapOptions): Difference {
  const answered = new Set(to.chains.map((chain) => chain.exampleId));
  const questions = [...new Set(from.chains.map((chain) => chain.exampleId))].filter((id) => answered.has(id));
  if (questions.length === 0) {
    throw new UserError(
      `${from.name} and ${to.name} have no question in common, so their difference says nothing; ` +
        "evaluate both with the same --data, --split and --questions",
    );
  }
  const estimates = bootstrapDifferences(metricSums(from.chains, questions), metricSums(to.chains, questions), options);
  return {
    from: from.name,
    to: to.name,
    questions: questions.length,
    metrics: Object.fromEntries(METRIC_KEYS.map((key, m) => [key, estimates[m]])) as Record<MetricKey, Estimate>,
  };
}
