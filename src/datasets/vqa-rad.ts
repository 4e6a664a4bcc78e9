import { z } from "zod";
import type { Example } from "../types.js";
import { ImageFinder, imageRoots, parseRow, readRows, UniqueIds } from "./rows.js";

const text = z.string().trim().min(1, "is empty");
const label = z.string().trim().optional();

/** VQA-RAD's own rows (Lau et al. 2018). Answers are sometimes numbers, labels sometimes end in blanks. */
const row = z.object({
  qid: z.union([z.number(), text]).transform(String),
  image_name: text,
  question: text,
  answer: z.union([text, z.number()], "must be a text or a number").transform(String),
  image_organ: label,
  answer_type: label,
  question_type: label,
  phrase_type: label,
});

/** Reads VQA-RAD; there is no gold reasoning in it. Images lie in `images/` beside the file, or in `imageRoot`. */
export function readVqaRad(path: string, options: { imageRoot?: string } = {}): Example[] {
  const finder = new ImageFinder(path, imageRoots(path, options.imageRoot));
  const ids = new UniqueIds(path);
  return readRows(path).map((raw, index): Example => {
    const { qid, image_name: name, question, answer, ...labels } = parseRow(row, raw, index, path);
    return {
      id: ids.add(`vqa-rad-${qid}`, index),
      image: finder.find(name, index, "image_name"),
      question,
      answer,
      goldReasoning: null,
      ...(labels.question_type ? { kind: labels.question_type.toLowerCase() } : {}),
      meta: { organ: labels.image_organ ?? null, answerType: labels.answer_type ?? null, phraseType: labels.phrase_type ?? null },
    };
  });
}
