import type { SampleRequest } from "../../engine.js";
import type { TextConfig } from "../model/config.js";
import { decodeFeeds } from "../model/feeds.js";
import type { TextRotation } from "../model/geometry.js";
import type { DecodeSizes } from "../model/sample-graphs.js";
import type { Place } from "./lanes.js";
import type { Feed } from "./pack.js";

export interface StepFeeds {
  /** By input name. */
  readonly named: Readonly<Record<string, Feed>>;
  /** Uniform numbers in [0, 1) of the rows' random streams; zeros where the choice is greedy. */
  readonly uniforms: Float32Array;
}

/** Feeds of a decoding step, beside weights and caches; takes a number from each row's random stream. */
export function stepFeeds(
  { keyHeads }: TextConfig,
  rotation: TextRotation,
  sizes: DecodeSizes,
  group: number,
  places: readonly Place[],
  requests: readonly SampleRequest[],
  temperature: number,
): StepFeeds {
  const { rows, lanes, prefix, own } = sizes;
  const greedy = temperature === 0;
  const tokens = new BigInt64Array(rows);
  const cos = new Float32Array(rows * rotation.half);
  const sin = new Float32Array(rows * rotation.half);
  const uniforms = new Float32Array(rows);
  const slotRows = new BigInt64Array(lanes * keyHeads * group);
  const rowSlots = new BigInt64Array(rows * keyHeads);
  const mask = new Float32Array(lanes * group * sizes.places).fill(-1e9);
  for (const [r, { lane, slot, row, request, prefill }] of places.entries()) {
    const { tokens: prompt } = requests[request].prompt;
    tokens[r] = BigInt(row.tokens.length === 0 ? prompt[prompt.length - 1] : row.tokens[row.tokens.length - 1]);
    const position = prefill.next - 1 + row.tokens.length;
    rotation.write([position, position, position], cos, sin, r);
    // 24 bits, so that rounding to single precision cannot give 1.
    if (!greedy) uniforms[r] = Math.floor(row.random.uniform() * 2 ** 24) / 2 ** 24;
    for (let h = 0; h < keyHeads; h++) {
      const place = (lane * keyHeads + h) * group + slot;
      slotRows[place] = BigInt(r * keyHeads + h);
      rowSlots[r * keyHeads + h] = BigInt(place);
    }
    const at = (lane * group + slot) * sizes.places;
    mask.fill(0, at, at + prefill.places);
    mask.fill(0, at + prefix, at + prefix + row.tokens.length);
  }
  // Every slot sees its row's own token, idle ones too: a softmax over nothing would not be a number.
  for (let at = sizes.places - 1; at < mask.length; at += sizes.places) mask[at] = 0;
  const named = {
    ...{ [decodeFeeds.tokens]: tokens, [decodeFeeds.cos]: cos, [decodeFeeds.sin]: sin, [decodeFeeds.uniforms]: uniforms },
    ...{ [decodeFeeds.slotRows]: slotRows, [decodeFeeds.rowSlots]: rowSlots, [decodeFeeds.mask]: mask },
    [decodeFeeds.parts]: BigInt64Array.from([prefix, own, 1].map(BigInt)),
    [decodeFeeds.inverseTemperature]: new Float32Array([greedy ? 1 : 1 / temperature]),
  };
  return { named, uniforms };
}
