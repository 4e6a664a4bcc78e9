import { encodeModel, type Attribute, type DType, type OnnxConstant, type OnnxNode, type OnnxValue } from "./onnx.js";

/** A value of the graph: static shape, known when the graph is built. */
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
  private recording = true;
  private counter = 0;

  constructor(readonly floatType: FloatType = "float32") {}

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
    this.inputs.push({ name, shape, dtype });
    return { name, shape, dtype, needsGrad };
  }

  /** int64 constant; equal constants share one initialiser. */
  ints(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
    return this.constant("int64", shape, values);
  }

  /** Constant of the graph's float type. */
  floats(values: readonly number[] | Float32Array | Float64Array, shape: readonly number[] = [values.length]): Tensor {
    return this.constant(this.floatType, shape, values);
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

  output(name: string, tensor: Tensor): void {
    this.nodes.push({ op: "Identity", domain: "", inputs: [tensor.name], outputs: [name], attributes: {} });
    this.outputs.push({ name, dtype: tensor.dtype, shape: tensor.shape });
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
    for (const node of this.nodes.slice().reverse()) {
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
