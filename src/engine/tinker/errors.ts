import { UserError } from "../../util/errors.js";

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

/** A server's trouble in the user's terms: what happened, and how the run goes on. */
export function explained(error: unknown, unsaved: number): unknown {
  if (!(error instanceof TinkerError)) return error;
  const lost = unsaved > 0 ? ` The ${unsaved} update${unsaved === 1 ? "" : "s"} since the last saved state ${unsaved === 1 ? "is" : "are"} made again then.` : "";
  const goOn = `Continue the run from its last saved state with --resume.${lost}`;
  switch (error.fault) {
    case "unavailable":
      return new UserError(`the Tinker server cannot be reached (${error.message}). Start it again. ${goOn}`, { cause: error });
    case "gone":
      return new UserError(`the Tinker server lost the model: it was restarted, or the session expired (${error.message}). ${goOn}`, { cause: error });
    case "lost":
      return new UserError(`the connection broke while the server was acting on a request, and what became of it cannot be found out (${error.message}). ${goOn}`, { cause: error });
    case "failed":
      return new UserError(`the Tinker server failed on a request (${error.message}). ${goOn}`, { cause: error });
    case "rejected":
      return new UserError(`the Tinker server refused a request: ${error.message}`, { cause: error });
  }
}
