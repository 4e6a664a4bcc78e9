import { encodeModel, type Attribute, type Dim, type DType, type OnnxConstant, type OnnxNode, type OnnxValue } from "./onnx.js";

/** A value of the graph: its shape is known when the graph is built, but for sizes that `Graph.size` stands in for. */
export interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Depends on something that `Graph.parameter` made, so a gradient flows through it. */
  readonly needsGrad: boolean;
}

/** Gradients of the inputs given the gradients of the outputs (null: no gradient reached that output). */
export type Vjp = (outputGrads: readonly (Tensor | null)[]) => readonly (Tensor | null)[];

interface TapeEntry {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly vjp: Vjp;
}

export type FloatType = "float32" | "float64";

export interface NodeOptions {
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, Attribute | number | string | readonly number[]>>;
}

export class GraphError extends Error {
  override name = "GraphError";
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

function asAttribute(value: Attribute | number | string | readonly number[]): Attribute {
  if (typeof value === "number") return { kind: "int", value };
  if (typeof value === "string") return { kind: "string", value };
  if ("kind" in value) return value;
  return { kind: "ints", value };
}

/** Primes above any size of a model: they stand for sizes that only a run knows; so does what is made of them. */
const symbols = [500_009, 500_029, 500_041, 500_057, 500_069, 500_083, 500_107, 500_111];

export const float = (value: number): Attribute => ({ kind: "float", value });

/**
 * An ONNX graph under construction, with a tape of what was differentiable. `node` emits one ONNX node; operations
 * with a gradient call `record`. While gradients are being built nothing is recorded (no second derivatives).
 */
export class Graph {
  private readonly nodes: OnnxNode[] = [];
  private readonly inputs: OnnxValue[] = [];
  private readonly outputs: OnnxValue[] = [];
  private readonly constants = new Map<string, OnnxConstant>();
  private readonly constantNames = new Map<string, Tensor>();
  private readonly tape: TapeEntry[] = [];
  private readonly sizes = new Map<number, string>();
  /** Values that a node makes and the caller gets: the node writes them under the caller's name, without a copy. */
  private readonly outputNamesOf = new Map<string, string>();
  private recording = true;
  private counter = 0;

  constructor(readonly floatType: FloatType = "float32") {}

  /**
   * Stands for a size that only a run knows, as a dimension of inputs and of what is computed from them. Reshapes take
   * one such dimension beside those that stay in their place; nothing else may have it as a constant.
   */
  size(name: string): number {
    const symbol = symbols.at(this.sizes.size);
    if (symbol === undefined) throw new GraphError(`more than ${symbols.length} sizes that only a run knows`);
    this.sizes.set(symbol, name);
    return symbol;
  }

  /** Whether a size is known to the run alone. */
  unknown(size: number): boolean {
    return this.sizes.size > 0 && size >= symbols[0];
  }

  /** Shape operand of a Reshape: 0 keeps the input's size in this place, −1 is what remains. */
  targetShape(from: readonly number[], to: readonly number[]): readonly number[] {
    if (this.sizes.size === 0) return to;
    const target = to.map((size, i) => (!this.unknown(size) ? size : from[i] === size ? 0 : -1));
    if (target.filter((size) => size === -1).length > 1) throw new GraphError(`reshape [${from.join(",")}] to [${to.join(",")}] has two sizes that only a run knows`);
    return target;
  }

  /** A value fed at every run; no gradient. */
  input(name: string, shape: readonly number[], dtype: DType = this.floatType): Tensor {
    return this.addInput(name, shape, dtype, false);
  }

  /** A value fed at every run whose gradient may be asked for. */
  parameter(name: string, shape: readonly number[]): Tensor {
    return this.addInput(name, shape, this.floatType, true);
  }

  private addInput(name: string, shape: readonly number[], dtype: DType, needsGrad: boolean): Tensor {
    if (this.inputs.some((i) => i.name === name)) throw new GraphError(`input ${name} exists already`);
    const dims = this.dims(shape);
    const made = dims.find((dim, i) => typeof dim === "string" && !this.sizes.has(shape[i]));
    if (made !== undefined) throw new GraphError(`input ${name} of shape [${shape.join(",")}]: a run cannot know ${made}`);
    this.inputs.push({ name, shape: dims, dtype });
    return { name, shape, dtype, needsGrad };
  }

  /** As declared: a size that is made of one that only a run knows has a name of its own. */
  private dims(shape: readonly number[]): Dim[] {
    return shape.map((size) => this.sizes.get(size) ?? (this.unknown(size) ? `size_${size}` : size));
  }

  /** int64 constant; equal constants share one initialiser. */
  ints(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
    return this.constant("int64", shape, values);
  }

  /** Constant of the graph's float type. */
  floats(values: readonly number[] | Float32Array | Float64Array, shape: readonly number[] = [values.length]): Tensor {
    return this.constant(this.floatType, shape, values);
  }

  /** A weight kept in the graph: the runtime packs it for its matrix products once, not at every run. */
  weight(name: string, shape: readonly number[], data: Float32Array | Float64Array): Tensor {
    this.constants.set(name, { name, dtype: this.floatType, shape, data });
    return { name, shape, dtype: this.floatType, needsGrad: false };
  }

  scalar(value: number): Tensor {
    return this.floats([value], []);
  }

  private constant(dtype: "int64" | FloatType, shape: readonly number[], values: ArrayLike<number>): Tensor {
    const key = values.length <= 16 ? `${dtype}|${shape.join(",")}|${Array.from(values).join(",")}` : null;
    const known = key === null ? undefined : this.constantNames.get(key);
    if (known) return known;
    const name = `c${this.counter++}`;
    const data =
      dtype === "int64"
        ? BigInt64Array.from(Array.from(values), (v) => BigInt(v))
        : dtype === "float32"
          ? Float32Array.from(values)
          : Float64Array.from(values);
    if (data.length !== sizeOf(shape)) throw new GraphError(`constant of shape [${shape.join(",")}] given ${data.length} values`);
    this.constants.set(name, { name, dtype, shape, data });
    const tensor: Tensor = { name, shape, dtype, needsGrad: false };
    if (key !== null) this.constantNames.set(key, tensor);
    return tensor;
  }

  /** Emits a node with one output per given shape. Outputs need a gradient only if `record` says so. */
  nodeN(op: string, inputs: readonly (Tensor | null)[], outputs: readonly { shape: readonly number[]; dtype?: DType }[], options: NodeOptions = {}): Tensor[] {
    const attributes: Record<string, Attribute> = {};
    for (const [name, value] of Object.entries(options.attributes ?? {})) attributes[name] = asAttribute(value);
    const tensors = outputs.map(({ shape, dtype }) => ({
      name: `t${this.counter++}`,
      shape,
      dtype: dtype ?? this.floatType,
      needsGrad: this.recording && inputs.some((i) => i?.needsGrad),
    }));
    const domain = options.domain ?? "";
    this.nodes.push({ op, domain, inputs: inputs.map((i) => i?.name ?? ""), outputs: tensors.map((t) => t.name), attributes });
    return tensors;
  }

  node(op: string, inputs: readonly (Tensor | null)[], shape: readonly number[], options: NodeOptions & { dtype?: DType } = {}): Tensor {
    return this.nodeN(op, inputs, [{ shape, dtype: options.dtype }], options)[0];
  }

  /** Says how gradients flow through what was just emitted. */
  record(inputs: readonly Tensor[], outputs: readonly Tensor[], vjp: Vjp): void {
    if (this.recording && inputs.some((i) => i.needsGrad)) this.tape.push({ inputs, outputs, vjp });
  }

  /** Emits nodes whose gradient is given by the caller's own `record`. */
  composite<T>(body: () => T): T {
    const before = this.tape.length;
    const result = body();
    this.tape.length = before;
    return result;
  }

  /**
   * Reverse mode: given gradients of some tensors, emits the nodes that compute the gradients of the wanted ones.
   * A wanted tensor that nothing depends on has gradient null.
   */
  backward(seeds: readonly { readonly of: Tensor; readonly grad: Tensor }[], wanted: readonly Tensor[]): (Tensor | null)[] {
    const grads = new Map<string, Tensor>();
    const add = (of: Tensor, grad: Tensor): void => {
      if (grad.shape.join() !== of.shape.join()) {
        throw new GraphError(`gradient of shape [${grad.shape.join(",")}] for ${of.name} of shape [${of.shape.join(",")}]`);
      }
      const known = grads.get(of.name);
      grads.set(of.name, known ? this.node("Add", [known, grad], of.shape) : grad);
    };
    this.recording = false;
    try {
      for (const seed of seeds) add(seed.of, seed.grad);
      for (const entry of this.tape.slice().reverse()) {
        const outputGrads = entry.outputs.map((o) => grads.get(o.name) ?? null);
        if (outputGrads.every((g) => g === null)) continue;
        const inputGrads = entry.vjp(outputGrads);
        for (const [i, input] of entry.inputs.entries()) {
          const grad = inputGrads[i];
          if (grad && input.needsGrad) add(input, grad);
        }
      }
    } finally {
      this.recording = true;
    }
    return wanted.map((w) => grads.get(w.name) ?? null);
  }

  /** Gives a value to the caller under a name of its own. */
  output(name: string, tensor: Tensor): void {
    this.outputs.push({ name, dtype: tensor.dtype, shape: this.dims(tensor.shape) });
    const given = this.constants.has(tensor.name) || this.inputs.some((input) => input.name === tensor.name);
    if (!given && !this.outputNamesOf.has(tensor.name)) this.outputNamesOf.set(tensor.name, name);
    else this.nodes.push({ op: "Identity", domain: "", inputs: [tensor.name], outputs: [name], attributes: {} });
  }

  get inputNames(): readonly string[] {
    return this.inputs.map((i) => i.name);
  }

  get outputNames(): readonly string[] {
    return this.outputs.map((o) => o.name);
  }

  /** The serialised model: nodes and inputs that no output needs are left out. */
  build(): { readonly bytes: Uint8Array; readonly inputs: readonly OnnxValue[]; readonly outputs: readonly OnnxValue[]; readonly nodeCount: number } {
    const alive = new Set(this.outputs.map((o) => o.name));
    const kept: OnnxNode[] = [];
    const named = (names: readonly string[]): string[] => names.map((name) => this.outputNamesOf.get(name) ?? name);
    for (const made of this.nodes.slice().reverse()) {
      const node = { ...made, inputs: named(made.inputs), outputs: named(made.outputs) };
      if (!node.outputs.some((o) => alive.has(o))) continue;
      kept.push(node);
      for (const input of node.inputs) alive.add(input);
    }
    kept.reverse();
    const inputs = this.inputs.filter((i) => alive.has(i.name));
    const constants = [...this.constants.values()].filter((c) => alive.has(c.name));
    return { bytes: encodeModel({ nodes: kept, inputs, outputs: this.outputs, constants }), inputs, outputs: this.outputs, nodeCount: kept.length };
  }
}
