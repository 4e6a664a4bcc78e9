import { expect, test } from "vitest";
import { Budget, costOf, parseBudget } from "./budget.js";

test.each([
  ["100calls", { calls: 100 }],
  ["1 call", { calls: 1 }],
  ["5usd", { money: 5 }],
  ["0.25 USD", { money: 0.25 }],
  ["$12.5", { money: 12.5 }],
])("%s", (text, limit) => {
  expect(parseBudget(text)).toEqual(limit);
});

test.each(["", "5", "calls", "1.5calls", "-3usd", "many"])("%j is refused", (text) => {
  expect(() => parseBudget(text)).toThrow(/write 100calls or 5usd/);
});

test("cost by prices per million", () => {
  expect(costOf({ input: 0.25, output: 2 }, 1_000_000, 500_000)).toBe(1.25);
});

test("what is reserved is not given twice, and comes back when it was not spent", async () => {
  const spent: number[] = [];
  const budget = new Budget({ calls: 2 }, 0, (amount) => spent.push(amount));
  const first = await budget.reserve(1);
  const second = await budget.reserve(1);
  const third = budget.reserve(1);
  if (first === null || second === null) throw new Error("not reserved");
  budget.settle(first, 1);
  budget.settle(second, 0);
  const late = await third;
  if (late === null) throw new Error("not reserved");
  budget.settle(late, 1);
  expect(await budget.reserve(1)).toBeNull();
  expect(spent).toEqual([1, 1]);
  await expect(new Budget({ calls: 1 }).reserve(1, AbortSignal.abort(new Error("stop")))).rejects.toThrow("stop");
});

test("what earlier processes spent counts", async () => {
  expect(await new Budget({ money: 1 }, 1).reserve(0.01)).toBeNull();
});
