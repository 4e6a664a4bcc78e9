/**
 * DICOM files as pictures. What identifies a patient never leaves this folder: results hold pixels and the allow-list
 * of `DicomAttributes`, and messages hold nothing of the file but technical numbers and codes.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { messageOf, UserError } from "../../util/errors.js";
import { renderColour, renderPalette } from "./colour.js";
import { decimal, isDicom, item, parseDataSet, type DataSet } from "./data-set.js";
import { decodeFrame } from "./frames.js";
import { readGreyTransform, renderGrey, type WindowChoice } from "./grey.js";
import { readAttributes, readLayout, type DicomAttributes, type PixelLayout } from "./header.js";
import { syntaxWayOut } from "./transfer-syntax.js";

/** 16,384²: a frame takes 4 to 8 bytes a pixel while it is decoded. */
const MAX_PIXELS = 16384 * 16384;

export interface DicomPicture {
  readonly width: number;
  readonly height: number;
  /** 8-bit RGB, height·width·3, rows from the top. */
  readonly data: Uint8Array;
  /** Frame, from 0. */
  readonly frame: number;
  readonly attributes: DicomAttributes;
}

/** Is this a DICOM file, by its magic number? `false` also for what cannot be read. */
export function isDicomFile(path: string): boolean {
  try {
    const fd = openSync(path, "r");
    try {
      const head = new Uint8Array(132);
      return readSync(fd, head) === 132 && isDicom(head);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

export class DicomFile {
  private constructor(
    private readonly place: string,
    private readonly set: DataSet,
    private readonly layout: PixelLayout,
    readonly attributes: DicomAttributes,
  ) {}

  /** @throws UserError for a file that cannot be read, is damaged, or holds no picture. */
  static open(path: string): DicomFile {
    let bytes: Uint8Array;
    try {
      bytes = readFileSync(path);
    } catch (error) {
      throw new UserError(`Cannot read the DICOM file ${path}: ${messageOf(error)}. Correct the path, or put the file there.`);
    }
    return DicomFile.parse(bytes, path);
  }

  /** @param place names the file in messages. */
  static parse(bytes: Uint8Array, place: string): DicomFile {
    if (!isDicom(bytes)) throw new UserError(`${place} is no DICOM file: there is no "DICM" behind its first 128 bytes. If it is one without the file header, write it anew, for example with dcmconv +F.`);
    const data = parseDataSet(bytes);
    if (data === null) throw new UserError(`${place} cannot be read as DICOM: it is damaged or cut off. Copy it again, or repair it, for example with dcmconv.`);
    // A data set without Rows has no pixels either; that says more to the user.
    if (data.elements.x00280010 === undefined && data.elements.x7fe00010 === undefined) {
      throw new NoPictureError(`${place} is a DICOM file without a picture (a report, a plan, an index or the like, or cut off before its pixels). Leave it out.`);
    }
    const layout = readLayout(data, place);
    if (layout.syntax.coding === null) {
      throw new UserError(`${place}: its pixels are in the transfer syntax ${layout.syntax.name} (${layout.syntax.uid}), which is not read. ${syntaxWayOut(layout.syntax)}`);
    }
    if (layout.rows * layout.columns > MAX_PIXELS) throw new UserError(`${place} has ${layout.columns}×${layout.rows} pixels, more than the ${MAX_PIXELS} that are decoded. Save a smaller copy of it.`);
    return new DicomFile(place, data, layout, readAttributes(data, layout));
  }

  /** One frame as 8-bit RGB. @param frame from 0. @throws UserError naming file, frame and transfer syntax. */
  async picture(frame = 0, window: WindowChoice = "header"): Promise<DicomPicture> {
    const { layout, set, place, attributes } = this;
    if (!Number.isInteger(frame) || frame < 0 || frame >= layout.frames) throw new UserError(`${place} has ${layout.frames} frames; there is no frame ${frame + 1}.`);
    const decoded = await decodeFrame(set, layout, frame, place);
    let data: Uint8Array;
    if (layout.samples === 3) data = renderColour(decoded, layout, place);
    else if (layout.photometric === "PALETTE COLOR") data = renderPalette(decoded, set, layout, place);
    else if (/^MONOCHROME[12]$/.test(layout.photometric)) data = threefold(renderGrey(decoded.values, readGreyTransform(set, layout, frame), layout, window));
    else throw new UserError(`${place} has the photometric interpretation ${layout.photometric} with one sample a pixel, which is not read. Convert it to MONOCHROME2, and import that copy.`);
    return { width: layout.columns, height: layout.rows, data, frame, attributes };
  }

  get order(): SeriesPlace {
    return seriesPlace(this.set);
  }
}

/** A DICOM file that is no picture: nothing is wrong with it. */
export class NoPictureError extends UserError {}

/** By what the files of a series belong together and follow each other. */
export interface SeriesPlace {
  /** Hash of the series' UID. */
  readonly series: string;
  readonly instance: number | null;
  /** Millimetres along the normal of the slices. */
  readonly position: number | null;
}

function seriesPlace(data: DataSet): SeriesPlace {
  const plane = item(data, "x52009230") ?? data;
  const at = vector(item(plane, "x00209113") ?? data, "x00200032", 3);
  const axes = vector(item(item(data, "x52009229") ?? data, "x00209116") ?? data, "x00200037", 6);
  let position: number | null = null;
  if (at !== null && axes !== null) {
    const [a, b, c, d, e, f] = axes;
    position = at[0] * (b * f - c * e) + at[1] * (c * d - a * f) + at[2] * (a * e - b * d);
  }
  return { series: createHash("sha256").update(data.string("x0020000e") ?? "").digest("hex").slice(0, 16), instance: decimal(data, "x00200013"), position };
}

function vector(data: DataSet, tag: string, length: number): number[] | null {
  const values = Array.from({ length }, (_, i) => decimal(data, tag, i));
  return values.every((v) => v !== null) ? values : null;
}

function threefold(grey: Uint8Array): Uint8Array {
  const out = new Uint8Array(grey.length * 3);
  for (let i = 0; i < grey.length; i++) out[3 * i] = out[3 * i + 1] = out[3 * i + 2] = grey[i];
  return out;
}
