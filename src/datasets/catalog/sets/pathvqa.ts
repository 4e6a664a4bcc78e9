import { basename, join } from "node:path";
import { writeFileAtomic } from "../../../util/atomic-file.js";
import { UserError } from "../../../util/errors.js";
import { listHub } from "../hub.js";
import { obtain, within, type PrepareContext } from "../obtain.js";
import { imageOf, parquetLength, parquetRows } from "../parquet.js";
import { pyJson, pyStr, pyTruthy } from "../python-text.js";
import type { Listing } from "../types.js";
import { writePicture } from "../write-file.js";
import { pathvqaNames } from "./medthink.js";
import type { Preparer } from "./preparer.js";

const name = "pathvqa";

/** PathVQA from the hub: Parquet with the images in it, which get MedThink's names. */
export const pathvqa: Preparer = {
  name,
  builder: 1,
  obtain: (context) =>
    obtain(
      context,
      () => listHub(context.source, "flaviagiammarino/path-vqa", (path) => /^data\/(train|test)-.*\.parquet$/.test(path)),
      ({ path }) => within(context.paths.downloads(name), path),
    ),
  async build(context, listing) {
    return { train: await buildSplit(context, listing, "train"), test: await buildSplit(context, listing, "test") };
  },
  outputs: ({ paths }) => ["train.json", "test.json", "images"].map((file) => join(paths.raw(name), file)),
};

async function buildSplit(context: PrepareContext, listing: Listing, split: "train" | "test"): Promise<number> {
  const { paths, tell, signal } = context;
  const shards = listing.files.map(({ path }) => path).filter((path) => path.startsWith(`data/${split}-`)).sort();
  if (shards.length === 0) throw new UserError(`PathVQA on the hub has no Parquet file of its split "${split}"; it has changed`);
  const names = await pathvqaNames(context, split);
  const files = shards.map((shard) => within(paths.downloads(name), shard));
  let total = 0;
  for (const file of files) total += await parquetLength(file);
  const images = join(paths.raw(name), "images");
  const rows: { image: string; problem: string; solution: string }[] = [];
  const written = new Set<string>();
  let unmatched = 0;
  for (const file of files) {
    for await (const row of parquetRows(file)) {
      signal.throwIfAborted();
      const index = rows.length;
      const image = imageOf(row.image);
      if (image === null) throw new UserError(`${file}: row ${index} of "${split}" has no image; the data set has changed`);
      let picture = names.find(image.bytes);
      if (picture === null) {
        unmatched++;
        picture = (image.name === null ? "" : basename(image.name)) || `${split}_${index}.jpg`;
      }
      if (!written.has(picture)) {
        writePicture(within(images, picture), image.bytes);
        written.add(picture);
      }
      const text = (value: unknown): string => (pyTruthy(value) ? pyStr(value) : "");
      rows.push({ image: `images/${picture}`, problem: text(row.question ?? row.problem), solution: text(row.answer ?? row.solution) });
      if (rows.length % 100 === 0 || rows.length === total) tell({ kind: "work", dataset: name, what: `images of ${split}`, done: rows.length, total });
    }
  }
  writeFileAtomic(join(paths.raw(name), `${split}.json`), pyJson(rows));
  tell({
    kind: "note",
    dataset: name,
    message: `${split}: ${rows.length} questions on ${written.size} images; MedThink names ${names.size} images, ${unmatched} questions' images have no name there${names.doubled > 0 ? `, ${names.doubled} images stand there twice (the last name counts)` : ""}`,
  });
  return rows.length;
}
