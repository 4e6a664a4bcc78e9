/** Keys of the metrics in files and tables. `farBin1` … `farBin5` are the bins [0, 0.2) … [0.8, 1) of the failure point. */
export const METRIC_KEYS = [
  "accuracy",
  "answerReward",
  "stepValidity",
  "alignment",
  "contribution",
  "failing",
  "early",
  "mid",
  "late",
  "earlyOfAll",
  "far",
  "farBin1",
  "farBin2",
  "farBin3",
  "farBin4",
  "farBin5",
  "lucky",
  "stepsPerChain",
  "noSteps",
  "tokensPerChain",
  "truncated",
] as const;

export type MetricKey = (typeof METRIC_KEYS)[number];

export interface MetricInfo {
  readonly key: MetricKey;
  readonly label: string;
  /** `share` is printed as per cent, `number` with its own unit. */
  readonly unit: "share" | "number";
  /** 1 where more is better, −1 where less is, 0 where neither. */
  readonly better: 1 | 0 | -1;
  /** What the value is a mean over. */
  readonly over: string;
  readonly explanation: string;
}

const BINS = ["0–0.2", "0.2–0.4", "0.4–0.6", "0.6–0.8", "0.8–1"] as const;

/** Labels of the five bins of the first failure point, in order. */
export const FFP_BINS: readonly string[] = BINS;

/** The bins' metric keys, in order. */
export const FAR_BIN_KEYS = ["farBin1", "farBin2", "farBin3", "farBin4", "farBin5"] as const satisfies readonly MetricKey[];

function info(
  key: MetricKey,
  label: string,
  unit: "share" | "number",
  better: 1 | 0 | -1,
  over: string,
  explanation: string,
): MetricInfo {
  return { key, label, unit, better, over, explanation };
}

/** In the order in which tables show them. */
export const METRICS: readonly MetricInfo[] = [
  info("accuracy", "Accuracy", "share", 1, "scored answers", "answers verified equal to the gold answer"),
  info("answerReward", "Answer reward", "number", 1, "scored answers", "mean answer reward, overlap included"),
  info("stepValidity", "Step validity", "share", 1, "judged sentences", "sentences that are aligned or contribute"),
  info("alignment", "Alignment", "share", 1, "judged sentences", "sentences consistent with the gold reasoning"),
  info("contribution", "Contribution", "share", 1, "judged sentences", "sentences that help to reach the answer"),
  info("failing", "Failing chains", "share", -1, "judged chains", "chains with at least one invalid step"),
  info("early", "Fails first early", "share", -1, "failing chains", "first failure point (k*−1)/K below 1/3"),
  info("mid", "Fails first midway", "share", 0, "failing chains", "first failure point from 1/3 to below 2/3"),
  info("late", "Fails first late", "share", 0, "failing chains", "first failure point of 2/3 and above"),
  info("earlyOfAll", "Early failures, all chains", "share", -1, "judged chains", "early failures over all judged chains"),
  info("far", "FAR", "share", -1, "failing chains with later steps", "invalid steps among those after the first failure"),
  ...BINS.map((bin, b) =>
    info(FAR_BIN_KEYS[b], `FAR, FFP ${bin}`, "share", -1, "failing chains of the bin", `FAR of chains that first fail at ${bin}`),
  ),
  info("lucky", "Right answer, failing chain", "share", -1, "judged right answers", "right answers of chains with an invalid step"),
  info("stepsPerChain", "Steps per chain", "number", 0, "chains", "sentences in the think text"),
  info("noSteps", "Chains without steps", "share", -1, "chains", "chains with no sentence in the think text"),
  info("tokensPerChain", "Tokens per chain", "number", 0, "chains", "completion tokens"),
  info("truncated", "Cut at the token limit", "share", -1, "chains", "chains that reached the token limit"),
];

const BY_KEY: ReadonlyMap<string, MetricInfo> = new Map(METRICS.map((metric) => [metric.key, metric]));

export function metricInfo(key: MetricKey): MetricInfo {
  const found = BY_KEY.get(key);
  if (found === undefined) throw new RangeError(`no metric named ${key}`);
  return found;
}
