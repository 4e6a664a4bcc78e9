import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../../util/atomic-file.js";
import { readJson } from "../../../util/json-file.js";
import { listHub } from "../hub.js";
import { objectRows } from "../join.js";
import { obtain, within } from "../obtain.js";
import { below, unzip } from "../zip.js";
import type { Preparer } from "./preparer.js";

const name = "slake";
const files = ["train.json", "test.json", "imgs.zip"];

/** SLAKE from the hub: questions as JSON, images in `imgs/` of a zip archive. */
export const slake: Preparer = {
  name,
  builder: 1,
  obtain: (context) => obtain(context, () => listHub(context.source, "BoKelvin/SLAKE", (path) => files.includes(path)), ({ path }) => within(context.paths.downloads(name), path)),
  async build(context) {
    const { paths, tell, signal } = context;
    const counts: Record<string, number> = {};
    await unzip({
      archive: join(paths.downloads(name), "imgs.zip"),
      folder: join(paths.raw(name), "images"),
      place: below("imgs/"),
      signal,
      onProgress: (done, total) => tell({ kind: "work", dataset: name, what: "unpacking imgs.zip", done, total }),
    });
    for (const split of ["train", "test"]) {
      const from = join(paths.downloads(name), `${split}.json`);
      counts[split] = objectRows(readJson(from, "Delete it and run the same command again.")).length;
      writeFileAtomic(join(paths.raw(name), `${split}.json`), readFileSync(from));
    }
    return counts;
  },
  outputs: ({ paths }) => ["train.json", "test.json", "images"].map((file) => join(paths.raw(name), file)),
};
