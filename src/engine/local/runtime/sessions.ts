import { totalmem } from "node:os";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { ort } from "./ort.js";
import type { FloatType } from "../graph/graph.js";
import type { BuiltGraph } from "../model/train-graph.js";
import type { OnnxValue } from "../graph/onnx.js";
import type { Feed } from "./pack.js";

export interface SessionOptions {
  readonly threads: number;
  /** ONNX Runtime execution provider: cpu, cuda, webgpu, … */
  readonly provider: string;
  /** float64 graphs are optimised less: the runtime's fusions have single-precision kernels only. */
  readonly floatType?: FloatType;
}

export interface RunnableGraph {
  readonly graph: Pick<BuiltGraph, "inputs" | "outputs" | "gradients">;
  /** Feeds by input name, every input of the graph; `sizes` names those that the graph leaves to the run. */
  run(feed: (input: OnnxValue) => Feed, sizes?: Readonly<Record<string, number>>): Promise<Record<string, Feed>>;
}

/** Graphs kept where memory is short: enough for the shapes of one step. */
const FEWEST = 16;
/** Share of the machine's memory that this process may hold before graphs are released early: each keeps an arena. */
const MEMORY_SHARE = 1 / 3;

/** Compiled graphs by key; the least recently used is released beyond `limit`, or earlier where memory is short. */
export class Sessions {
  private readonly cache = new Map<string, { runnable: RunnableGraph; session: InferenceSession }>();

  constructor(
    private readonly options: SessionOptions,
    private readonly limit = 128,
  ) {}

  async get(key: string, build: () => BuiltGraph): Promise<RunnableGraph> {
    const known = this.cache.get(key);
    if (known) {
      this.cache.delete(key);
      this.cache.set(key, known);
      return known.runnable;
    }
    const graph = build();
    const session = await ort.InferenceSession.create(graph.bytes, {
      executionProviders: [this.options.provider],
      intraOpNumThreads: this.options.threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: this.options.floatType === "float64" ? "disabled" : "all",
      // Halves the peak memory; the arena keeps what one run frees for the next.
      enableMemPattern: false,
      enableCpuMemArena: true,
      logSeverityLevel: 3,
      // Softmax leaves denormals where a mask hides a key; arithmetic on them is many times slower.
      extra: { session: { set_denormal_as_zero: "1" } },
    });
    const { inputs, outputs, gradients } = graph;
    // A view of the weights is the same object at every run, and edits in place are seen: its tensor is made once.
    const tensors = new Map<string, Tensor>();
    const runnable: RunnableGraph = {
      graph: { inputs, outputs, gradients },
      run: async (feed, sizes = {}) => {
        const feeds: Record<string, Tensor> = {};
        for (const input of inputs) {
          const data = feed(input);
          let tensor = tensors.get(input.name);
          if (tensor?.data !== data) {
            const dims = input.shape.map((dim) => (typeof dim === "string" ? sizes[dim] : dim));
            tensor = new ort.Tensor(input.dtype as "float32", data as Float32Array, dims);
            tensors.set(input.name, tensor);
          }
          feeds[input.name] = tensor;
        }
        const results = await session.run(feeds);
        return Object.fromEntries(outputs.map(({ name }) => [name, results[name].data as Feed]));
      },
    };
    this.cache.set(key, { runnable, session });
    for (const [oldest, entry] of this.cache) {
      const short = this.cache.size > FEWEST && process.memoryUsage.rss() > MEMORY_SHARE * totalmem();
      if (this.cache.size <= this.limit && !short) break;
      this.cache.delete(oldest);
      await entry.session.release();
    }
    return runnable;
  }

  /** Releases the graphs whose key begins so. */
  async release(prefix: string): Promise<void> {
    for (const [key, { session }] of [...this.cache]) {
      if (!key.startsWith(prefix)) continue;
      this.cache.delete(key);
      await session.release();
    }
  }

  async close(): Promise<void> {
    for (const { session } of this.cache.values()) await session.release();
    this.cache.clear();
  }
}
