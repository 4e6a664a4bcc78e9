import type { DicomReader } from "../datasets/import/pictures.js";
import { isDicom } from "../images/dicom/data-set.js";
import type { WindowChoice } from "../images/dicom/grey.js";
import { DicomFile, NoPictureError } from "../images/dicom/read.js";
import { UserError } from "../util/errors.js";

/** The DICOM reader as importing takes it. */
export function dicomReader(window: WindowChoice): DicomReader {
  return {
    isDicom,
    isNoPicture: (error) => error instanceof NoPictureError,
    open: (bytes, place) => {
      const file = DicomFile.parse(bytes, place);
      return { attributes: file.attributes, order: file.order, picture: (frame) => file.picture(frame, window) };
    },
  };
}

/** `centre,width`, `minmax` or `full`; nothing is the file's own. */
export function parseWindow(text: string | undefined): WindowChoice {
  if (text === undefined) return "header";
  if (text === "minmax" || text === "full") return text;
  const [centre, width, more] = text.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  if (more !== undefined || !Number.isFinite(centre) || !(width > 0) || !Number.isFinite(width)) {
    throw new UserError(`--window ${text}: give centre,width (such as 40,400; the width above 0), minmax, or full.`);
  }
  return { centre, width };
}
