import type { TextConfig } from "../model/config.js";

/**
 * Keys and values of the rows being decoded, owned by JavaScript and read by the graph in place: an output would be
 * copied at every step. Row-major, so the first R rows are a view.
 */
export class KvCache {
  /** Per layer `[rows, keyHeads, capacity, headDim]`. */
  keys: Float32Array[] = [];
  /** As `keys`. */
  values: Float32Array[] = [];
  /** `[rows, capacity]`: 0 where a key stands, −1e9 elsewhere. */
  mask = new Float32Array();
  capacity = 0;
  private readonly width: number;

  constructor(
    private readonly config: TextConfig,
    readonly rows: number,
    capacity: number,
  ) {
    this.width = config.keyHeads * config.headDim;
    this.grow(capacity);
  }

  /** Makes room for `capacity` places a row; what is stored stays. */
  grow(capacity: number): void {
    const { rows, width, capacity: old } = this;
    const { keyHeads, headDim, layers } = this.config;
    const mask = new Float32Array(rows * capacity).fill(-1e9);
    for (let r = 0; r < rows && old > 0; r++) mask.set(this.mask.subarray(r * old, (r + 1) * old), r * capacity);
    for (let l = 0; l < layers; l++) {
      const block = old * headDim;
      const grown = (from: Float32Array | undefined): Float32Array => {
        const to = new Float32Array(rows * width * capacity);
        for (let i = 0; i < rows * keyHeads && from; i++) to.set(from.subarray(i * block, (i + 1) * block), i * capacity * headDim);
        return to;
      };
      this.keys[l] = grown(this.keys[l]);
      this.values[l] = grown(this.values[l]);
    }
    this.mask = mask;
    this.capacity = capacity;
  }

  /** Stores one token's keys and values, `[keyHeads·headDim]` at `from` of the given arrays, at `place` of `row`. */
  store(layer: number, row: number, place: number, keys: Float32Array, values: Float32Array, from: number): void {
    const { capacity } = this;
    const { keyHeads, headDim } = this.config;
    const k = this.keys[layer];
    const v = this.values[layer];
    for (let h = 0; h < keyHeads; h++) {
      const at = ((row * keyHeads + h) * capacity + place) * headDim;
      for (let i = 0, source = from + h * headDim; i < headDim; i++, source++) {
        k[at + i] = keys[source];
        v[at + i] = values[source];
      }
    }
  }

  show(row: number, place: number): void {
    this.mask[row * this.capacity + place] = 0;
  }

  /** Forgets a row's places. */
  clear(row: number): void {
    this.mask.fill(-1e9, row * this.capacity, (row + 1) * this.capacity);
  }

  /** Copies row `from` over row `to`. */
  move(from: number, to: number): void {
    const block = this.width * this.capacity;
    for (let l = 0; l < this.config.layers; l++) {
      this.keys[l].copyWithin(to * block, from * block, (from + 1) * block);
      this.values[l].copyWithin(to * block, from * block, (from + 1) * block);
    }
    this.mask.copyWithin(to * this.capacity, from * this.capacity, (from + 1) * this.capacity);
  }
}
