import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "../../../util/atomic-file.js";
import { UserError } from "../../../util/errors.js";
import { readJson } from "../../../util/json-file.js";
import { gitSha1, lfsPointerSha1 } from "../digest.js";
import { githubListing, githubTree, type TreeFile } from "../github.js";
import { objectRows, type JoinSet } from "../join.js";
import { obtain, within, type PrepareContext } from "../obtain.js";
import type { Preparer } from "./preparer.js";

const name = "medthink";
const repository = { name: "Tang-xiaoxiao/Medthink", branch: "main" };
const prefix = "Medthink_Dataset/";

/** Within the Medthink folder: rationales of each set's splits. */
export const rationaleFiles: Readonly<Record<"train" | "test", Readonly<Record<JoinSet, string>>>> = {
  train: { "vqa-rad": "R-RAD/open-end/trainset.json", slake: "R-SLAKE/open-end/train.json", pathvqa: "R-PathVQA/open-end/trainset.json" },
  test: { "vqa-rad": "R-RAD/open-end/testset.json", slake: "R-SLAKE/open-end/test.json", pathvqa: "R-PathVQA/open-end/testset.json" },
};
const wanted = [...Object.values(rationaleFiles.train), ...Object.values(rationaleFiles.test)];

const treeSchema = z.object({ revision: z.string(), files: z.array(z.object({ path: z.string(), sha: z.string(), size: z.number().nullable() })) });
type Tree = z.output<typeof treeSchema>;

/** MedThink's rationales from GitHub: JSON files in git-LFS. */
export const medthink: Preparer = {
  name,
  builder: 1,
  obtain: (context) =>
    obtain(
      context,
      async () => {
        const { revision, files } = await freshTree(context);
        const found = files.filter(({ path }) => wanted.includes(path.slice(prefix.length)));
        if (found.length === 0) throw new UserError(`https://github.com/${repository.name} has none of ${wanted.join(", ")} below ${prefix}; it has changed`);
        for (const file of wanted) {
          if (!found.some(({ path }) => path === prefix + file)) context.tell({ kind: "note", dataset: name, message: `the repository has no ${prefix}${file}: those rationales are left out` });
        }
        return githubListing(context.source, repository, revision, found);
      },
      ({ path }) => within(context.paths.medthink, path.slice(prefix.length)),
    ),
  build({ paths }, listing) {
    const counts: Record<string, number> = {};
    for (const { path } of listing.files) {
      const file = within(paths.medthink, path.slice(prefix.length));
      counts[path.slice(prefix.length)] = objectRows(readJson(file, "Delete it and run the same command again.")).length;
    }
    return Promise.resolve(counts);
  },
  // The others may lack in the repository; one that does is told of.
  outputs: ({ paths }) => [join(paths.medthink, rationaleFiles.train["vqa-rad"])],
};

function treePath({ paths }: PrepareContext): string {
  return join(paths.downloads(name), "tree.json");
}

/** The part of the repository's tree that has to do with us; kept for work without a network. */
async function freshTree(context: PrepareContext): Promise<Tree> {
  const { revision, files } = await githubTree(context.source, repository);
  const ours = (file: TreeFile): boolean => wanted.includes(file.path.slice(prefix.length)) || file.path.startsWith(`${prefix}R-PathVQA/images/`);
  const tree = { revision, files: files.filter(ours) };
  writeFileAtomic(treePath(context), `${JSON.stringify(tree)}\n`);
  return tree;
}

/** MedThink's name for an image's content. Of several names of one content, the last in name order. */
export interface NameMap {
  readonly size: number;
  /** Contents that have more than one name. */
  readonly doubled: number;
  find(content: Uint8Array): string | null;
}

/**
 * Names of PathVQA's images of a split. The images themselves are not needed: the repository's tree has git's name of
 * each LFS pointer, which follows from the content. A folder with the images, where there is one, serves as well.
 */
export async function pathvqaNames(context: PrepareContext, split: "train" | "test"): Promise<NameMap> {
  const folder = split === "train" ? "Train_images" : "Test_images";
  const local = join(context.paths.medthink, "R-PathVQA", "images", folder);
  if (existsSync(local)) {
    const md5 = (content: Uint8Array): string => createHash("md5").update(content).digest("hex");
    const files = readdirSync(local).sort().map((file): [string, string] => [md5(readFileSync(join(local, file))), file]);
    return nameMap(files, (content) => [md5(content)]);
  }
  const tree = context.offline || existsSync(treePath(context)) ? keptTree(context) : await freshTree(context);
  const files = tree.files
    .filter(({ path }) => path.startsWith(`${prefix}R-PathVQA/images/${folder}/`))
    .map(({ path, sha }): [string, string] => [sha, basename(path)])
    .sort(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0));
  return nameMap(files, (content) => [lfsPointerSha1(content), gitSha1(content)]);
}

function nameMap(files: readonly (readonly [key: string, name: string])[], keys: (content: Uint8Array) => string[]): NameMap {
  const names = new Map(files);
  return {
    size: names.size,
    doubled: files.length - names.size,
    find: (content) => keys(content).map((key) => names.get(key)).find((found) => found !== undefined) ?? null,
  };
}

function keptTree(context: PrepareContext): Tree {
  const path = treePath(context);
  if (!existsSync(path)) throw new UserError(`PathVQA's images are named after MedThink's, and the list of those names is not here (${path}). Run once without --offline.`);
  const result = treeSchema.safeParse(readJson(path, "Delete it and run once without --offline."));
  if (!result.success) throw new UserError(`${path} is not the list of names that was put there. Delete it and run once without --offline.`);
  return result.data;
}
