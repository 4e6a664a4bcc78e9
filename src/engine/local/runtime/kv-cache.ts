import type { TextConfig } from "../model/config.js";

/** Keys and values of one prompt's prefix, per layer `[places, keyHeads·headDim]`. */
export interface PrefixKeysValues {
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
  readonly places: number;
}

/** Where a row's next token belongs. */
export interface CachePlace {
  readonly lane: number;
  readonly slot: number;
  /** Among the completion's own tokens. */
  readonly place: number;
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
  private readonly prefixKeys: Float32Array[] = [];
  private readonly prefixValues: Float32Array[] = [];
  /** Per layer `[lanes, keyHeads, group, own, headDim]`. */
  private readonly keys: Float32Array[] = [];
  private readonly values: Float32Array[] = [];
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
    const grow = (arrays: Float32Array[], layer: number, runs: number, was: number, places: number): void => {
      if (was !== places) arrays[layer] = spread(arrays.at(layer), runs, was * headDim, places * headDim);
    };
    for (let l = 0; l < layers; l++) {
      for (const arrays of [this.prefixKeys, this.prefixValues]) grow(arrays, l, heads, this.prefix, prefix);
      for (const arrays of [this.keys, this.values]) grow(arrays, l, heads * this.group, this.own, own);
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

  /** Stores a step's keys and values, per layer `[rows, keyHeads·headDim]`, at the rows' places. */
  store(rows: readonly CachePlace[], keys: readonly Float32Array[], values: readonly Float32Array[]): void {
    const { keyHeads, headDim, layers } = this.config;
    const stride = this.group * this.own * headDim;
    const starts = rows.map(({ lane, slot, place }) => ((lane * keyHeads * this.group + slot) * this.own + place) * headDim);
    const put = (to: Float32Array, from: Float32Array): void => {
      let source = 0;
      for (const start of starts) {
        for (let h = 0, at = start; h < keyHeads; h++, at += stride) {
          for (let i = 0; i < headDim; i++) to[at + i] = from[source++];
        }
      }
    };
    for (let l = 0; l < layers; l++) {
      put(this.keys[l], keys[l]);
      put(this.values[l], values[l]);
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

/** Runs of `was` floats moved apart to every `size`; an array that is too small gives way to one with room to spare. */
function spread(array: Float32Array | undefined, runs: number, was: number, size: number): Float32Array {
  if (array && array.length >= runs * size) {
    // The last first, so that none is written over before it was moved.
    for (let run = runs - 1; run > 0; run--) array.copyWithin(run * size, run * was, (run + 1) * was);
    return array;
  }
  // Memory that nobody wrote to costs nothing: only its pages in use are there.
  const larger = new Float32Array(2 * runs * size);
  for (let run = 0; array && run < runs; run++) larger.set(array.subarray(run * was, (run + 1) * was), run * size);
  return larger;
}
