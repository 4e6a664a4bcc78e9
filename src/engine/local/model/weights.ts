import type { Graph, Tensor } from "../graph/graph.js";
import { add, linear, mul } from "../graph/ops.js";

/** Low-rank adapters on named modules: y += (alpha/rank)·B·(A·x) (Hu et al. 2021). */
export interface LoraSpec {
  readonly rank: number;
  readonly alpha: number;
  /** Module names (without `.weight`) that carry an adapter. */
  readonly modules: ReadonlySet<string>;
}

/** Hands a model its parameters, made on first use: graph inputs, or constants. Adapters come in where a module has one. */
export class Weights {
  private readonly made = new Map<string, Tensor>();

  constructor(
    private readonly graph: Graph,
    private readonly shapes: ReadonlyMap<string, readonly number[]>,
    /** Names whose gradients are wanted. */
    private readonly trainable: ReadonlySet<string>,
    private readonly lora: LoraSpec | null = null,
    /** Values to keep in the graph; null: parameters are fed at every run. */
    private readonly values: ((name: string) => Float32Array | Float64Array) | null = null,
  ) {}

  get(name: string): Tensor {
    const known = this.made.get(name);
    if (known) return known;
    const shape = this.shapes.get(name);
    if (!shape) throw new Error(`the model has no tensor ${name}`);
    const { graph, values } = this;
    const tensor = values ? graph.weight(name, shape, values(name)) : this.trainable.has(name) ? graph.parameter(name, shape) : graph.input(name, shape);
    this.made.set(name, tensor);
    return tensor;
  }

  /** Hugging Face Linear `name.weight` (and `name.bias`) on `[N, I]`. */
  linear(x: Tensor, name: string, bias = false): Tensor {
    const g = this.graph;
    const y = linear(g, x, this.get(`${name}.weight`), bias ? this.get(`${name}.bias`) : null);
    if (!this.lora?.modules.has(name)) return y;
    const low = linear(g, x, this.get(`${name}.lora_A.weight`));
    const delta = linear(g, low, this.get(`${name}.lora_B.weight`));
    return add(g, y, mul(g, delta, g.scalar(this.lora.alpha / this.lora.rank)));
  }

  /** Trainable tensors that the graph really uses. */
  get used(): readonly { readonly name: string; readonly tensor: Tensor }[] {
    return [...this.made].filter(([name]) => this.trainable.has(name)).map(([name, tensor]) => ({ name, tensor }));
  }
}
