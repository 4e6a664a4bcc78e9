import { sleep } from "../util/waiting.js";

/** Time and chance, injectable so that tests need neither. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Uniform in [0, 1). */
  random(): number;
}

export const systemClock: Clock = { now: () => Date.now(), random: () => Math.random(), sleep };
