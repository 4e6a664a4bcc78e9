import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { UserError } from "../../../util/errors.js";
import { readJson } from "../../../util/json-file.js";
import { objectRows } from "../join.js";
import { readListing, within } from "../obtain.js";
import { isYesNoAnswer, pyStr } from "../python-text.js";
import { writeTestSet, type TestQuestion } from "../test-set.js";
import { writeFileAtomic } from "../../../util/atomic-file.js";
import type { Preparer } from "./preparer.js";

const name = "mimic-vqa";
const page = "https://physionet.org/content/mimic-ext-mimic-cxr-vqa/1.0.0/";

/** MIMIC-CXR-VQA from folders that the user has a right to. Nothing is fetched, and no picture is copied. */
export const mimicVqa: Preparer = {
  name,
  builder: 1,
  async obtain({ paths }, mimic) {
    await Promise.resolve();
    const before = readListing(paths.listing(name));
    if (mimic.data === null || mimic.images === null) {
      if (before !== null && before.files.every(({ url }) => existsSync(url))) return before;
      throw new UserError(
        `${name} may only be had from PhysioNet, by a person with credentialed access (training, and a signed agreement): ${page}, and MIMIC-CXR-JPG for its images. ` +
          "It is never downloaded here. Where you have both, run again with --mimic-dir FOLDER (in which test.json lies) and --mimic-images FOLDER (of MIMIC-CXR-JPG, in which files/ lies).",
      );
    }
    const test = findTest(resolve(mimic.data), 3);
    if (test === null) throw new UserError(`--mimic-dir: there is no test.json in ${resolve(mimic.data)} nor three folders below; unpack ${page} there`);
    const images = resolve(mimic.images);
    if (!existsSync(images)) throw new UserError(`--mimic-images: there is no folder ${images}`);
    const listing = {
      source: page,
      revision: null,
      files: [
        { path: "test.json", url: test, size: statSync(test).size, checksum: null },
        { path: "images", url: existsSync(join(images, "files")) ? join(images, "files") : images, size: null, checksum: null },
      ],
    };
    writeFileAtomic(paths.listing(name), `${JSON.stringify(listing, null, 1)}\n`);
    return listing;
  },
  build(context, listing) {
    const [test, images] = listing.files.map(({ url }) => url);
    const rows = objectRows(readJson(test, "Unpack it again from PhysioNet."));
    const questions: TestQuestion[] = [];
    const left = { "yes or no": 0, "no answer": 0, "no image": 0 };
    for (const row of rows) {
      const answers = (Array.isArray(row.answer) ? (row.answer as unknown[]) : [row.answer ?? ""]).map((one) => pyStr(one).trim()).filter((one) => one !== "");
      const question = pyStr(row.question ?? "").trim();
      const picture = typeof row.image_path === "string" ? within(images, row.image_path.replace(/^(?:\.?\/)*(?:files\/)?/, "").replace(/\.dcm$/, ".jpg")) : "";
      if (answers.length === 0 || question === "") left["no answer"]++;
      else if (answers.some(isYesNoAnswer)) left["yes or no"]++;
      else if (picture === "" || !existsSync(picture)) left["no image"]++;
      else questions.push({ image: picture, question, answer: answers.join(", "), ...(typeof row.content_type === "string" ? { kind: row.content_type } : {}) });
    }
    context.tell({ kind: "note", dataset: name, message: `${rows.length} questions; left out: ${Object.entries(left).map(([why, n]) => `${n} (${why})`).join(", ")}` });
    if (questions.length === 0) throw new UserError(`${name}: no question of ${test} can be used with the images in ${images} (${JSON.stringify(left)}). Correct --mimic-images.`);
    writeTestSet(context, name, questions);
    return Promise.resolve({ test: questions.length });
  },
  outputs: ({ paths }) => [join(paths.processed, `${name}_test.json`), join(paths.examples, `${name}.jsonl`)],
};

function findTest(folder: string, depth: number): string | null {
  if (!existsSync(folder)) return null;
  const file = join(folder, "test.json");
  if (existsSync(file)) return file;
  if (depth === 0) return null;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const found = entry.isDirectory() ? findTest(join(folder, entry.name), depth - 1) : null;
    if (found !== null) return found;
  }
  return null;
}
