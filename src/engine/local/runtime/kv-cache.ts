import type { TextConfig } from "../model/config.js";

/** Keys and values of one prompt's prefix, per layer `[places, keyHeads·headDim]`. */
export interface PrefixKeysValues {
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
  readonly places: number;
}

interface Layout {
  /** Places for a prefix: Tp. */
  readonly prefix: number;
  /** Places for a completion's own tokens: To. */
  readonly own: number;
}

/**
 * Keys and values of what is being decoded, owned by JavaScript and read by the graph in place: an output would be
 * copied at every step. Lanes of `group` slots; a prompt's prefix is there once a lane. Lanes come first, so the first
 * P lanes are a view.
 */
export class KvCache implements Layout {
  /** Per layer `[lanes, keyHeads, prefix, headDim]`. */
  prefixKeys: Float32Array[] = [];
  prefixValues: Float32Array[] = [];
  /** Per layer `[lanes, keyHeads, group, own, headDim]`. */
  keys: Float32Array[] = [];
  values: Float32Array[] = [];
  prefix = 0;
  own = 0;

  constructor(
    private readonly config: TextConfig,
    private readonly lanes: number,
    private readonly group: number,
    layout: Layout,
  ) {
    this.grow(layout);
  }

  /** Floats of a lane's prefix, and of its own tokens. */
  private get blocks(): Layout {
    const width = this.config.keyHeads * this.config.headDim;
    return { prefix: width * this.prefix, own: width * this.group * this.own };
  }

  /** Makes room; what is stored stays. */
  grow({ prefix, own }: Layout): void {
    const { keyHeads, headDim, layers } = this.config;
    const heads = this.lanes * keyHeads;
    const grown = (from: Float32Array | undefined, runs: number, was: number, places: number): Float32Array => {
      if (from && was === places) return from;
      const to = new Float32Array(runs * places * headDim);
      for (let i = 0; i < runs && from; i++) to.set(from.subarray(i * was * headDim, (i + 1) * was * headDim), i * places * headDim);
      return to;
    };
    for (let l = 0; l < layers; l++) {
      this.prefixKeys[l] = grown(this.prefixKeys[l], heads, this.prefix, prefix);
      this.prefixValues[l] = grown(this.prefixValues[l], heads, this.prefix, prefix);
      this.keys[l] = grown(this.keys[l], heads * this.group, this.own, own);
      this.values[l] = grown(this.values[l], heads * this.group, this.own, own);
    }
    this.prefix = prefix;
    this.own = own;
  }

  /** Stores a prompt's prefix. What a lane held before is hidden by the caller's mask. */
  storePrefix(lane: number, { keys, values, places }: PrefixKeysValues): void {
    const { keyHeads, headDim, layers } = this.config;
    const width = keyHeads * headDim;
    const put = (to: Float32Array, from: Float32Array): void => {
      for (let h = 0; h < keyHeads; h++) {
        let at = (lane * keyHeads + h) * this.prefix * headDim;
        for (let place = 0; place < places; place++, at += headDim) {
          const source = place * width + h * headDim;
          for (let i = 0; i < headDim; i++) to[at + i] = from[source + i];
        }
      }
    };
    for (let l = 0; l < layers; l++) {
      put(this.prefixKeys[l], keys[l]);
      put(this.prefixValues[l], values[l]);
    }
  }

  /** Stores one token's keys and values, `[keyHeads·headDim]` at `from` of the given arrays, at `place` of a slot. */
  store(layer: number, lane: number, slot: number, place: number, keys: Float32Array, values: Float32Array, from: number): void {
    const { keyHeads, headDim } = this.config;
    const k = this.keys[layer];
    const v = this.values[layer];
    for (let h = 0; h < keyHeads; h++) {
      const at = (((lane * keyHeads + h) * this.group + slot) * this.own + place) * headDim;
      for (let i = 0, source = from + h * headDim; i < headDim; i++, source++) {
        k[at + i] = keys[source];
        v[at + i] = values[source];
      }
    }
  }

  /** Copies lane `from` over lane `to`. */
  move(from: number, to: number): void {
    const { blocks } = this;
    const copy = (array: Float32Array, block: number): Float32Array => array.copyWithin(to * block, from * block, (from + 1) * block);
    for (let l = 0; l < this.config.layers; l++) {
      for (const array of [this.prefixKeys[l], this.prefixValues[l]]) copy(array, blocks.prefix);
      for (const array of [this.keys[l], this.values[l]]) copy(array, blocks.own);
    }
  }

  /** Feeds of the first `lanes` lanes. */
  feeds(lanes: number): Record<string, Float32Array> {
    const { blocks } = this;
    const feeds: Record<string, Float32Array> = {};
    for (let l = 0; l < this.config.layers; l++) {
      feeds[`prefix.keys.${l}`] = this.prefixKeys[l].subarray(0, lanes * blocks.prefix);
      feeds[`prefix.values.${l}`] = this.prefixValues[l].subarray(0, lanes * blocks.prefix);
      feeds[`own.keys.${l}`] = this.keys[l].subarray(0, lanes * blocks.own);
      feeds[`own.values.${l}`] = this.values[l].subarray(0, lanes * blocks.own);
    }
    return feeds;
  }
}
