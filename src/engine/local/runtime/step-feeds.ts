import type { SampleRequest } from "../../engine.js";
import type { TextConfig } from "../model/config.js";
import { decodeFeeds } from "../model/feeds.js";
import type { TextRotation } from "../model/geometry.js";
import type { DecodeSizes } from "../model/sample-graphs.js";
import type { Place } from "./lanes.js";
import type { Feed } from "./pack.js";

/** Feeds of a decoding step, beside weights and caches: arrays that are written anew at every step of the same sizes. */
export class StepFeeds {
  private readonly tokens: BigInt64Array;
  private readonly cos: Float32Array;
  private readonly sin: Float32Array;
  /** Uniform numbers in [0, 1) of the rows' random streams; zeros where the choice is greedy. */
  readonly uniforms: Float32Array;
  private readonly slotRows: BigInt64Array;
  private readonly rowSlots: BigInt64Array;
  private readonly mask: Float32Array;
  private readonly inverseTemperature = new Float32Array(1);
  /** By input name. */
  readonly named: Readonly<Record<string, Feed>>;

  constructor(
    private readonly config: TextConfig,
    private readonly rotation: TextRotation,
    private readonly sizes: DecodeSizes,
    private readonly group: number,
  ) {
    const { rows, lanes, prefix, own, places } = sizes;
    this.tokens = new BigInt64Array(rows);
    this.cos = new Float32Array(rows * rotation.half);
    this.sin = new Float32Array(rows * rotation.half);
    this.uniforms = new Float32Array(rows);
    this.slotRows = new BigInt64Array(lanes * config.keyHeads * group);
    this.rowSlots = new BigInt64Array(rows * config.keyHeads);
    this.mask = new Float32Array(lanes * group * places);
    this.named = {
      ...{ [decodeFeeds.tokens]: this.tokens, [decodeFeeds.cos]: this.cos, [decodeFeeds.sin]: this.sin, [decodeFeeds.uniforms]: this.uniforms },
      ...{ [decodeFeeds.slotRows]: this.slotRows, [decodeFeeds.rowSlots]: this.rowSlots, [decodeFeeds.mask]: this.mask },
      [decodeFeeds.parts]: BigInt64Array.from([prefix, own, 1].map(BigInt)),
      [decodeFeeds.inverseTemperature]: this.inverseTemperature,
    };
  }

  /** Whether a step of such sizes can use these. */
  serve(sizes: DecodeSizes, group: number): boolean {
    const { rows, lanes, prefix, own } = this.sizes;
    return group === this.group && sizes.rows === rows && sizes.lanes === lanes && sizes.prefix === prefix && sizes.own === own;
  }

  fill(places: readonly Place[], requests: readonly SampleRequest[], temperature: number): void {
    const { sizes, group } = this;
    const { keyHeads } = this.config;
    const greedy = temperature === 0;
    this.inverseTemperature[0] = greedy ? 1 : 1 / temperature;
    this.slotRows.fill(0n);
    this.mask.fill(-1e9);
    for (const [r, { lane, slot, row, request, prefill }] of places.entries()) {
      const { tokens: prompt } = requests[request].prompt;
      this.tokens[r] = BigInt(row.tokens.length === 0 ? prompt[prompt.length - 1] : row.tokens[row.tokens.length - 1]);
      const position = prefill.next - 1 + row.tokens.length;
      this.rotation.write([position, position, position], this.cos, this.sin, r);
      // 24 bits, so that rounding to single precision cannot give 1.
      this.uniforms[r] = greedy ? 0 : Math.floor(row.random.uniform() * 2 ** 24) / 2 ** 24;
      for (let h = 0; h < keyHeads; h++) {
        const place = (lane * keyHeads + h) * group + slot;
        this.slotRows[place] = BigInt(r * keyHeads + h);
        this.rowSlots[r * keyHeads + h] = BigInt(place);
      }
      const at = (lane * group + slot) * sizes.places;
      this.mask.fill(0, at, at + prefill.places);
      this.mask.fill(0, at + sizes.prefix, at + sizes.prefix + row.tokens.length);
    }
    // Every slot sees its row's own token, idle ones too: a softmax over nothing would not be a number.
    for (let at = sizes.places - 1; at < this.mask.length; at += sizes.places) this.mask[at] = 0;
  }
}
