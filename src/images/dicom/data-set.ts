import { inflateRawSync } from "node:zlib";
import dicomParser, { type DataSet, type Element } from "dicom-parser";

export type { DataSet, Element };

/** "DICM" stands behind a preamble of 128 bytes. */
export function isDicom(bytes: Uint8Array): boolean {
  return bytes.length >= 132 && bytes[128] === 0x44 && bytes[129] === 0x49 && bytes[130] === 0x43 && bytes[131] === 0x4d;
}

/**
 * The file's elements. What the parser throws is not passed on: it may hold the data set, and with it the patient.
 * @returns `null` for a file that is damaged or cut off before its pixels.
 */
export function parseDataSet(bytes: Uint8Array): DataSet | null {
  try {
    return dicomParser.parseDicom(withReadableOffsets(bytes), {
      inflater: (all, position) => {
        const rest = inflateRawSync(all.subarray(position));
        const whole = new Uint8Array(position + rest.length);
        whole.set(all.subarray(0, position));
        whole.set(rest, position);
        return whole;
      },
    });
  } catch {
    return null;
  }
}

/**
 * The parser takes OV (the extended offset tables, (7FE0,0001) and (7FE0,0002)) for a value with a 2-byte length and
 * loses the elements after it; in a copy, the two are called OB.
 */
function withReadableOffsets(bytes: Uint8Array): Uint8Array {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const first = view.indexOf(Buffer.from([0xe0, 0x7f, 0x01, 0x00, 0x4f, 0x56, 0, 0]));
  if (first < 0 || first + 12 > view.length) return bytes;
  const second = first + 12 + view.readUInt32LE(first + 8);
  if (second + 12 > view.length || view.readUInt32LE(second) !== 0x00027fe0 || view.toString("latin1", second + 4, second + 6) !== "OV") return bytes;
  const copy = Buffer.from(view);
  for (const at of [first, second]) copy.write("OB", at + 4, "latin1");
  return copy;
}

/** A code (VR CS): upper case letters, digits, blanks, underscores; anything else is taken for no code. */
export function code(data: DataSet, tag: string, index = 0): string | null {
  const text = data.string(tag, index)?.trim() ?? "";
  return /^[A-Z0-9_ ]{1,16}$/.test(text) ? text : null;
}

/** All codes of a multi-valued element. */
export function codes(data: DataSet, tag: string): string[] {
  const count = data.numStringValues(tag) ?? 0;
  return Array.from({ length: count }, (_, i) => code(data, tag, i)).filter((text) => text !== null);
}

/** A decimal or integer string (VR DS, IS). */
export function decimal(data: DataSet, tag: string, index = 0): number | null {
  const value = data.floatString(tag, index);
  return value !== undefined && Number.isFinite(value) ? value : null;
}

export function unsigned(data: DataSet, tag: string): number | null {
  return data.elements[tag]?.length >= 2 ? (data.uint16(tag) ?? null) : null;
}

/** VR "US or SS": by the pixels' sign where the file has no VRs. */
export function wordLike(data: DataSet, tag: string, index: number, signed: boolean): number | null {
  const element = data.elements[tag];
  if (element === undefined || element.length < 2 * (index + 1)) return null;
  const asSigned = element.vr === "SS" || (element.vr !== "US" && signed);
  return (asSigned ? data.int16(tag, index) : data.uint16(tag, index)) ?? null;
}

/** First item of a sequence. */
export function item(data: DataSet, tag: string, index = 0): DataSet | null {
  return data.elements[tag]?.items?.[index]?.dataSet ?? null;
}

/** Values of a lookup table: 16-bit words in the file's byte order, or bytes where it has only that many. */
export function tableValues(data: DataSet, tag: string, entries: number): number[] | null {
  const element = data.elements[tag];
  if (element === undefined) return null;
  if (element.length >= 2 * entries) return Array.from({ length: entries }, (_, i) => data.uint16(tag, i) ?? 0);
  if (element.length < entries) return null;
  return [...data.byteArray.subarray(element.dataOffset, element.dataOffset + entries)];
}
