import { checkVerdicts, emptyChainVerdict, type Judge } from "../judges/judge.js";
import { answerRewards, type BertScoreEncoder } from "../rewards/answer.js";
import { lengthReward } from "../rewards/length.js";
import { processReward } from "../rewards/process.js";
import { segment, type SegmentOptions } from "../steps/segment.js";
import type { ChainVerdict, Example, Group, Rollout, Scored, ScoredRollout } from "../types.js";

export interface ScoringOptions {
  readonly segmentation: SegmentOptions;
  /** `null`: no step is judged and the process reward is unscored. */
  readonly judge: Judge | null;
  readonly encoder: BertScoreEncoder | null;
  readonly kMin: number;
  readonly kMax: number;
  readonly signal?: AbortSignal;
  /** Called with the seconds that the judge took. */
  readonly onJudged?: (seconds: number) => void;
}

/** Completions of one example, not scored yet. */
export interface SampledGroup {
  readonly example: Example;
  readonly rollouts: readonly Rollout[];
}

/** Segments, judges and rewards every completion; the judge and the encoder get all of the batch at once. */
export async function scoreGroups(groups_P: readonly SampledGroup[], options: ScoringOptions): Promise<Group[]> {
  const { judge, encoder, signal } = options;
  const rows_N = groups_P.flatMap(({ example, rollouts }) =>
    rollouts.map((rollout) => ({ example, rollout, ...segment(rollout.text, options.segmentation) })),
  );
  const started = performance.now();
  const verdicts_N = await judgeAll(rows_N, judge, signal);
  options.onJudged?.((performance.now() - started) / 1000);
  const answers_N = await answerRewards(
    rows_N.map(({ answer, example }) => ({ answer, gold: example.answer })),
    encoder,
    signal,
  );
  const scored_N = rows_N.map(({ rollout, answer, steps }, i): ScoredRollout => {
    const answerReward = answers_N[i];
    return {
      rollout,
      answer,
      steps,
      verdict: verdicts_N[i],
      rewards: {
        answer: answerReward.status === "scored" ? scored(answerReward.value.value) : answerReward,
        process: processReward(verdicts_N[i]),
        length: scored(lengthReward(steps.length, options)),
      },
    };
  });
  let at = 0;
  return groups_P.map(({ example, rollouts }) => ({ example, rollouts: scored_N.slice(at, (at += rollouts.length)) }));
}

type Row = Parameters<Judge["judge"]>[0][number] & { readonly rollout: Rollout };

async function judgeAll(rows_N: readonly Omit<Row, "text">[], judge: Judge | null, signal?: AbortSignal): Promise<ChainVerdict[]> {
  if (judge === null) return rows_N.map(() => ({ status: "unscored", reason: "no judge" }));
  const requests = rows_N.flatMap(({ example, rollout, steps, answer }, row) =>
    steps.length === 0 ? [] : [{ row, request: { example, text: rollout.text, steps, answer } }],
  );
  const asked = requests.map(({ request }) => request);
  const replies = asked.length === 0 ? [] : checkVerdicts(judge.name, asked, await judge.judge(asked, signal));
  const verdicts_N: ChainVerdict[] = rows_N.map(() => emptyChainVerdict);
  requests.forEach(({ row }, i) => (verdicts_N[row] = replies[i]));
  return verdicts_N;
}

function scored(value: number): Scored<number> {
  return { status: "scored", value };
}
