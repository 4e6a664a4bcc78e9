/** A mistake of the user's: the message names the value, the place and the way out; the CLI prints it without a stack. */
export class UserError extends Error {
  override name = "UserError";
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
