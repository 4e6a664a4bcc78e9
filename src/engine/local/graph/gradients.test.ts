/** Every operation's gradient against central differences in double precision. */
import { describe, expect, it } from "vitest";
import { RandomStream } from "../../../util/random.js";
import { Sessions } from "../runtime/sessions.js";
import { Graph, sizeOf, type FloatType, type Tensor } from "./graph.js";
import * as layers from "./layers.js";
import * as ops from "./ops.js";

interface Case {
  readonly name: string;
  readonly shapes: readonly (readonly number[])[];
  readonly build: (g: Graph, x: readonly Tensor[]) => Tensor;
  /** Values are drawn around this: log needs positive ones. */
  readonly offset?: number;
}

const rotation = (g: Graph, rows: number, half: number): layers.Rotation => {
  const angles = Array.from({ length: rows * half }, (_, i) => 0.3 * i);
  return { cos: g.floats(angles.map(Math.cos), [rows, half]), sin: g.floats(angles.map(Math.sin), [rows, half]) };
};

const cases: readonly Case[] = [
  { name: "add, broadcast", shapes: [[2, 3, 4], [3, 1]], build: (g, [a, b]) => ops.add(g, a, b) },
  { name: "sub, broadcast", shapes: [[4], [2, 4]], build: (g, [a, b]) => ops.sub(g, a, b) },
  { name: "mul, broadcast", shapes: [[2, 1, 4], [3, 1]], build: (g, [a, b]) => ops.mul(g, a, b) },
  { name: "mul by itself", shapes: [[3, 2]], build: (g, [a]) => ops.mul(g, a, a) },
  { name: "exp", shapes: [[5]], build: (g, [a]) => ops.exp(g, a) },
  { name: "log", shapes: [[5]], offset: 3, build: (g, [a]) => ops.log(g, a) },
  { name: "tanh", shapes: [[5]], build: (g, [a]) => ops.tanh(g, a) },
  { name: "neg and sum", shapes: [[2, 3]], build: (g, [a]) => ops.sumAll(g, ops.neg(g, a)) },
  { name: "transpose and reshape", shapes: [[2, 3, 4]], build: (g, [a]) => ops.reshape(g, ops.transpose(g, a, [2, 0, 1]), [8, 3]) },
  { name: "concat and split", shapes: [[2, 3], [2, 2]], build: (g, [a, b]) => {
      const [p, q] = ops.split(g, ops.concat(g, [a, b], 1), 1, [1, 4]);
      return ops.add(g, p, q);
    } },
  { name: "split, one part unused", shapes: [[2, 5]], build: (g, [a]) => ops.split(g, a, 1, [2, 3])[1] },
  ...[false, true].flatMap((transA) =>
    [false, true].map((transB): Case => ({
      name: `matmul transA ${transA} transB ${transB}, batch broadcast`,
      shapes: [transA ? [2, 3, 4, 2] : [2, 3, 2, 4], transB ? [2, 1, 5, 4] : [2, 1, 4, 5]],
      build: (g, [a, b]) => ops.matmul(g, a, b, { transA, transB, alpha: 0.7 }),
    })),
  ),
  { name: "linear with bias", shapes: [[3, 4], [5, 4], [5]], build: (g, [x, w, b]) => ops.linear(g, x, w, b) },
  { name: "splitRows", shapes: [[5, 2]], build: (g, [x]) => {
      const [a, b] = ops.splitRows(g, x, 2);
      return ops.concat(g, [b, ops.mul(g, a, a)], 0);
    } },
  { name: "splitRows, one part unused", shapes: [[5, 2]], build: (g, [x]) => ops.splitRows(g, x, 2)[1] },
  // Row 3 is padding: its places are 1 and 4, which nothing else reads.
  { name: "moveRows", shapes: [[4, 2]], build: (g, [x]) => {
      const kept = g.floats([1, 0, 1, 1, 0], [5, 1]);
      return ops.mul(g, ops.moveRows(g, x, g.ints([2, 3, 0, 1, 3]), g.ints([2, 3, 0, 4])), kept);
    } },
  { name: "placeRows", shapes: [[3, 2]], build: (g, [x]) => ops.placeRows(g, x, g.ints([2, 3, 0, 3]), g.ints([2, 4, 0])) },
  { name: "rmsNorm", shapes: [[4, 6], [6]], build: (g, [x, w]) => layers.rmsNorm(g, x, w, 1e-6) },
  { name: "layerNorm", shapes: [[4, 6], [6], [6]], build: (g, [x, w, b]) => layers.layerNorm(g, x, w, b, 1e-6) },
  { name: "swiglu", shapes: [[3, 4], [3, 4]], build: (g, [a, b]) => layers.swiglu(g, a, b) },
  { name: "gelu tanh", shapes: [[7]], build: (g, [a]) => layers.gelu(g, a, "tanh") },
  { name: "gelu erf", shapes: [[7]], build: (g, [a]) => layers.gelu(g, a, "erf") },
  { name: "rotary", shapes: [[3, 8]], build: (g, [x]) => layers.rotary(g, x, rotation(g, 3, 2), 2) },
  { name: "attention", shapes: [[2, 2, 3, 4], [2, 2, 5, 4], [2, 2, 5, 4]], build: (g, [q, k, v]) =>
      layers.attention(g, q, k, v, g.floats([0, 0, -1e9, 0, 0], [1, 1, 1, 5]), 0.5) },
  { name: "repeatGroup", shapes: [[2, 1, 3]], build: (g, [x]) => layers.repeatGroup(g, x, 4) },
  { name: "query heads, keys and values", shapes: [[6, 8], [6, 4]], build: (g, [q, k]) => {
      const queries = layers.splitQueryHeads(g, q, [2], 3, 1, 4);
      const scores = ops.matmul(g, queries, layers.splitHeads(g, k, [2], 3, 4), { transB: true });
      return layers.joinQueryHeads(g, ops.matmul(g, scores, layers.splitHeads(g, k, [2], 3, 4)), [2], 3);
    } },
  { name: "token log-probabilities without the target rows", shapes: [[3, 4]], build: (g, [h]) => {
      const table = g.floats(Array.from({ length: 20 }, (_, i) => Math.sin(i)), [5, 4]);
      return layers.tokenLogprobs(g, h, table, g.ints([1, 4, 0]), g.scalar(0.8)).logprobs;
    } },
];

/** Gradients of Σ c·f(x) by the graph and by central differences. */
async function gradients({ shapes, build, offset = 0 }: Case, floatType: FloatType) {
  const random = new RandomStream(5);
  const values = shapes.map((s) => Float64Array.from({ length: sizeOf(s) }, () => offset + random.normal()));
  const g = new Graph(floatType);
  const inputs = shapes.map((s, i) => g.parameter(`x${i}`, s));
  const out = build(g, inputs);
  const coefficients = Float64Array.from({ length: sizeOf(out.shape) }, () => random.normal());
  const seed = g.floats(coefficients, out.shape);
  const grads = g.backward([{ of: out, grad: seed }], inputs);
  g.output("out", out);
  for (const [i, grad] of grads.entries()) if (grad) g.output(`grad${i}`, grad);
  const sessions = new Sessions({ threads: 2, provider: "cpu", floatType });
  const runnable = await sessions.get("case", () => ({ ...g.build(), gradients: [] }));
  const cast = (v: Float64Array): Float32Array | Float64Array => (floatType === "float64" ? v : Float32Array.from(v));
  const run = (x: readonly Float64Array[]) => runnable.run((input) => cast(x[Number(input.name.slice(1))]));
  const value = async (x: readonly Float64Array[]): Promise<number> => {
    const { out: y } = await run(x);
    return Array.from(y as Float64Array).reduce((sum, v, i) => sum + v * coefficients[i], 0);
  };
  const analytic = await run(values);
  const numeric: number[][] = [];
  for (const [i, v] of values.entries()) {
    numeric[i] = [];
    for (let j = 0; j < v.length; j++) {
      const shifted = (by: number): Float64Array[] => values.map((w, k) => (k === i ? w.map((z, n) => (n === j ? z + by : z)) : w));
      numeric[i][j] = ((await value(shifted(1e-5))) - (await value(shifted(-1e-5)))) / 2e-5;
    }
  }
  const result = values.map((_, i) => ({ analytic: Array.from(analytic[`grad${i}`] as Float64Array), numeric: numeric[i] }));
  await sessions.close();
  return result;
}

describe("gradients against central differences in double precision", () => {
  it.each(cases)("$name", async (one) => {
    for (const { analytic, numeric } of await gradients(one, "float64")) {
      for (const [i, v] of numeric.entries()) expect(Math.abs(analytic[i] - v)).toBeLessThan(2e-6 * (1 + Math.abs(v)));
    }
  });

  it.each(cases)("$name: the single-precision kernels agree", async (one) => {
    const [single, double] = [await gradients(one, "float32"), await gradients(one, "float64")];
    for (const [i, { analytic }] of double.entries()) {
      for (const [j, v] of analytic.entries()) expect(Math.abs(single[i].analytic[j] - v)).toBeLessThan(1e-4 * (1 + Math.abs(v)));
    }
  });
});
