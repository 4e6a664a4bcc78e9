/** The wish to stop, from a signal or from a failure elsewhere. */
export interface Interrupt {
  /** True once asked to stop: running trainings finish their step, save and end. */
  readonly requested: () => boolean;
  /** Aborts what keeps no state of its own (evaluations). */
  readonly signal: AbortSignal;
  stop(): void;
  close(): void;
}

/** The first SIGINT or SIGTERM asks to stop, the second ends the process at once. */
export function listenForInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController();
  const stop = () => controller.abort(new Error("interrupted"));
  const handle = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143);
    stop();
    onFirst();
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return {
    requested: () => controller.signal.aborted,
    signal: controller.signal,
    stop,
    close: () => {
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
    },
  };
}
