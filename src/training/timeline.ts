import type { TimelineSpan } from "../store/types.js";

/** Who was at work when, over all steps: the picture of what waits for what. */
export class Timeline {
  private finished: TimelineSpan[] = [];

  /** Runs `work` and notes when. What fails is noted too: the time was spent. */
  async during<T>(lane: TimelineSpan["lane"], step: number, work: () => Promise<T>): Promise<T> {
    const start = Date.now();
    try {
      return await work();
    } finally {
      this.finished.push({ lane, step, start, end: Date.now() });
    }
  }

  /** What has ended since the last call. */
  take(): TimelineSpan[] {
    const spans = this.finished;
    this.finished = [];
    return spans;
  }
}
