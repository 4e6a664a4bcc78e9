import { addAccounts } from "../llm/types.js";
import type { ChainVerdict, StepVerdict, StepVote } from "../types.js";
import { checkVerdicts, emptyChainVerdict, isValid, type Judge, type JudgeRequest } from "./judge.js";

/**
 * Several judges as one. Each bit is 1 where more than half of those who judged the chain gave it 1; a tie is 0, because
 * a step is encouraged on a majority's word only (so two judges must agree). A chain that no more than half of all judges
 * could judge is unscored. What each said is kept in the step's `votes`.
 */
export function votingJudge(judges: readonly Judge[]): Judge {
  if (judges.length === 1) return judges[0];
  if (judges.length === 0) throw new RangeError("a vote needs at least one judge");
  return {
    name: judges.map(({ name }) => name).join(" + "),
    async judge(requests, signal) {
      const all = await Promise.all(judges.map(async (judge) => checkVerdicts(judge.name, requests, await judge.judge(requests, signal))));
      return requests.map((request, i) => decide(judges, request, all.map((verdicts) => verdicts[i])));
    },
    account: () => addAccounts(judges.flatMap((judge) => (judge.account === undefined ? [] : [judge.account()]))),
    async close() {
      for (const judge of judges) await judge.close?.();
    },
  };
}

function decide(judges: readonly Judge[], { steps }: JudgeRequest, verdicts: readonly ChainVerdict[]): ChainVerdict {
  if (steps.length === 0) return emptyChainVerdict;
  const judged = verdicts.filter((verdict) => verdict.status === "judged");
  if (judged.length * 2 <= judges.length) {
    const reasons = verdicts.flatMap((verdict, j) => (verdict.status === "unscored" ? [`${judges[j].name}: ${verdict.reason}`] : []));
    // One reason that holds for all is said once, so that a spent budget reads as such.
    const distinct = new Set(verdicts.flatMap((verdict) => (verdict.status === "unscored" ? [verdict.reason] : [])));
    const [only] = distinct;
    return { status: "unscored", reason: distinct.size === 1 && judged.length === 0 ? only : `${judged.length} of ${judges.length} judges gave marks (${reasons.join("; ")})` };
  }
  return {
    status: "judged",
    steps: steps.map((_, k): StepVerdict => {
      const votes = verdicts.map((verdict, j): StepVote => {
        const step = verdict.status === "judged" ? verdict.steps[k] : null;
        return { judge: judges[j].name, alignment: step?.alignment ?? null, contribution: step?.contribution ?? null };
      });
      const alignment = majority(votes.map((vote) => vote.alignment));
      const contribution = majority(votes.map((vote) => vote.contribution));
      return { alignment, contribution, valid: isValid({ alignment, contribution }), votes };
    }),
  };
}

function majority(bits: readonly (0 | 1 | null)[]): 0 | 1 {
  const given = bits.filter((bit) => bit !== null);
  return given.filter((bit) => bit === 1).length * 2 > given.length ? 1 : 0;
}
