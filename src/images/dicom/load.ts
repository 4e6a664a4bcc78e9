import type { RgbImage } from "../load.js";
import { DicomFile } from "./read.js";

/** First frame of a DICOM file, by its own window. @throws UserError as `DicomFile` says. */
export async function loadDicom(path: string): Promise<RgbImage> {
  const file = DicomFile.open(path);
  const { width, height, data } = await file.picture();
  const { frames, burnedIn } = file.attributes;
  const notes = [
    ...(frames > 1 ? [`first of ${frames} frames`] : []),
    ...(burnedIn === "yes" ? ["a picture with text burned in (so its header says)"] : []),
    ...(burnedIn === "likely" ? ["a picture that may have text burned in (its header does not rule it out)"] : []),
  ];
  return { source: path, width, height, data, notes };
}
