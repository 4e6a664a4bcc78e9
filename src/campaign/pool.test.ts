import { expect, it } from "vitest";
import { runPool } from "./pool.js";

/** Jobs that end when told, with a count of those that run at once. */
function counted(n: number) {
  const state = { running: 0, most: 0, started: [] as number[] };
  const jobs = Array.from({ length: n }, (_, i) => async () => {
    state.started.push(i);
    state.most = Math.max(state.most, ++state.running);
    await new Promise((done) => setTimeout(done, 2));
    state.running--;
  });
  return { state, jobs };
}

it("runs all jobs in order, never more than the width", async () => {
  const { state, jobs } = counted(7);
  await runPool(jobs, 2);
  expect(state).toEqual({ running: 0, most: 2, started: [0, 1, 2, 3, 4, 5, 6] });
});

it("starts nothing after a failure, waits for what runs, and throws the failure", async () => {
  const { state, jobs } = counted(6);
  let told = 0;
  jobs.splice(1, 1, () => Promise.reject(new Error("second")));
  await expect(runPool(jobs, 2, { onFailure: () => void told++ })).rejects.toThrow("second");
  expect(state.started).toEqual([0]);
  expect(state.running).toBe(0);
  expect(told).toBe(1);
});

it("starts nothing once stopped", async () => {
  const { state, jobs } = counted(6);
  await runPool(jobs, 2, { stopped: () => state.started.length >= 2 });
  expect(state.started).toEqual([0, 1]);
});
