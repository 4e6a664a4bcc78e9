import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../../util/errors.js";
import { loadImage } from "../load.js";
import { DicomFile, isDicomFile, NoPictureError } from "./read.js";
import { decodeRle } from "./rle.js";

const dir = join(import.meta.dirname, "../../../interop/fixtures/dicom");
let tmp: string;
beforeAll(() => void (tmp = mkdtempSync(join(tmpdir(), "bw-dicom-"))));
afterAll(() => rmSync(tmp, { recursive: true, force: true }));

const bytesOf = (name: string): Buffer => readFileSync(join(dir, `${name}.dcm`));

/** Replaces a text by another of the same length, everywhere. */
function patched(name: string, from: string, to: string): Uint8Array {
  expect(to.length).toBe(from.length);
  const text = bytesOf(name).toString("latin1");
  expect(text).toContain(from);
  return Buffer.from(text.replaceAll(from, to), "latin1");
}

async function refusal(bytes: Uint8Array, frame = 0): Promise<string> {
  try {
    await DicomFile.parse(bytes, "some/file.dcm").picture(frame);
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message;
  }
  throw new Error("it was accepted");
}

describe("refused files", () => {
  it("names a transfer syntax that is not read, and the way out", async () => {
    const message = await refusal(patched("jpegls-12", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.92"));
    expect(message).toMatch(/some\/file\.dcm.*JPEG 2000 Part 2 Multi-component Lossless \(1\.2\.840\.10008\.1\.2\.4\.92\).*gdcmconv/);
    expect(await refusal(patched("jpeg-lossless-4", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.99"))).toMatch(/unknown \(1\.2\.840\.10008\.1\.2\.4\.99\)/);
    expect(await refusal(patched("jpeg-frames", "1.2.840.10008.1.2.4.50", "1.2.840.113619.5.2.999"))).toMatch(/unknown/);
  });

  it.each(["explicit-le", "rle-16", "jpegls-12", "j2k-12", "jpeg-baseline-444", "jpeg-extended-12", "jpeg-lossless-1", "deflated"])("%s, cut off anywhere, is refused or shown, never a crash", async (name) => {
    const bytes = bytesOf(name);
    for (let length = 140; length < bytes.length - 2; length += Math.ceil(bytes.length / 25)) {
      const cut = bytes.subarray(0, length);
      const error: unknown = await (async () => DicomFile.parse(cut, "cut.dcm").picture())().then(() => null, (e: unknown) => e);
      // Some codecs fill in what is missing at the very end.
      if (error !== null) expect(error, `cut at ${length}`).toBeInstanceOf(UserError);
    }
    expect(await refusal(bytes.subarray(0, Math.floor(bytes.length * 0.8)))).toMatch(/cut\.dcm|file\.dcm/);
  });

  it.each(["rle-16", "jpegls-12", "j2k-12", "jpeg-baseline-444", "jpeg-extended-12", "jpeg-lossless-1"])("%s with damaged pixels is refused or shown, and the next file is read", async (name) => {
    const bytes = bytesOf(name);
    const before = (await DicomFile.parse(bytes, name).picture()).data;
    for (let seed = 1; seed <= 12; seed++) {
      const broken = Buffer.from(bytes);
      for (let at = bytes.length - 10 - seed * 7; at > bytes.length - 120; at -= 11) broken[at] = (broken[at] * 31 + seed) & 255;
      const error: unknown = await (async () => DicomFile.parse(broken, "broken.dcm").picture())().then(() => null, (e: unknown) => e);
      if (error !== null) {
        expect(error).toBeInstanceOf(UserError);
        expect(String(error)).toMatch(/broken\.dcm/);
      }
    }
    // Had the damage left the codec in a bad state, this would not be what it was.
    expect(Buffer.from((await DicomFile.parse(bytes, name).picture()).data).equals(Buffer.from(before))).toBe(true);
  });

  it("says what is no DICOM, what holds no picture, and which frame is not there", async () => {
    expect(await refusal(Buffer.from("not DICOM"))).toMatch(/no DICOM file.*dcmconv/);
    expect(() => DicomFile.open(join(dir, "study/report.dcm"))).toThrow(NoPictureError);
    expect(() => DicomFile.open(join(dir, "nothing.dcm"))).toThrow(/Cannot read the DICOM file .*nothing\.dcm/);
    expect(await refusal(bytesOf("jpeg-frames"), 3)).toMatch(/has 3 frames; there is no frame 4/);
    expect(await refusal(patched("rgb-planar-0", "RGB ", "HSV "))).toMatch(/photometric interpretation HSV/);
    const big = bytesOf("grey-8");
    big.writeUInt16LE(60000, big.indexOf(Buffer.from([0x28, 0, 0x10, 0, 0x55, 0x53])) + 8);
    expect(await refusal(big)).toMatch(/cut off: the file has 192 bytes of pixels, and 960000 are needed/);
  });
});

describe("windows", () => {
  it("given ones replace the file's", async () => {
    const file = DicomFile.open(join(dir, "explicit-le.dcm"));
    const own = await file.picture();
    // The values of the file run from −1024 to 3071.
    const ct = await file.picture(0, { centre: 40, width: 400 });
    expect(Buffer.from(ct.data).equals(Buffer.from(own.data))).toBe(true);
    const wide = await file.picture(0, { centre: 1024, width: 4096 });
    const minmax = await file.picture(0, "minmax");
    const full = await file.picture(0, "full");
    const range = (data: Uint8Array) => [Math.min(...data), Math.max(...data)];
    expect(range(minmax.data)).toEqual([0, 255]);
    expect(range(full.data)[1]).toBeLessThan(255);
    expect(Math.max(...wide.data.map((v, i) => Math.abs(v - full.data[i])))).toBeLessThanOrEqual(1);
    expect(wide.data).not.toEqual(own.data);
  });
});

describe("loadImage", () => {
  it("reads DICOM by its magic number, whatever the name, and notes frames and burned-in text", async () => {
    const path = join(tmp, "IM0001");
    writeFileSync(path, bytesOf("jpeg-frames"));
    expect(isDicomFile(path)).toBe(true);
    expect(isDicomFile(join(dir, "expected.json"))).toBe(false);
    const image = await loadImage(path);
    expect([image.width, image.height, image.data.length, image.notes]).toEqual([16, 12, 576, ["first of 3 frames"]]);
    expect((await loadImage(join(dir, "study/ultrasound.dcm"))).notes).toEqual([expect.stringMatching(/may have text burned in/)]);
    expect((await loadImage(join(dir, "explicit-le.dcm"))).notes).toEqual([]);
    writeFileSync(path, patched("study/ultrasound", "1.2.840.10008.1.2.1\0", "1.2.840.10008.1.9.9\0"));
    await expect(loadImage(path)).rejects.toThrow(/IM0001.*transfer syntax unknown/);
  });
});

describe("decodeRle", () => {
  it("takes literal runs, repeats and no-ops, two bytes a sample", () => {
    const segment = (...bytes: number[]) => bytes;
    const high = segment(2, 1, 2, 3, 128); // three literals, then nothing
    const low = segment(0xfe, 9); // 9 three times
    const head = Buffer.alloc(64);
    head.writeUInt32LE(2, 0);
    head.writeUInt32LE(64, 4);
    head.writeUInt32LE(64 + high.length, 8);
    const bytes = Buffer.concat([head, Uint8Array.from([...high, ...low])]);
    expect([...(decodeRle(bytes, 3, 1, 2) ?? [])]).toEqual([9, 1, 9, 2, 9, 3]);
    expect(decodeRle(bytes, 4, 1, 2)).toBeNull();
    expect(decodeRle(bytes, 3, 2, 2)).toBeNull();
    expect(decodeRle(bytes.subarray(0, 40), 3, 1, 2)).toBeNull();
  });
});
