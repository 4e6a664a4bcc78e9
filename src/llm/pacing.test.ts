import { describe, expect, test } from "vitest";
import { backoff, retryAfterMs } from "../util/waiting.js";
import type { Clock } from "./clock.js";
import { durationMs, rateHeaders } from "./headers.js";
import { Pacing } from "./pacing.js";
import type { CallResult } from "./transport.js";

/** Time that passes only while someone sleeps. */
function handClock(): Clock {
  let now = 0;
  return { now: () => now, random: () => 0.5, sleep: (ms) => ((now += ms), Promise.resolve()) };
}

const reply: CallResult = { kind: "reply", text: "", refusal: null, finish: null, usage: null };
const down: CallResult = { kind: "down", reason: "HTTP 503", waitMs: null };
const limited = (waitMs: number | null): CallResult => ({ kind: "limited", reason: "HTTP 429", waitMs });

function pacing(clock: Clock, told: string[] = []): Pacing {
  return new Pacing({ clock, backoffMs: 1000, maxBackoffMs: 60_000, downAfter: 3, patienceMs: () => 600_000, onDown: () => told.push("down"), onUp: () => told.push("up") });
}

async function leaveOf(of: Pacing, tokens = 1) {
  const leave = await of.enter(tokens);
  if (leave.kind !== "leave") throw new Error(leave.reason);
  return leave;
}

describe("pacing", () => {
  test("after 429 all wait as long as told, or longer and longer", async () => {
    const clock = handClock();
    const one = pacing(clock);
    one.settle(await leaveOf(one), limited(20_000), null);
    await leaveOf(one);
    expect(clock.now()).toBeGreaterThanOrEqual(20_000);
    expect(clock.now()).toBeLessThan(21_000);

    const other = handClock();
    const two = pacing(other);
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      const since = other.now();
      const leave = await leaveOf(two);
      waits.push(other.now() - since);
      two.settle(leave, limited(null), null);
    }
    expect(waits).toEqual([0, 750, 1500, 3000, 6000]);
  });

  test("no call is sent that the server's counters would refuse", async () => {
    const clock = handClock();
    const one = pacing(clock);
    const rates = { remainingRequests: 2, remainingTokens: 500, resetRequestsMs: 3000, resetTokensMs: 7000 };
    one.settle(await leaveOf(one), reply, rates);
    await leaveOf(one, 100);
    await leaveOf(one, 100);
    expect(clock.now()).toBe(0);
    await leaveOf(one, 100);
    expect(clock.now()).toBe(3000);
    await leaveOf(one, 300);
    expect(clock.now()).toBe(7000);
  });

  test("a server that is down is tried by one call at a time, less and less often", async () => {
    const clock = handClock();
    const told: string[] = [];
    const one = pacing(clock, told);
    for (let i = 0; i < 3; i++) one.settle(await leaveOf(one), down, null);
    expect(told).toEqual(["down"]);
    const gaps: number[] = [];
    for (let i = 0; i < 4; i++) {
      const since = clock.now();
      const leave = await leaveOf(one);
      expect(leave.probe).toBe(true);
      gaps.push(clock.now() - since);
      one.settle(leave, down, null);
    }
    expect(gaps).toEqual([750, 1500, 3000, 6000]);
    one.settle(await leaveOf(one), reply, null);
    expect(told).toEqual(["down", "up"]);
    const free = clock.now();
    await Promise.all([leaveOf(one), leaveOf(one)]);
    expect(clock.now()).toBe(free);
  });

  test("patience ends: who waits is told why, and a later call may try again", async () => {
    const clock = handClock();
    const one = pacing(clock);
    for (let i = 0; i < 3; i++) one.settle(await leaveOf(one), down, null);
    let outcome = await one.enter(1);
    while (outcome.kind === "leave") {
      one.settle(outcome, down, null);
      outcome = await one.enter(1);
    }
    expect(outcome).toMatchObject({ kind: "down", reason: "HTTP 503" });
    expect(outcome.forMs).toBeGreaterThan(600_000);
    await clock.sleep(60_000);
    expect((await one.enter(1)).kind).toBe("leave");
  });

  test("one failure between answers is not down", async () => {
    const told: string[] = [];
    const one = pacing(handClock(), told);
    for (const result of [down, down, reply, down, down, reply]) one.settle(await leaveOf(one), result, null);
    expect(told).toEqual([]);
  });
});

test("back-off grows to its bound with jitter above a half", () => {
  expect([1, 2, 3, 20].map((n) => backoff(n, 100, 1000, () => 0))).toEqual([50, 100, 200, 500]);
  expect([1, 2, 3, 20].map((n) => backoff(n, 100, 1000, () => 1))).toEqual([100, 200, 400, 1000]);
});

describe("headers", () => {
  test.each<[Record<string, string>, number | null]>([
    [{ "retry-after": "7" }, 7000],
    [{ "retry-after": "1.5" }, 1500],
    [{ "retry-after-ms": "250", "retry-after": "9" }, 250],
    [{ "retry-after": "Wed, 21 Oct 2026 07:28:10 GMT" }, 10_000],
    [{ "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" }, 0],
    [{ "retry-after": "soon" }, null],
    [{ "retry-after": "-5" }, null],
    [{}, null],
  ])("%j waits %s ms", (headers, ms) => {
    expect(retryAfterMs(new Headers(headers), Date.parse("2026-10-21T07:28:00Z"))).toBe(ms);
  });

  test("resets and counters", () => {
    expect(["1s", "6m0s", "20ms", "1h2m3.5s", "12", "", "soon", null].map(durationMs)).toEqual([1000, 360_000, 20, 3_723_500, 12_000, null, null, null]);
    expect(rateHeaders(new Headers({ "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s", "x-ratelimit-remaining-tokens": "x" }))).toEqual({
      ...{ remainingRequests: 0, remainingTokens: null, resetRequestsMs: 2000, resetTokensMs: null },
    });
  });
});
