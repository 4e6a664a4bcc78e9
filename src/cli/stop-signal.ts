import { setMaxListeners } from "node:events";
import { StoppedError } from "../util/errors.js";

/** The wish to stop a long command: the first SIGINT or SIGTERM aborts `signal`, the second ends the process. */
export interface StopSignal {
  readonly signal: AbortSignal;
  readonly close: () => void;
}

/** @param message what the command then ends with, and exit code 130 or 143. */
export function listenForStop(message: string): StopSignal {
  const controller = new AbortController();
  // Every wait under way listens, and there are as many as calls at a time.
  setMaxListeners(0, controller.signal);
  const handle = (name: NodeJS.Signals): void => {
    const stopped = new StoppedError(message, name === "SIGINT" ? "SIGINT" : "SIGTERM");
    if (controller.signal.aborted) process.exit(stopped.exitCode);
    controller.abort(stopped);
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
