import { join } from "node:path";
import { writeFileAtomic } from "../../../util/atomic-file.js";
import { UserError } from "../../../util/errors.js";
import { readJson } from "../../../util/json-file.js";
import { objectRows } from "../join.js";
import { obtain, within, type PrepareContext } from "../obtain.js";
import { listOsf } from "../osf.js";
import { pyJson, pyStr } from "../python-text.js";
import type { RemoteFile } from "../types.js";
import type { Preparer } from "./preparer.js";

const name = "vqa-rad";

function target({ paths }: PrepareContext, { path }: RemoteFile): string {
  const [folder, picture] = path.split("/");
  return picture === undefined ? within(paths.downloads(name), folder) : within(join(paths.raw(name), "images"), picture);
}

/** VQA-RAD from the OSF: one JSON file and a folder of images; test questions are marked by their phrase type. */
export const vqaRad: Preparer = {
  name,
  builder: 1,
  obtain: (context) =>
    obtain(
      context,
      () => listOsf(context.source, "89kps", { file: (file) => file.toLowerCase().endsWith(".json"), folder: (folder) => folder.includes("Image") }),
      (file) => target(context, file),
    ),
  build(context, listing) {
    const raw = context.paths.raw(name);
    const files = listing.files.filter(({ path }) => path.toLowerCase().endsWith(".json") && !path.includes("/"));
    if (files.length !== 1) throw new UserError(`The OSF project of VQA-RAD has ${files.length} JSON files at its top (${files.map(({ path }) => path).join(", ")}), and one is expected; it has changed`);
    const rows = { train: [] as unknown[], test: [] as unknown[] };
    for (const row of objectRows(readJson(target(context, files[0]), "Delete it and run the same command again."))) {
      const text = (key: string): string => (key in row ? pyStr(row[key]) : "");
      const isTest = text("phrase_type").trim().toLowerCase().startsWith("test");
      rows[isTest ? "test" : "train"].push({ image: `images/${text("image_name")}`, question: text("question"), answer: text("answer") });
    }
    writeFileAtomic(join(raw, "train.json"), pyJson(rows.train));
    writeFileAtomic(join(raw, "test.json"), pyJson(rows.test));
    return Promise.resolve({ train: rows.train.length, test: rows.test.length });
  },
  outputs: ({ paths }) => ["train.json", "test.json", "images"].map((file) => join(paths.raw(name), file)),
};
