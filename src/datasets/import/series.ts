import { readFileSync } from "node:fs";
import { messageOf, UserError } from "../../util/errors.js";
import type { DicomReader } from "./pictures.js";

/** One picture of a series: a file and the frame in it, from 0. */
export interface Slice {
  readonly path: string;
  readonly frame: number;
}

export interface Series {
  /** In the order of their positions along the normal of the slices, else of their instance numbers, else of names. */
  readonly slices: readonly Slice[];
}

export interface OrderedSeries {
  /** In the order of their first files. */
  readonly series: readonly Series[];
  /** Files that are no DICOM, or DICOM without a picture. */
  readonly others: readonly string[];
  readonly problems: readonly { readonly path: string; readonly message: string }[];
}

/** Groups DICOM files by series and puts each in order. Only one file's pixels are held at a time. */
export function orderSeries(files: readonly string[], dicom: DicomReader): OrderedSeries {
  const groups = new Map<string, { path: string; frames: number; instance: number | null; position: number | null }[]>();
  const others: string[] = [];
  const problems: { path: string; message: string }[] = [];
  for (const path of files) {
    try {
      const bytes = readFileSync(path);
      if (!dicom.isDicom(bytes)) {
        others.push(path);
        continue;
      }
      const { attributes, order } = dicom.open(bytes, path);
      const group = groups.get(order.series) ?? [];
      if (group.length === 0) groups.set(order.series, group);
      group.push({ path, frames: attributes.frames, instance: order.instance, position: order.position });
    } catch (error) {
      if (dicom.isNoPicture(error)) others.push(path);
      else if (error instanceof UserError) problems.push({ path, message: error.message });
      else problems.push({ path, message: `cannot be read: ${messageOf(error)}` });
    }
  }
  const series = [...groups.values()].map((group): Series => {
    const positioned = group.every(({ position }) => position !== null);
    const numbered = group.every(({ instance }) => instance !== null);
    const sorted = [...group].sort(
      (a, b) =>
        (positioned ? (a.position ?? 0) - (b.position ?? 0) : 0) || (numbered ? (a.instance ?? 0) - (b.instance ?? 0) : 0) || (a.path < b.path ? -1 : 1),
    );
    return { slices: sorted.flatMap(({ path, frames }) => Array.from({ length: frames }, (_, frame) => ({ path, frame }))) };
  });
  return { series, others, problems };
}

/** Which frames of a series become examples: all, the first, the middle one, or so many spread evenly. */
export type FrameChoice = "all" | "first" | "middle" | number;

export function parseFrames(text: string): FrameChoice {
  if (text === "all" || text === "first" || text === "middle") return text;
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new UserError(`--frames ${text}: give all, first, middle, or how many, spread evenly over a series.`);
}

export function pickFrames(slices: readonly Slice[], choice: FrameChoice): readonly Slice[] {
  if (choice === "all") return slices;
  if (choice === "first") return slices.slice(0, 1);
  const count = Math.min(choice === "middle" ? 1 : choice, slices.length);
  // Middles of `count` equal stretches.
  return Array.from({ length: count }, (_, i) => slices[Math.floor(((i + 0.5) * slices.length) / count)]);
}
