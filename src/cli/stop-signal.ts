/** The wish to stop a long command: the first SIGINT or SIGTERM aborts `signal`, the second ends the process. */
export interface StopSignal {
  readonly signal: AbortSignal;
  readonly close: () => void;
}

/** @param message what the command then ends with. */
export function listenForStop(message: string): StopSignal {
  const controller = new AbortController();
  const handle = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(name === "SIGINT" ? 130 : 143);
    controller.abort(new Error(message));
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return {
    signal: controller.signal,
    close: () => {
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}
