/** Composite operations with hand-written gradients: fewer passes over memory than chains of primitives. */
import { float, sizeOf, type Graph, type Tensor } from "./graph.js";
import { add, concat, matmul, reshape, split, transpose, unbroadcast } from "./ops.js";

const reduced = (shape: readonly number[]): number[] => [...shape.slice(0, -1), 1];

function meanLast(g: Graph, x: Tensor): Tensor {
  return g.node("ReduceMean", [x, g.ints([-1])], reduced(x.shape), { attributes: { keepdims: 1 } });
}

function sumLast(g: Graph, x: Tensor): Tensor {
  return g.node("ReduceSum", [x, g.ints([-1])], reduced(x.shape), { attributes: { keepdims: 1 } });
}

/** Sum over all but the last dimension, `[D]`. */
function sumRows(g: Graph, x: Tensor): Tensor {
  const axes = x.shape.slice(0, -1).map((_, i) => i);
  return g.node("ReduceSum", [x, g.ints(axes)], x.shape.slice(-1), { attributes: { keepdims: 0 } });
}

/** 1 / sqrt(mean(x²) + eps) over the last dimension. */
function inverseRms(g: Graph, x: Tensor, eps: number): Tensor {
  const shape = reduced(x.shape);
  const square = meanLast(g, g.node("Mul", [x, x], x.shape));
  return g.node("Reciprocal", [g.node("Sqrt", [g.node("Add", [square, g.scalar(eps)], shape)], shape)], shape);
}

/** Value and 1/rms. The runtime's kernel keeps its statistics in single precision: double precision spells it out. */
function normalised(g: Graph, x: Tensor, weight: Tensor, eps: number): [out: Tensor, inverse: Tensor] {
  if (g.floatType === "float64") {
    const inverse = inverseRms(g, x, eps);
    return [g.node("Mul", [g.node("Mul", [x, inverse], x.shape), weight], x.shape), inverse];
  }
  const [out, inverse] = g.nodeN("SimplifiedLayerNormalization", [x, weight], [{ shape: x.shape }, { shape: reduced(x.shape) }], {
    attributes: { axis: -1, epsilon: float(eps), stash_type: 1 },
  });
  return [out, inverse];
}

/** x / sqrt(mean(x²) + eps) · weight over the last dimension (Zhang & Sennrich 2019). */
export function rmsNorm(g: Graph, x: Tensor, weight: Tensor, eps: number): Tensor {
  const [out, inverse] = normalised(g, x, weight, eps);
  g.record([x, weight], [out], ([d]) => {
    if (!d) return [null, null];
    // With p = d·x: dw = Σ_rows p/rms and dx = d·w/rms − x·(Σ p·w)/(D·rms³); the sums are matrix-vector products.
    const width = x.shape[x.shape.length - 1];
    const rows = sizeOf(x.shape) / width;
    const flat = (t: Tensor, columns: number): Tensor => reshape(g, t, [rows, columns]);
    const p = g.node("Mul", [flat(d, width), flat(x, width)], [rows, width]);
    const inv = flat(inverse, 1);
    const dot = g.node("MatMul", [p, reshape(g, weight, [width, 1])], [rows, 1]);
    const inv3 = g.node("Mul", [g.node("Mul", [inv, inv], [rows, 1]), g.node("Mul", [inv, g.scalar(1 / width)], [rows, 1])], [rows, 1]);
    const factor = reshape(g, g.node("Mul", [dot, inv3], [rows, 1]), reduced(x.shape));
    const direct = g.node("Mul", [g.node("Mul", [d, weight], x.shape), inverse], x.shape);
    return [
      x.needsGrad ? g.node("Sub", [direct, g.node("Mul", [x, factor], x.shape)], x.shape) : null,
      weight.needsGrad ? reshape(g, g.node("MatMul", [reshape(g, inv, [1, rows]), p], [1, width]), [width]) : null,
    ];
  });
  return out;
}

function centredNorm(g: Graph, x: Tensor, weight: Tensor, bias: Tensor, eps: number): [out: Tensor, mean: Tensor, inverse: Tensor] {
  if (g.floatType === "float64") {
    const mean = meanLast(g, x);
    const centred = g.node("Sub", [x, mean], x.shape);
    const inverse = inverseRms(g, centred, eps);
    const scaled = g.node("Mul", [g.node("Mul", [centred, inverse], x.shape), weight], x.shape);
    return [g.node("Add", [scaled, bias], x.shape), mean, inverse];
  }
  const [out, mean, inverse] = g.nodeN(
    "LayerNormalization",
    [x, weight, bias],
    [{ shape: x.shape }, { shape: reduced(x.shape) }, { shape: reduced(x.shape) }],
    { attributes: { axis: -1, epsilon: float(eps) } },
  );
  return [out, mean, inverse];
}

/** LayerNorm with weight and bias over the last dimension. */
export function layerNorm(g: Graph, x: Tensor, weight: Tensor, bias: Tensor, eps: number): Tensor {
  const [out, mean, inverse] = centredNorm(g, x, weight, bias, eps);
  g.record([x, weight, bias], [out], ([d]) => {
    if (!d) return [null, null, null];
    const xhat = g.node("Mul", [g.node("Sub", [x, mean], x.shape), inverse], x.shape);
    const dw = g.node("Mul", [d, weight], x.shape);
    const m1 = meanLast(g, dw);
    const m2 = meanLast(g, g.node("Mul", [dw, xhat], x.shape));
    const centred = g.node("Sub", [g.node("Sub", [dw, m1], x.shape), g.node("Mul", [xhat, m2], x.shape)], x.shape);
    return [
      x.needsGrad ? g.node("Mul", [centred, inverse], x.shape) : null,
      weight.needsGrad ? sumRows(g, g.node("Mul", [d, xhat], x.shape)) : null,
      bias.needsGrad ? sumRows(g, d) : null,
    ];
  });
  return out;
}

/** silu(gate) · up, the gated part of SwiGLU (Shazeer 2020). */
export function swiglu(g: Graph, gate: Tensor, up: Tensor): Tensor {
  const { shape } = gate;
  const fused = g.floatType === "float32";
  // QuickGelu with alpha 1 is SiLU in one pass; it has no double-precision kernel.
  const silu = fused
    ? g.node("QuickGelu", [gate], shape, { domain: "com.microsoft", attributes: { alpha: float(1) } })
    : g.node("Mul", [gate, g.node("Sigmoid", [gate], shape)], shape);
  const out = g.node("Mul", [silu, up], shape);
  g.record([gate, up], [out], ([d]) => {
    if (!d) return [null, null];
    // With s = sigmoid(gate): silu' = s + silu·(1 − s), so d·up·silu' = d·(s·(up − out) + out).
    const s = g.node("Sigmoid", [gate], shape);
    const slope = g.node("Add", [g.node("Mul", [s, g.node("Sub", [up, out], shape)], shape), out], shape);
    return [gate.needsGrad ? g.node("Mul", [d, slope], shape) : null, up.needsGrad ? g.node("Mul", [d, silu], shape) : null];
  });
  return out;
}

/** erf; in double precision, where the runtime has no kernel, Abramowitz & Stegun 7.1.26 (error 1.5e-7, smooth). */
function erf(g: Graph, x: Tensor): Tensor {
  const { shape } = x;
  if (g.floatType === "float32") return g.node("Erf", [x], shape);
  const op = (name: string, a: Tensor, b: Tensor): Tensor => g.node(name, [a, b], shape);
  const size = g.node("Abs", [x], shape);
  const t = op("Div", g.scalar(1), op("Add", op("Mul", size, g.scalar(0.3275911)), g.scalar(1)));
  const poly = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592].reduce<Tensor | null>(
    (sum, c) => op("Mul", sum ? op("Add", sum, g.scalar(c)) : g.scalar(c), t),
    null,
  );
  const tail = op("Mul", poly ?? t, g.node("Exp", [g.node("Neg", [op("Mul", x, x)], shape)], shape));
  return op("Mul", g.node("Sign", [x], shape), op("Sub", g.scalar(1), tail));
}

/** GELU: `tanh` approximation (gelu_pytorch_tanh) or the exact one with erf. */
export function gelu(g: Graph, x: Tensor, kind: "tanh" | "erf"): Tensor {
  const { shape } = x;
  const m = (a: Tensor, b: Tensor | number): Tensor => g.node("Mul", [a, typeof b === "number" ? g.scalar(b) : b], shape);
  const plus = (a: Tensor, b: number): Tensor => g.node("Add", [a, g.scalar(b)], shape);
  if (kind === "erf") {
    const phi = m(plus(erf(g, m(x, Math.SQRT1_2)), 1), 0.5);
    const out = m(x, phi);
    g.record([x], [out], ([d]) => {
      if (!d) return [null];
      const density = m(g.node("Exp", [m(m(x, x), -0.5)], shape), 1 / Math.sqrt(2 * Math.PI));
      return [m(d, g.node("Add", [phi, m(x, density)], shape))];
    });
    return out;
  }
  const c = Math.sqrt(2 / Math.PI);
  const square = m(x, x);
  const t = g.node("Tanh", [m(x, plus(m(square, 0.044715 * c), c))], shape);
  const half = plus(m(t, 0.5), 0.5);
  const out = m(x, half);
  g.record([x], [out], ([d]) => {
    if (!d) return [null];
    // d/dx = half + x·0.5·(1 − t²)·c·(1 + 3·0.044715·x²)
    const sech2 = g.node("Sub", [g.scalar(0.5), m(m(t, t), 0.5)], shape);
    const inner = plus(m(square, 3 * 0.044715 * c), c);
    return [m(d, g.node("Add", [half, m(m(x, sech2), inner)], shape))];
  });
  return out;
}

/** Cosines and sines `[N, d/2]` of each row's rotation angles; the two halves of a head share them. */
export interface Rotation {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

function rotate(g: Graph, x: Tensor, { cos, sin }: Rotation, heads: number, inverse: boolean): Tensor {
  const [n, width] = x.shape;
  const d = width / heads;
  if (g.floatType === "float32") {
    const angle = inverse ? g.node("Neg", [sin], sin.shape) : sin;
    // One position is where the rows begin: row i takes line i of the cosines.
    const out = g.node("RotaryEmbedding", [reshape(g, x, [1, n, width]), g.ints([0]), cos, angle], [1, n, width], {
      domain: "com.microsoft",
      attributes: { interleaved: 0, num_heads: heads, rotary_embedding_dim: 0 },
    });
    return reshape(g, out, [n, width]);
  }
  const [a, b] = split(g, reshape(g, x, [n, heads, d]), 2, [d / 2, d / 2]);
  const [c, s] = [reshape(g, cos, [n, 1, d / 2]), reshape(g, sin, [n, 1, d / 2])];
  const sum = (op: "Add" | "Sub", p: Tensor, q: Tensor): Tensor => g.node(op, [p, q], a.shape);
  const times = (p: Tensor, q: Tensor): Tensor => g.node("Mul", [p, q], a.shape);
  const [first, second] = inverse ? (["Add", "Sub"] as const) : (["Sub", "Add"] as const);
  return reshape(g, concat(g, [sum(first, times(a, c), times(b, s)), sum(second, times(b, c), times(a, s))], 2), [n, width]);
}

/** Rotary embedding of `[N, heads·d]`, halves rotated against each other as in Hugging Face's rotate_half. */
export function rotary(g: Graph, x: Tensor, rotation: Rotation, heads: number): Tensor {
  const out = g.composite(() => rotate(g, x, rotation, heads, false));
  g.record([x], [out], ([d]) => [d && rotate(g, d, rotation, heads, true)]);
  return out;
}

/**
 * softmax(scale·Q·Kᵀ + mask)·V for queries `[…, Tq, d]`, keys and values `[…, Tk, d]` and an additive mask that
 * broadcasts to `[…, Tq, Tk]`.
 */
export function attention(g: Graph, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, scale: number): Tensor {
  const scores = add(g, matmul(g, queries, keys, { transB: true, alpha: scale }), mask);
  const probabilities = g.node("Softmax", [scores], scores.shape, { attributes: { axis: -1 } });
  const out = g.composite(() => matmul(g, probabilities, values));
  g.record([scores, values], [out], ([d]) => {
    if (!d) return [null, null];
    // Σ_k P·dP equals Σ_d O·dO, which is the shorter sum (Dao et al. 2022).
    const dot = sumLast(g, g.node("Mul", [d, out], out.shape));
    const dP = matmul(g, d, values, { transB: true });
    return [
      g.node("Mul", [probabilities, g.node("Sub", [dP, dot], scores.shape)], scores.shape),
      values.needsGrad ? unbroadcast(g, matmul(g, probabilities, d, { transA: true }), values.shape) : null,
    ];
  });
  return out;
}

/** What a decoding step attends to: lanes of G slots that share a prompt's prefix. */
export interface GroupCache {
  /** `[P, keyHeads, Tp, d]`: once a lane. */
  readonly prefixKeys: Tensor;
  /** `[P, keyHeads, Tp, d]` */
  readonly prefixValues: Tensor;
  /** `[P, keyHeads, G, 1, To, d]`: the completions' own. */
  readonly keys: Tensor;
  /** `[P, keyHeads, G, 1, To, d]` */
  readonly values: Tensor;
  /** `[P, keyHeads, G, 1, 1, d]`: of the token of this step. */
  readonly newKeys: Tensor;
  /** `[P, keyHeads, G, 1, 1, d]` */
  readonly newValues: Tensor;
  /** Additive `[P, 1, G, 1, 1, Tp + To + 1]`. */
  readonly mask: Tensor;
  /** int64 `[3]`: Tp, To, 1. */
  readonly parts: Tensor;
}

/**
 * Attention of scaled queries `[P, keyHeads, G, q, 1, d]` over a prefix, a completion's own tokens and the step's;
 * forward only, no cache is copied. The G·q queries of a lane meet its prefix in one product (as in Hydragen, Juravsky
 * et al. 2024); each meets its own tokens alone: the runtime's product of one row reads a matrix without packing it.
 */
export function groupAttention(g: Graph, queries: Tensor, c: GroupCache): Tensor {
  const [lanes, heads, group, per, , d] = queries.shape;
  const prefix = c.prefixKeys.shape[2];
  const own = c.keys.shape[4];
  const of = (size: number): number[] => [lanes, heads, group, per, 1, size];
  const together = reshape(g, queries, [lanes, heads, group * per, d]);
  const prefixScores = reshape(g, matmul(g, together, c.prefixKeys, { transB: true }), of(prefix));
  const scores = [prefixScores, matmul(g, queries, c.keys, { transB: true }), matmul(g, queries, c.newKeys, { transB: true })];
  const all = of(c.mask.shape[5]);
  const masked = g.node("Add", [g.node("Concat", scores, all, { attributes: { axis: 5 } }), c.mask], all);
  const probabilities = g.node("Softmax", [masked], all, { attributes: { axis: -1 } });
  const sizes = [prefix, own, 1].map((size) => ({ shape: of(size) }));
  const [p, pOwn, pNew] = g.nodeN("Split", [probabilities, c.parts], sizes, { attributes: { axis: 5 } });
  const fromPrefix = reshape(g, matmul(g, reshape(g, p, [lanes, heads, group * per, prefix]), c.prefixValues), queries.shape);
  return add(g, add(g, fromPrefix, matmul(g, pOwn, c.values)), g.node("Mul", [pNew, c.newValues], queries.shape));
}

/** `[P, 1, …]` repeated G times along the second dimension. */
export function repeatGroup(g: Graph, x: Tensor, group: number): Tensor {
  if (group === 1) return x;
  const shape = [x.shape[0], group, ...x.shape.slice(2)];
  const out = g.node("Expand", [x, g.ints(shape)], shape);
  g.record([x], [out], ([d]) => [d && unbroadcast(g, d, x.shape)]);
  return out;
}

interface VocabularyLogprobs {
  /** `[N, V]` */
  readonly logprobs: Tensor;
  /** `[N, V]`, divided by the temperature. */
  readonly logits: Tensor;
  /** `[N, D]`, divided by the temperature. */
  readonly scaledHidden: Tensor;
}

/** log softmax(hidden·tableᵀ/temperature) for hidden `[N, D]`, table `[V, D]`; forward only. */
export function vocabularyLogprobs(g: Graph, hidden: Tensor, table: Tensor, inverseTemperature: Tensor): VocabularyLogprobs {
  // The temperature goes to what is narrow: passes over the width of a vocabulary are dear.
  const scaledHidden = g.node("Mul", [hidden, inverseTemperature], hidden.shape);
  const logits = g.node("Gemm", [scaledHidden, table], [hidden.shape[0], table.shape[0]], { attributes: { transB: 1 } });
  return { logprobs: g.node("LogSoftmax", [logits], logits.shape, { attributes: { axis: -1 } }), logits, scaledHidden };
}

export interface TokenLogprobs {
  /** `[N]` */
  readonly logprobs: Tensor;
  /** `[N]`, nats; no gradient. */
  readonly entropy: Tensor;
}

/**
 * log-probabilities of target tokens under softmax(hidden·tableᵀ/temperature) for hidden `[N, D]`, table `[V, D]`.
 * The gradient of the table is −Pᵀ·(w·h) here; the target rows' share w·h is returned by `targetRows` for the caller to
 * scatter (no one-hot matrix over the vocabulary).
 */
export function tokenLogprobs(
  g: Graph,
  hidden: Tensor,
  table: Tensor,
  targets: Tensor,
  inverseTemperature: Tensor,
): TokenLogprobs & { readonly targetRows: (logprobGrad: Tensor) => Tensor } {
  const [n, width] = hidden.shape;
  const { logprobs: all, logits, scaledHidden } = vocabularyLogprobs(g, hidden, table, inverseTemperature);
  const column = reshape(g, targets, [n, 1]);
  const ofTargets = (x: Tensor): Tensor => g.composite(() => reshape(g, g.node("GatherElements", [x, column], [n, 1], { attributes: { axis: 1 } }), [n]));
  const logprobs = ofTargets(all);
  const probabilities = g.node("Exp", [all], logits.shape);
  const expected = g.node("Gemm", [probabilities, table], [n, width]);
  // H = log Z − Σ p·logit, and Σ p·logit = h·Σ p·(row of the table).
  const meanLogit = g.node("ReduceSum", [g.node("Mul", [scaledHidden, expected], [n, width]), g.ints([-1])], [n], { attributes: { keepdims: 0 } });
  const logSum = g.node("Sub", [ofTargets(logits), logprobs], [n]);
  const entropy = g.node("Sub", [logSum, meanLogit], [n]);
  const weighted = (d: Tensor): Tensor => g.node("Mul", [reshape(g, d, [n, 1]), scaledHidden], [n, width]);
  g.record([hidden, table], [logprobs], ([d]) => {
    if (!d) return [null, null];
    const scaled = reshape(g, g.node("Mul", [d, inverseTemperature], [n]), [n, 1]);
    const targetEmbeddings = g.node("Gather", [table, targets], [n, width], { attributes: { axis: 0 } });
    return [
      hidden.needsGrad ? g.node("Mul", [g.node("Sub", [targetEmbeddings, expected], [n, width]), scaled], [n, width]) : null,
      table.needsGrad ? g.node("Neg", [g.node("Gemm", [probabilities, weighted(d)], table.shape, { attributes: { transA: 1 } })], table.shape) : null,
    ];
  });
  return { logprobs, entropy, targetRows: weighted };
}

/** `[B·T, heads·d]` → `[B, groups, heads/groups·T, d]`: the query heads that share a key head become rows. */
export function splitQueryHeads(g: Graph, x: Tensor, batch: readonly number[], t: number, keyHeads: number, d: number): Tensor {
  const b = sizeOf(batch);
  const per = x.shape[1] / d / keyHeads;
  const heads = transpose(g, reshape(g, x, [b, t, keyHeads, per, d]), [0, 2, 3, 1, 4]);
  return reshape(g, heads, [...batch, keyHeads, per * t, d]);
}

/** The inverse of `splitQueryHeads`. */
export function joinQueryHeads(g: Graph, x: Tensor, batch: readonly number[], t: number): Tensor {
  const b = sizeOf(batch);
  const [keyHeads, rows, d] = x.shape.slice(-3);
  const per = rows / t;
  const joined = transpose(g, reshape(g, x, [b, keyHeads, per, t, d]), [0, 3, 1, 2, 4]);
  return reshape(g, joined, [b * t, keyHeads * per * d]);
}

/** `[B·T, keyHeads·d]` → `[B, keyHeads, T, d]`. */
export function splitHeads(g: Graph, x: Tensor, batch: readonly number[], t: number, d: number): Tensor {
  const keyHeads = x.shape[1] / d;
  const heads = transpose(g, reshape(g, x, [sizeOf(batch), t, keyHeads, d]), [0, 2, 1, 3]);
  return reshape(g, heads, [...batch, keyHeads, t, d]);
}
