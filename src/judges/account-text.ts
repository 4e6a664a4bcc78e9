import type { JudgeAccount } from "./judge.js";

/** "120 judged, 30 cached, 2 failed · 131 calls, 9 tries repeated · 41k + 3.1k tokens · cost 0.0213", for people. */
export function accountText({ answered, cached, failed, calls, retries, promptTokens, completionTokens, cost }: JudgeAccount): string {
  const chains = [`${answered} judged`, ...(cached > 0 ? [`${cached} cached`] : []), ...(failed > 0 ? [`${failed} failed`] : [])].join(", ");
  // A refused try (429) is no call that is paid, so these are not a part of the calls.
  const repeated = retries > 0 ? `, ${retries} ${retries === 1 ? "try" : "tries"} repeated` : "";
  const parts = [chains, `${calls} ${calls === 1 ? "call" : "calls"}${repeated}`, `${short(promptTokens)} + ${short(completionTokens)} tokens`];
  return [...parts, ...(cost === null ? [] : [`cost ${cost.toFixed(cost < 1 ? 4 : 2)}`])].join(" · ");
}

/** What was used between two readings of a judge's totals. */
export function accountDifference(now: JudgeAccount, before: JudgeAccount | null): JudgeAccount {
  if (before === null) return now;
  return {
    calls: now.calls - before.calls,
    cached: now.cached - before.cached,
    answered: now.answered - before.answered,
    failed: now.failed - before.failed,
    retries: now.retries - before.retries,
    promptTokens: now.promptTokens - before.promptTokens,
    completionTokens: now.completionTokens - before.completionTokens,
    cost: now.cost === null ? null : now.cost - (before.cost ?? 0),
  };
}

function short(n: number): string {
  if (n < 1000) return String(n);
  return n < 1e6 ? `${(n / 1000).toFixed(1)}k` : `${(n / 1e6).toFixed(2)}M`;
}
