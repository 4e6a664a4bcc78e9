/** Who is being decoded: the completions of a prompt side by side in a lane, and the caches that the lanes stand on. */
import { RandomStream } from "../../../util/random.js";
import type { SampleRequest } from "../../engine.js";
import type { TextConfig } from "../model/config.js";
import { KvCache, type PrefixKeysValues } from "./kv-cache.js";
import { roundUp } from "./pack.js";

/** A prompt that was run: its keys and values, and where its completions go on. */
export interface Prefilled extends PrefixKeysValues {
  /** Position of the first completion token. */
  readonly next: number;
}

/** Completions of one request that decode side by side. */
export interface Job {
  readonly request: number;
  /** Index of the first of them among the request's. */
  readonly first: number;
  readonly seeds: readonly number[];
}

export interface Row {
  readonly completion: number;
  readonly random: RandomStream;
  readonly tokens: number[];
  readonly logprobs: number[];
}

interface Lane {
  readonly request: number;
  readonly prefill: Prefilled;
  /** One a slot; null: ended, or never used. */
  readonly rows: (Row | null)[];
}

/** A row under way, where it stands, and what it goes on from. */
export interface Place {
  readonly lane: number;
  readonly slot: number;
  readonly row: Row;
  readonly request: number;
  readonly prefill: Prefilled;
}

/** The completions of each request, at most `group` together. */
export function jobsOf(requests: readonly SampleRequest[], group: number): Job[] {
  return requests.flatMap(({ seeds }, request) =>
    Array.from({ length: Math.ceil(seeds.length / group) }, (_, k): Job => ({ request, first: k * group, seeds: seeds.slice(k * group, (k + 1) * group) })),
  );
}

/** Places are added in steps: each moves what is stored, and attention reads what is added before it is used. */
const placeBucket = 8;

export class Lanes {
  readonly cache: KvCache;
  private readonly lanes: Lane[] = [];

  /** @param most lanes at a time, of `group` slots each */
  constructor(
    config: TextConfig,
    private readonly most: number,
    readonly group: number,
  ) {
    this.cache = new KvCache(config, most, group, { prefix: placeBucket, own: placeBucket });
  }

  get count(): number {
    return this.lanes.length;
  }

  get full(): boolean {
    return this.lanes.length === this.most;
  }

  start({ request, first, seeds }: Job, prefill: Prefilled): void {
    const { cache } = this;
    if (prefill.places > cache.prefix) cache.grow({ prefix: roundUp(prefill.places, placeBucket), own: cache.own });
    cache.storePrefix(this.lanes.length, prefill);
    const rows = seeds.map((seed, slot): Row => ({ completion: first + slot, random: new RandomStream(seed), tokens: [], logprobs: [] }));
    this.lanes.push({ request, prefill, rows });
  }

  /** All rows under way. */
  places(): Place[] {
    return this.lanes.flatMap(({ request, prefill, rows }, lane) => rows.flatMap((row, slot) => (row ? [{ lane, slot, row, request, prefill }] : [])));
  }

  /** Room in the cache for the next token of some rows. */
  reserve(places: readonly Place[]): void {
    const { cache } = this;
    const longest = Math.max(...places.map(({ row }) => row.tokens.length));
    if (longest >= cache.own) cache.grow({ prefix: cache.prefix, own: roundUp(longest + 1, placeBucket) });
  }

  /** Takes out rows that ended, and lanes that have none left; the last lane moves to where one was. */
  remove(ended: readonly Place[]): void {
    for (const { lane, slot } of ended) this.lanes[lane].rows[slot] = null;
    for (let lane = this.lanes.length - 1; lane >= 0; lane--) {
      if (this.lanes[lane].rows.some((row) => row !== null)) continue;
      const last = this.lanes.length - 1;
      if (lane !== last) {
        this.cache.move(last, lane);
        this.lanes[lane] = this.lanes[last];
      }
      this.lanes.pop();
    }
  }
}
