import { imageKey, normaliseText } from "../datasets/text-match.js";
import type { EvaluatedChain } from "./chain.js";
import { METRICS, type MetricInfo, type MetricKey } from "./metrics.js";
import { partsOf } from "./summary.js";

/** What result files measure: the metrics of chains, and those of answers that a judge or word overlap gives. */
export type ResultKey = "judgedAccuracy" | "rouge1" | "bleu1" | "missingAnswer" | MetricKey;

export type ResultInfo = Omit<MetricInfo, "key"> & { readonly key: ResultKey };

/** A metric's numerator and denominator of one chain; an absent metric does not concern the chain. */
export type MeasuredParts = Partial<Record<ResultKey, readonly [number, number]>>;

/** One completion in figures, with the question that it answers. */
export interface Measured {
  readonly dataset: string;
  /** Whether the row itself named its data set, or only its file did. */
  readonly labelled: boolean;
  /** The same question has the same key in every system's results. */
  readonly question: string;
  readonly kind: string | null;
  readonly sample: number;
  readonly parts: MeasuredParts;
}

const overlap = (key: ResultKey, label: string, explanation: string): ResultInfo => ({ key, label, unit: "share", better: 1, over: "answers", explanation });

/** In the order in which tables show them. */
export const RESULT_METRICS: readonly ResultInfo[] = [
  { key: "judgedAccuracy", label: "Accuracy (judge)", unit: "share", better: 1, over: "judged answers", explanation: "answers that the judge finds correct; a completion without an answer is not" },
  ...METRICS.filter(({ key }) => key === "accuracy").map((info) => ({ ...info, label: "Accuracy (exact match)" })),
  overlap("rouge1", "ROUGE-1", "F1 of common words, stemmed"),
  overlap("bleu1", "BLEU-1", "precision of words, with the brevity penalty"),
  { key: "missingAnswer", label: "No answer", unit: "share", better: -1, over: "completions", explanation: "completions without an answer" },
  ...METRICS.filter(({ key }) => key !== "accuracy"),
];

const BY_KEY: ReadonlyMap<string, ResultInfo> = new Map(RESULT_METRICS.map((info) => [info.key, info]));

export function resultInfo(key: ResultKey): ResultInfo {
  const found = BY_KEY.get(key);
  if (found === undefined) throw new RangeError(`no metric named ${key}`);
  return found;
}

/**
 * Keys of questions by what is asked: image name, question and gold answer, so that results of other programs pair
 * with ours. Questions alike in all three are told apart by their order in the file.
 */
export class QuestionKeys {
  private readonly seen = new Map<string, number>();

  of(row: { readonly image: string | null; readonly question: string; readonly goldAnswer: string; readonly sample: number }, dataset: string): string {
    const content = JSON.stringify([imageKey(row.image ?? ""), normaliseText(row.question), normaliseText(row.goldAnswer)]);
    const place = JSON.stringify([dataset, content, row.sample]);
    const nth = this.seen.get(place) ?? 0;
    this.seen.set(place, nth + 1);
    return nth === 0 ? content : `${content}#${nth}`;
  }
}

/** Chains of an evaluation in figures. Reasoning files do not tell tokens: those metrics are left out there. */
export function measureChains(chains: readonly EvaluatedChain[], dataset: (chain: EvaluatedChain) => { readonly name: string; readonly labelled: boolean }): Measured[] {
  const keys = new QuestionKeys();
  return chains.map((chain) => {
    const { name, labelled } = dataset(chain);
    const parts: MeasuredParts = { ...partsOf(chain) };
    if (chain.tokens === 0) {
      delete parts.tokensPerChain;
      delete parts.truncated;
    }
    return { dataset: name, labelled, question: keys.of(chain, name), kind: chain.kind, sample: chain.sample, parts };
  });
}

/** Rows about the same completion as one: a later row's figures go before those of an earlier one. */
export function mergeMeasured(rows: readonly Measured[]): Measured[] {
  const merged = new Map<string, Measured>();
  for (const row of rows) {
    const key = JSON.stringify([row.labelled ? row.dataset : "", row.question, row.sample]);
    const before = merged.get(key);
    merged.set(key, before === undefined ? row : { ...row, kind: row.kind ?? before.kind, parts: { ...before.parts, ...row.parts } });
  }
  return [...merged.values()];
}
