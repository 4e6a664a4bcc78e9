import { join } from "node:path";
import { UserError } from "../../../util/errors.js";
import { isRecord } from "../../../util/json-file.js";
import { listHub } from "../hub.js";
import { obtain, within } from "../obtain.js";
import { imageOf, parquetRows, type ParquetRow } from "../parquet.js";
import { pyStr } from "../python-text.js";
import { writeTestSet, type TestQuestion } from "../test-set.js";
import { writePicture } from "../write-file.js";
import type { Preparer } from "./preparer.js";

interface HubTest {
  readonly name: string;
  readonly repository: string;
  readonly files: RegExp;
  /** Column and value (lower case) that mark open-ended questions. */
  readonly open: { readonly column: string; readonly value: string };
  readonly kind?: (row: ParquetRow) => unknown;
}

const metadata = (key: string) => (row: ParquetRow): unknown => (isRecord(row.metadata) ? row.metadata[key] : undefined);

/** Test sets that are Parquet files with images on the hub. */
export const hubTests: readonly Preparer[] = (
  [
    { name: "quilt-vqa", repository: "wisdomik/Quilt_VQA", files: /^data\/train-.*\.parquet$/, open: { column: "answer_type", value: "open" } },
    { name: "rad-vqa", repository: "raidium/RadImageNet-VQA", files: /^benchmark\/test-.*\.parquet$/, open: { column: "question_type", value: "open" }, kind: metadata("content_type") },
  ] satisfies readonly HubTest[]
).map(preparer);

function preparer({ name, repository, files, open, kind }: HubTest): Preparer {
  return {
    name,
    builder: 1,
    obtain: (context) => obtain(context, () => listHub(context.source, repository, (path) => files.test(path)), ({ path }) => within(context.paths.downloads(name), path)),
    async build(context, listing) {
      const questions: TestQuestion[] = [];
      let seen = 0;
      let bad = 0;
      for (const { path } of [...listing.files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
        const file = within(context.paths.downloads(name), path);
        for await (const row of parquetRows(file)) {
          context.signal.throwIfAborted();
          const index = seen++;
          if (!(open.column in row)) throw new UserError(`${file} has no column ${open.column}; the data set has changed`);
          if (pyStr(row[open.column]).trim().toLowerCase() !== open.value) continue;
          const image = imageOf(row.image);
          const question = pyStr(row.question ?? "").trim();
          const answer = pyStr(row.answer ?? "").trim();
          if (image === null || question === "" || answer === "") {
            bad++;
            continue;
          }
          const picture = join(context.paths.raw(name), "images", `${index}.${pictureEnding(image.bytes)}`);
          writePicture(picture, image.bytes);
          const told = kind?.(row);
          questions.push({ image: picture, question, answer, ...(typeof told === "string" && told !== "" ? { kind: told } : {}) });
          if (seen % 100 === 0) context.tell({ kind: "work", dataset: name, what: "pictures", done: seen, total: null });
        }
      }
      if (bad > 0) context.tell({ kind: "note", dataset: name, message: `${bad} open questions left out: without image, question or answer` });
      writeTestSet(context, name, questions);
      return { test: questions.length, rows: seen };
    },
    outputs: ({ paths }) => [join(paths.processed, `${name}_test.json`), join(paths.examples, `${name}.jsonl`)],
  };
}

function pictureEnding(bytes: Uint8Array): string {
  const starts = (...head: number[]): boolean => head.every((byte, i) => bytes[i] === byte);
  return starts(0x89, 0x50, 0x4e, 0x47) ? "png" : starts(0xff, 0xd8) ? "jpg" : starts(0x52, 0x49, 0x46, 0x46) ? "webp" : starts(0x47, 0x49, 0x46) ? "gif" : "img";
}
