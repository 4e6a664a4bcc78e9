/** What can go wrong between us and a Tinker server, told apart by what may be done about it. */
export type TinkerFault =
  /** The server says no (4xx): asking again would not help. */
  | "rejected"
  /** Not reachable, overloaded or failing (429, 5xx) for longer than we wait. */
  | "unavailable"
  /** Sent, but the answer was lost: the server may have acted on it. */
  | "lost"
  /** The request was taken and its future failed. */
  | "failed"
  /** The server no longer has the model, session, sampler or future: it was restarted, or the session expired. */
  | "gone";

export class TinkerError extends Error {
  override name = "TinkerError";

  constructor(
    readonly fault: TinkerFault,
    message: string,
    readonly status: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** How servers say that what a request names is not there (any more). */
const goneWords = /not loaded|model not found|session not found|sampler not found|future not found|model '[^']*' not found/i;

/** The fault of an error answer or a failed future. */
export function faultOf(status: number, detail: string): TinkerFault {
  if (status === 410 || goneWords.test(detail)) return "gone";
  return status >= 500 || status === 429 ? "unavailable" : "rejected";
}
