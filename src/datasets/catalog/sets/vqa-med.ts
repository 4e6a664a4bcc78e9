import { existsSync, readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { ZipFile } from "yauzl";
import { UserError } from "../../../util/errors.js";
import { githubListing, githubTree } from "../github.js";
import { obtain, within, type PrepareContext } from "../obtain.js";
import { isYesNoAnswer } from "../python-text.js";
import { writeTestSet, type TestQuestion } from "../test-set.js";
import type { Listing } from "../types.js";
import { writePicture } from "../write-file.js";
import { memberBytes, memberPath, openZip } from "../zip.js";
import type { Preparer } from "./preparer.js";

interface Year {
  readonly year: number;
  readonly branch: string;
  /** Files of the repository that are needed. */
  readonly wanted: RegExp;
  /** Among the texts in the archives and beside them. */
  readonly questions: RegExp;
  readonly answers: RegExp;
}

const years: readonly Year[] = [
  { year: 2019, branch: "master", wanted: /^VQAMed2019Test\/(VQAMed2019_Test_Images\.zip|VQAMed2019_Test_Questions_w_Ref_Answers\.txt)$/, questions: /Questions_w_Ref_Answers\.txt$/i, answers: /Questions_w_Ref_Answers\.txt$/i },
  { year: 2020, branch: "main", wanted: /^VQA-TestSet-ReferenceAnswers-VQAMed2020-Task1\.zip$/, questions: /Questions\.txt$/i, answers: /ReferenceAnswers\.txt$/i },
  { year: 2021, branch: "main", wanted: /^Task1-VQA-2021-TestSet-w-GroundTruth\.zip$/, questions: /Questions\.txt$/i, answers: /ReferenceAnswers\.txt$/i },
];

/** The test sets of ImageCLEF's VQA-Med from GitHub: zip archives (with archives in them) of images and `id|…` lines. */
export const vqaMed: readonly Preparer[] = years.map((year) => preparer(year));

interface Question {
  readonly id: string;
  readonly question: string;
  /** At least one. */
  readonly references: readonly string[];
  readonly kind?: string;
}

function preparer(year: Year): Preparer {
  const name = `vqa-med-${year.year}`;
  const repository = { name: `abachaa/VQA-Med-${year.year}`, branch: year.branch };
  return {
    name,
    builder: 1,
    obtain: (context) =>
      obtain(
        context,
        async () => {
          const { revision, files } = await githubTree(context.source, repository);
          const found = files.filter(({ path }) => year.wanted.test(path));
          if (found.length === 0) throw new UserError(`https://github.com/${repository.name} no longer has the test set's files; it has changed`);
          return githubListing(context.source, repository, revision, found);
        },
        ({ path }) => within(context.paths.downloads(name), path),
      ),
    build: (context, listing) => build(context, name, year, listing),
    outputs: ({ paths }) => [join(paths.processed, `${name}_test.json`), join(paths.examples, `${name}.jsonl`)],
  };
}

async function build(context: PrepareContext, name: string, year: Year, listing: Listing): Promise<Record<string, number>> {
  const images = join(context.paths.raw(name), "images");
  const texts = new Map<string, string>();
  for (const { path } of listing.files) {
    const file = within(context.paths.downloads(name), path);
    if (path.endsWith(".zip")) await takeFrom(await openZip(file), file, images, texts, context);
    else texts.set(path, readFileSync(file, "utf8"));
  }
  const questions = read(name, year, texts);
  const all: TestQuestion[] = [];
  const open: TestQuestion[] = [];
  let missing = 0;
  for (const { id, question, references, kind } of questions) {
    const image = within(images, `${id}.jpg`);
    if (!existsSync(image)) {
      missing++;
      continue;
    }
    const one: TestQuestion = { image, question, answer: references[0], ...(kind ? { kind } : {}), meta: { references } };
    all.push(one);
    if (year.year === 2021 ? references.length === 1 : !references.some(isYesNoAnswer)) open.push(one);
  }
  if (missing > 0) context.tell({ kind: "note", dataset: name, message: `${missing} of ${questions.length} questions left out: no image` });
  writeTestSet(context, name, open);
  writeTestSet(context, `${name}-all`, all);
  return { test: open.length, all: all.length };
}

/** Images to the folder, texts into the map; archives in the archive are opened in turn. */
async function takeFrom(zip: ZipFile, archive: string, images: string, texts: Map<string, string>, context: PrepareContext): Promise<void> {
  const { fromBufferPromise } = await import("yauzl");
  try {
    for await (const entry of zip.eachEntry()) {
      context.signal.throwIfAborted();
      const { fileName } = entry;
      const ending = extname(fileName).toLowerCase();
      if (fileName.startsWith("__MACOSX") || basename(fileName).startsWith(".") || ![".jpg", ".jpeg", ".zip", ".txt"].includes(ending)) continue;
      const stem = basename(fileName).slice(0, -ending.length);
      const path = memberPath(archive, images, entry, () => `${stem}.jpg`);
      if (path === null) continue;
      const bytes = await memberBytes(zip, entry, archive);
      if (ending === ".zip") await takeFrom(await fromBufferPromise(bytes, { lazyEntries: true, strictFileNames: true }), `${archive}!${fileName}`, images, texts, context);
      else if (ending === ".txt") texts.set(fileName, bytes.toString("utf8"));
      else writePicture(path, bytes);
    }
  } catch (error) {
    throw error instanceof UserError || !(error instanceof Error) || "code" in error || error.name === "AbortError" ? error : new UserError(`${archive}: cannot be read (${error.message}). Delete it and run the same command again.`);
  } finally {
    zip.close();
  }
}

function read(name: string, year: Year, texts: ReadonlyMap<string, string>): Question[] {
  const lines = (pattern: RegExp, what: string): string[][] => {
    const found = [...texts].filter(([path]) => pattern.test(path));
    if (found.length === 0) throw new UserError(`${name}: none of ${[...texts.keys()].join(", ") || "the files"} holds the ${what}; the archive has changed`);
    return found[0][1].replace(/^\ufeff/, "").split(/\r?\n/).map((line) => line.split("|").map((part) => part.trim())).filter((parts) => parts.length >= 2);
  };
  // 2019: id|category|question|answers, several parted by #; later: id|question and id|answer|answer…
  if (year.year === 2019) {
    return lines(year.answers, "questions").filter((parts) => parts.length >= 4).map(([id, kind, question, ...answer]) => ({ id, question, kind, references: answer.join("|").split("#").map((part) => part.trim()).filter((part) => part !== "") }))
      .filter(({ references }) => references.length > 0);
  }
  const answers = new Map(lines(year.answers, "reference answers").map(([id, ...references]) => [id, references.filter((part) => part !== "")]));
  return lines(year.questions, "questions").flatMap(([id, ...question]) => {
    const references = answers.get(id) ?? [];
    return references.length > 0 ? [{ id, question: question.join("|"), references }] : [];
  });
}
