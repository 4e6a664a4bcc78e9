import type { LlmAccount } from "../llm/types.js";
import type { ChainVerdict, Example, Step } from "../types.js";

/** One chain to judge: the question with its gold, and what the policy wrote. */
export interface JudgeRequest {
  readonly example: Example;
  /** The whole completion; `steps` are spans of it. */
  readonly text: string;
  readonly steps: readonly Step[];
  /** Text in the answer tag, `null` where there is none. */
  readonly answer: string | null;
}

/**
 * Gives each step of a chain its two bits. The result is in the order of the requests and as long: result[i] is
 * `judged` with exactly `requests[i].steps.length` verdicts, or `unscored` with the reason. A chain that could not be
 * judged (time out, refusal, malformed reply after the retries) is never an exception and never a zero; `judge`
 * rejects only when the signal is aborted, or for what no retry mends (a missing key, a missing file).
 * Order, batching, caching and parallel calls inside are the judge's own business; callers may call again while a
 * call is under way.
 */
export interface Judge {
  readonly name: string;
  judge(requests: readonly JudgeRequest[], signal?: AbortSignal): Promise<ChainVerdict[]>;
  /** What judging has cost so far in this process; judges that cost nothing have none. */
  account?(): JudgeAccount;
  /** Gives who wants to know what goes on (a server that is down, structured output given up) a line for people. */
  listen?(notice: (text: string) => void): void;
  /** Frees what it holds (connections, caches on disk). */
  close?(): Promise<void>;
}

/** Running totals of a judge that is paid for; what is counted as a question is a chain. */
export type JudgeAccount = LlmAccount;

/** A chain without steps needs no judge: nothing was claimed, nothing can be valid. */
export const emptyChainVerdict: ChainVerdict = { status: "judged", steps: [] };

/** Valid when either bit is 1. */
export function isValid(bits: { readonly alignment: 0 | 1; readonly contribution: 0 | 1 }): boolean {
  return bits.alignment === 1 || bits.contribution === 1;
}

/**
 * The contract's check, for callers: a reply of the wrong length becomes `unscored` (a judge that lost count has
 * lost which step is which), a reply list of the wrong length throws.
 */
export function checkVerdicts(
  judge: string,
  requests: readonly JudgeRequest[],
  verdicts: readonly ChainVerdict[],
): ChainVerdict[] {
  if (verdicts.length !== requests.length) {
    throw new RangeError(`judge ${judge} returned ${verdicts.length} verdicts for ${requests.length} chains`);
  }
  return verdicts.map((verdict, i) => {
    const expected = requests[i].steps.length;
    if (verdict.status === "unscored" || verdict.steps.length === expected) return verdict;
    return {
      status: "unscored",
      reason: `judge ${judge} gave ${verdict.steps.length} verdicts for ${expected} steps`,
    };
  });
}
