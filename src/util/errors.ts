/** A mistake of the user's: the message names the value, the place and the way out; the CLI prints it without a stack. */
export class UserError extends Error {
  override name = "UserError";
}

/** A command that was asked to stop: what the message says, and the exit code that shells expect of a signal. */
export class StoppedError extends UserError {
  constructor(
    message: string,
    readonly signal: "SIGINT" | "SIGTERM",
  ) {
    super(message);
  }

  get exitCode(): number {
    return this.signal === "SIGINT" ? 130 : 143;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
