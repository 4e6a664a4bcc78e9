import { RandomStream } from "../util/random.js";
import type { GalleryChain } from "./data.js";
import { failsEarly } from "./gallery.js";

/**
 * At most `limit` chains, taken in turn from what readers look for (early failures, other wrong answers, right answers,
 * unscored ones) so that no sort crowds out another; which ones of a sort is drawn by `seed`, and the order of the
 * input is kept.
 */
export function selectChains(chains: readonly GalleryChain[], limit: number, seed = 1): GalleryChain[] {
  const random = new RandomStream(seed);
  const sorts = new Map<string, GalleryChain[]>();
  for (const chain of random.shuffle(chains)) {
    const sort = sortOf(chain);
    const members = sorts.get(sort);
    if (members === undefined) sorts.set(sort, [chain]);
    else members.push(chain);
  }
  const chosen = new Set<GalleryChain>();
  const queues = [...sorts.keys()].sort().map((sort) => sorts.get(sort) ?? []);
  for (let turn = 0; chosen.size < Math.min(limit, chains.length); turn++) {
    for (const queue of queues) {
      if (turn < queue.length && chosen.size < limit) chosen.add(queue[turn]);
    }
  }
  return chains.filter((chain) => chosen.has(chain));
}

function sortOf(chain: GalleryChain): string {
  if (chain.correct === null) return "unscored";
  return `${chain.correct ? "right" : "wrong"}${failsEarly(chain) ? "-early" : ""}`;
}
