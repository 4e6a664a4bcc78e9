import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DicomFile } from "./read.js";

/** Files and pictures made by pydicom: see interop/dicom.py. */
const dir = join(import.meta.dirname, "../../../interop/fixtures/dicom");
interface Expected {
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  /** Greatest difference of a byte that two correct decoders may have (lossy codecs round differently). */
  readonly tolerance: number;
  readonly syntax: string;
  readonly photometric: string;
  readonly rgb: readonly string[];
}
const expected = JSON.parse(readFileSync(join(dir, "expected.json"), "utf8")) as Record<string, Expected>;

describe("pictures as pydicom gives them", () => {
  it.each(Object.keys(expected))("%s", async (name) => {
    const { width, height, frames, tolerance, rgb } = expected[name];
    const file = DicomFile.open(join(dir, `${name}.dcm`));
    expect(file.attributes).toMatchObject({ columns: width, rows: height, frames });
    for (let frame = 0; frame < frames; frame++) {
      const picture = await file.picture(frame);
      const want = Buffer.from(rgb[frame], "base64");
      expect([picture.width, picture.height, picture.data.length]).toEqual([width, height, want.length]);
      let [worst, sum] = [0, 0];
      for (let i = 0; i < want.length; i++) {
        const difference = Math.abs(want[i] - picture.data[i]);
        worst = Math.max(worst, difference);
        sum += difference;
      }
      expect(worst, `greatest difference in frame ${frame}`).toBeLessThanOrEqual(tolerance);
      expect(sum / want.length, `mean difference in frame ${frame}`).toBeLessThanOrEqual(Math.min(tolerance, 2));
      expect(new Set(picture.data).size, "a picture with something in it").toBeGreaterThan(1);
    }
  });
});
