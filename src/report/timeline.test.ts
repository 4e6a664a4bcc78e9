import { describe, expect, it } from "vitest";
import { GRPO, syntheticRun } from "../../test/support/synthetic-runs.js";
import type { TimelineSpan } from "../store/types.js";
import { laneUse, timelineSection } from "./timeline.js";

const span = (lane: TimelineSpan["lane"], step: number, start: number, end: number): TimelineSpan => ({ lane, step, start: 1000 * start, end: 1000 * end });

describe("timeline", () => {
  it("counts work that overlaps once for each kind, and what nobody did", () => {
    // Two groups judged at once while a batch is sampled; one second of nothing; learning alone.
    const spans = [span("sample", 2, 0, 4), span("judge", 1, 1, 3), span("judge", 1, 2, 6), span("train", 1, 7, 9)];
    expect(laneUse(spans)).toEqual({
      lanes: [
        { lane: "sample", busy: 4, alone: 1 },
        { lane: "judge", busy: 5, alone: 2 },
        { lane: "train", busy: 2, alone: 2 },
      ],
      idle: 1,
      total: 9,
    });
    expect(laneUse([])).toEqual({ lanes: [], idle: 0, total: 0 });
  });

  it("is drawn where a run has one", () => {
    const run = syntheticRun("grpo", 1, GRPO, { steps: 4, questions: 8 });
    expect(timelineSection([{ ...run, timeline: [] }])).toBeNull();
    expect(timelineSection([{ ...run, timeline: [span("sample", 1, 0, 1)] }])?.id).toBe("timeline");
  });
});
