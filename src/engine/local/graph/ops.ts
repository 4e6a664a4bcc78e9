/**
 * Primitive operations with their gradients. Shapes are NumPy's; matrices act on the last two dimensions.
 * Reducing scatters are not used anywhere: ONNX Runtime's are racy with repeated indices.
 */
import { float, GraphError, sizeOf, type Graph, type Tensor } from "./graph.js";

function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) throw new GraphError(`shapes [${a.join(",")}] and [${b.join(",")}] do not broadcast`);
    return Math.max(x, y);
  });
}

/** Sums a gradient over the dimensions that broadcasting added or stretched. */
export function unbroadcast(g: Graph, grad: Tensor, shape: readonly number[]): Tensor {
  const extra = grad.shape.length - shape.length;
  const axes = grad.shape.map((_, i) => i).filter((i) => i < extra || (shape[i - extra] === 1 && grad.shape[i] !== 1));
  if (axes.length === 0) return grad;
  const kept = grad.shape.map((size, i) => (axes.includes(i) ? 1 : size));
  return reshape(g, g.node("ReduceSum", [grad, g.ints(axes)], kept, { attributes: { keepdims: 1 } }), shape);
}

export function add(g: Graph, a: Tensor, b: Tensor): Tensor {
  const out = g.node("Add", [a, b], broadcastShape(a.shape, b.shape));
  g.record([a, b], [out], ([d]) => (d ? [a.needsGrad ? unbroadcast(g, d, a.shape) : null, b.needsGrad ? unbroadcast(g, d, b.shape) : null] : [null, null]));
  return out;
}

export function sub(g: Graph, a: Tensor, b: Tensor): Tensor {
  const out = g.node("Sub", [a, b], broadcastShape(a.shape, b.shape));
  g.record([a, b], [out], ([d]) =>
    d ? [a.needsGrad ? unbroadcast(g, d, a.shape) : null, b.needsGrad ? unbroadcast(g, g.node("Neg", [d], d.shape), b.shape) : null] : [null, null],
  );
  return out;
}

export function mul(g: Graph, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShape(a.shape, b.shape);
  const out = g.node("Mul", [a, b], shape);
  g.record([a, b], [out], ([d]) =>
    d
      ? [
          a.needsGrad ? unbroadcast(g, g.node("Mul", [d, b], shape), a.shape) : null,
          b.needsGrad ? unbroadcast(g, g.node("Mul", [d, a], shape), b.shape) : null,
        ]
      : [null, null],
  );
  return out;
}

export function reshape(g: Graph, x: Tensor, shape: readonly number[]): Tensor {
  if (sizeOf(shape) !== sizeOf(x.shape)) throw new GraphError(`cannot reshape [${x.shape.join(",")}] to [${shape.join(",")}]`);
  if (shape.join() === x.shape.join()) return x;
  const out = g.node("Reshape", [x, g.ints(g.targetShape(x.shape, shape))], shape, { dtype: x.dtype });
  g.record([x], [out], ([d]) => [d && reshape(g, d, x.shape)]);
  return out;
}

export function transpose(g: Graph, x: Tensor, perm: readonly number[]): Tensor {
  const out = g.node("Transpose", [x], perm.map((p) => x.shape[p]), { attributes: { perm } });
  const inverse = perm.map((_, i) => perm.indexOf(i));
  g.record([x], [out], ([d]) => [d && transpose(g, d, inverse)]);
  return out;
}

export function concat(g: Graph, parts: readonly Tensor[], axis: number): Tensor {
  if (parts.length === 1) return parts[0];
  const shape = parts[0].shape.map((size, i) => (i === axis ? parts.reduce((n, p) => n + p.shape[axis], 0) : size));
  const out = g.node("Concat", parts, shape, { attributes: { axis } });
  g.record(parts, [out], ([d]) => {
    if (!d) return parts.map(() => null);
    const sizes = parts.map((p) => p.shape[axis]);
    if (!sizes.some((size) => g.unknown(size))) return split(g, d, axis, sizes);
    if (axis !== 0 || sizes.length !== 2 || g.unknown(sizes[0])) throw new GraphError(`no gradient of a concat of sizes ${sizes.join(", ")}: only the second of two may be unknown, along rows`);
    return splitRows(g, d, sizes[0]);
  });
  return out;
}

export function split(g: Graph, x: Tensor, axis: number, sizes: readonly number[]): Tensor[] {
  if (sizes.length === 1) return [x];
  const outs = g.nodeN("Split", [x, g.ints(sizes)], sizes.map((n) => ({ shape: x.shape.map((size, i) => (i === axis ? n : size)) })), { attributes: { axis } });
  g.record([x], outs, (ds) => [concat(g, ds.map((d, i) => d ?? zeros(g, outs[i].shape)), axis)]);
  return outs;
}

/** The first `at` rows of `[N, …]`, and the rest; only the run need know N. */
export function splitRows(g: Graph, x: Tensor, at: number): [Tensor, Tensor] {
  const [rows, ...rest] = x.shape;
  const slice = (from: number, to: number, count: number): Tensor => g.node("Slice", [x, g.ints([from]), g.ints([to]), g.ints([0])], [count, ...rest]);
  const parts: [Tensor, Tensor] = [slice(0, at, at), slice(at, Number.MAX_SAFE_INTEGER, rows - at)];
  const none = (part: Tensor): Tensor => g.node("Mul", [part, g.scalar(0)], part.shape);
  g.record([x], parts, (ds) => [concat(g, parts.map((part, i) => ds[i] ?? none(part)), 0)]);
  return parts;
}

export function zeros(g: Graph, shape: readonly number[]): Tensor {
  return g.node("Expand", [g.scalar(0), g.ints(shape)], shape);
}

/** Elementwise function with derivative given in terms of input and output. */
function unary(op: string, derivative: (g: Graph, x: Tensor, y: Tensor, d: Tensor) => Tensor) {
  return (g: Graph, x: Tensor): Tensor => {
    const y = g.node(op, [x], x.shape);
    g.record([x], [y], ([d]) => [d && derivative(g, x, y, d)]);
    return y;
  };
}

export const exp = unary("Exp", (g, x, y, d) => g.node("Mul", [d, y], x.shape));
export const log = unary("Log", (g, x, _y, d) => g.node("Div", [d, x], x.shape));
export const tanh = unary("Tanh", (g, x, y, d) => {
  const one = g.node("Sub", [g.scalar(1), g.node("Mul", [y, y], x.shape)], x.shape);
  return g.node("Mul", [d, one], x.shape);
});
export const neg = unary("Neg", (g, x, _y, d) => g.node("Neg", [d], x.shape));

export function sumAll(g: Graph, x: Tensor): Tensor {
  const out = g.node("ReduceSum", [x], [], { attributes: { keepdims: 0 } });
  g.record([x], [out], ([d]) => [d && g.node("Expand", [d, g.ints(x.shape)], x.shape)]);
  return out;
}

export interface MatMulOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** Multiplies the product. */
  readonly alpha?: number;
}

function swapLast(g: Graph, x: Tensor): Tensor {
  const perm = x.shape.map((_, i) => i);
  perm.push(perm.splice(-2, 1)[0]);
  return g.node("Transpose", [x], perm.map((p) => x.shape[p]), { attributes: { perm } });
}

/** Emits alpha·op(A)·op(B) over broadcast batch dimensions. */
function product(g: Graph, a: Tensor, b: Tensor, { transA = false, transB = false, alpha = 1 }: MatMulOptions): Tensor {
  const m = a.shape[a.shape.length - (transA ? 1 : 2)];
  const k = a.shape[a.shape.length - (transA ? 2 : 1)];
  const kB = b.shape[b.shape.length - (transB ? 1 : 2)];
  const n = b.shape[b.shape.length - (transB ? 2 : 1)];
  if (k !== kB) throw new GraphError(`inner sizes differ: ${k} and ${kB}`);
  const shape = [...broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n];
  if (g.floatType === "float32") {
    if (!transA && !transB && alpha === 1) return g.node("MatMul", [a, b], shape);
    return g.node("FusedMatMul", [a, b], shape, {
      domain: "com.microsoft",
      attributes: { transA: Number(transA), transB: Number(transB), alpha: float(alpha) },
    });
  }
  // The fused kernel has no double-precision version.
  const out = g.node("MatMul", [transA ? swapLast(g, a) : a, transB ? swapLast(g, b) : b], shape);
  return alpha === 1 ? out : g.node("Mul", [out, g.scalar(alpha)], shape);
}

/** Batched matrix product alpha·op(A)·op(B); batch dimensions broadcast. */
export function matmul(g: Graph, a: Tensor, b: Tensor, options: MatMulOptions = {}): Tensor {
  const { transA = false, transB = false, alpha = 1 } = options;
  const out = product(g, a, b, options);
  g.record([a, b], [out], ([d]) => {
    if (!d) return [null, null];
    const gradA = () => (transA ? product(g, b, d, { transA: transB, transB: true, alpha }) : product(g, d, b, { transB: !transB, alpha }));
    const gradB = () => (transB ? product(g, d, a, { transA: true, transB: transA, alpha }) : product(g, a, d, { transA: !transA, alpha }));
    return [a.needsGrad ? unbroadcast(g, gradA(), a.shape) : null, b.needsGrad ? unbroadcast(g, gradB(), b.shape) : null];
  });
  return out;
}

/** x `[N, I]` times weight `[O, I]` transposed plus bias `[O]`: a Hugging Face Linear. */
export function linear(g: Graph, x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const [n, inputs] = x.shape;
  const [outputs, expected] = weight.shape;
  if (inputs !== expected) throw new GraphError(`linear: input width ${inputs}, weight [${weight.shape.join(",")}]`);
  const out = g.node("Gemm", bias ? [x, weight, bias] : [x, weight], [n, outputs], { attributes: { transB: 1 } });
  g.record(bias ? [x, weight, bias] : [x, weight], [out], ([d]) => {
    if (!d) return [null, null, null];
    return [
      x.needsGrad ? g.node("Gemm", [d, weight], x.shape) : null,
      weight.needsGrad ? g.node("Gemm", [d, x], weight.shape, { attributes: { transA: 1 } }) : null,
      bias?.needsGrad ? g.node("ReduceSum", [d, g.ints([0])], bias.shape, { attributes: { keepdims: 0 } }) : null,
    ];
  });
  return out;
}

/** Rows of a table without a gradient for the table: the caller takes the rows' gradients and scatters them itself. */
export function gatherRows(g: Graph, table: Tensor, index: Tensor): Tensor {
  return g.node("Gather", [table, index], [...index.shape, ...table.shape.slice(1)], { attributes: { axis: 0 } });
}

/**
 * Rows of `data` `[M, D]` at N places: `index` `[N]` names the row of each place, `inverse` `[M]` the place of each row.
 * They are each other's inverse but for padding: rows and places without a partner, whose gradient is zero and whose
 * index names one of the other kind. So the gradient is a gather too.
 */
export function moveRows(g: Graph, data: Tensor, index: Tensor, inverse: Tensor): Tensor {
  const out = gatherRows(g, data, index);
  g.record([data], [out], ([d]) => [d && gatherRows(g, d, inverse)]);
  return out;
}

/**
 * Rows of `data` `[M, D]` placed at N positions: `index` `[N]` names the row of each position, M meaning a row of
 * zeros. No row may be used twice; `inverse` `[M]` names the position of each row, N meaning nowhere. So the gradient
 * is a gather too, and no scatter is needed.
 */
export function placeRows(g: Graph, data: Tensor, index: Tensor, inverse: Tensor): Tensor {
  const [rows, width] = data.shape;
  const [positions] = index.shape;
  const zeroRow = g.floats(new Float32Array(width), [1, width]);
  const padded = g.node("Concat", [data, zeroRow], [rows + 1, width], { attributes: { axis: 0 } });
  const out = g.node("Gather", [padded, index], [positions, width], { attributes: { axis: 0 } });
  g.record([data], [out], ([d]) => {
    if (!d) return [null];
    const paddedGrad = g.node("Concat", [d, zeroRow], [positions + 1, width], { attributes: { axis: 0 } });
    return [g.node("Gather", [paddedGrad, inverse], [rows, width], { attributes: { axis: 0 } })];
  });
  return out;
}
