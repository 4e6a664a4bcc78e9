/** What a server says of its limits in the headers of a reply. */
export interface RateHeaders {
  readonly remainingRequests: number | null;
  readonly remainingTokens: number | null;
  /** Milliseconds until the counter is full again. */
  readonly resetRequestsMs: number | null;
  readonly resetTokensMs: number | null;
}

export function rateHeaders(headers: Headers): RateHeaders {
  return {
    remainingRequests: count(headers.get("x-ratelimit-remaining-requests")),
    remainingTokens: count(headers.get("x-ratelimit-remaining-tokens")),
    resetRequestsMs: durationMs(headers.get("x-ratelimit-reset-requests")),
    resetTokensMs: durationMs(headers.get("x-ratelimit-reset-tokens")),
  };
}

/** "1s", "6m0s", "20ms", "1h2m", or plain seconds, as servers write resets. */
export function durationMs(text: string | null): number | null {
  const trimmed = text?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000;
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(trimmed)) return null;
  let total = 0;
  for (const [, n, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) total += Number(n) * units[unit];
  return total;
}

function count(text: string | null): number | null {
  if (text === null || text.trim() === "") return null;
  const n = Number(text);
  return Number.isFinite(n) ? n : null;
}
