import { describe, expect, it } from "vitest";
import { Sessions } from "../runtime/sessions.js";
import { Graph } from "./graph.js";
import { add, mul, reshape } from "./ops.js";

describe("outputs of a graph", () => {
  it("are inputs, constants, values under two names and values that other nodes go on from", async () => {
    const g = new Graph();
    const x = g.input("x", [2, 2]);
    const doubled = add(g, x, x);
    const flat = reshape(g, doubled, [4]);
    g.output("input", x);
    g.output("constant", g.floats([7]));
    g.output("doubled", doubled);
    g.output("again", doubled);
    g.output("flat", flat);
    g.output("squared", mul(g, flat, flat));
    const sessions = new Sessions({ threads: 1, provider: "cpu" });
    const runnable = await sessions.get("outputs", () => ({ ...g.build(), gradients: [] }));
    for (const values of [[1, -2, 3, 4], [0, 5, 6, -7]]) {
      const out = await runnable.run(() => Float32Array.from(values));
      const twice = values.map((v) => 2 * v);
      const expected = { input: values, constant: [7], doubled: twice, again: twice, flat: twice, squared: twice.map((v) => v * v) };
      expect(Object.fromEntries(Object.entries(out).map(([name, data]) => [name, Array.from(data, Number)]))).toEqual(expected);
    }
    await sessions.close();
  });
});
