/** A try that failed in a way that another try may mend. */
export class TransientError extends Error {
  override name = "TransientError";

  constructor(
    message: string,
    /** What the server asked for, in milliseconds. */
    readonly retryAfterMs: number | null = null,
  ) {
    super(message);
  }
}

/** An answer that another try will not mend. */
export class StatusError extends Error {
  override name = "StatusError";

  constructor(
    readonly status: number,
    /** Without its query. */
    readonly url: string,
    message: string,
  ) {
    super(message);
  }
}

/** A URL for people: signed URLs carry their secrets in the query. */
export function plainUrl(url: string): string {
  try {
    const { origin, pathname } = new URL(url);
    return `${origin}${pathname}`;
  } catch {
    return "an address that is no URL";
  }
}
