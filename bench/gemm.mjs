// The machine's own matrix product: 2048³ in single precision through the runtime that the engine uses, all cores.
import { availableParallelism } from "node:os";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { Graph } from "../dist/engine/local/graph/graph.js";
import { median } from "./workload.mjs";

export async function gemmGflops(rounds) {
  const n = 2048;
  const g = new Graph();
  const product = g.node("MatMul", [g.input("a", [n, n]), g.input("b", [n, n])], [n, n]);
  // One number comes out, so that no copy of the product is timed.
  g.output("y", g.node("Slice", [product, g.ints([0, 0]), g.ints([1, 1]), g.ints([0, 1])], [1, 1]));
  const session = await InferenceSession.create(g.build().bytes, { intraOpNumThreads: availableParallelism(), graphOptimizationLevel: "all" });
  const fill = (seed) => new Tensor("float32", Float32Array.from({ length: n * n }, (_, i) => ((i * seed) % 17) / 17 - 0.5), [n, n]);
  const feeds = { a: fill(3), b: fill(5) };
  await session.run(feeds);
  const rates = [];
  for (let i = 0; i < rounds; i++) {
    const started = performance.now();
    await session.run(feeds);
    rates.push((2 * n ** 3) / (performance.now() - started) / 1e6);
  }
  await session.release();
  return median(rates);
}
