import dicomParser from "dicom-parser";
import { UserError } from "../../util/errors.js";
import { decodeJpeg, decodeJpeg2000, decodeJpegLossless, decodeJpegLs, type Decoded } from "./codecs.js";
import type { DataSet, Element } from "./data-set.js";
import type { PixelLayout } from "./header.js";
import { decodeRle } from "./rle.js";
import { syntaxWayOut } from "./transfer-syntax.js";

/** Stored values of one frame: rows·columns·samples, interleaved by pixel, sign applied. */
export interface Frame {
  readonly values: Int32Array | Float64Array;
  /** As decoded; codecs may have changed it from the header's. */
  readonly photometric: string;
}

/** @throws UserError naming `place`, the frame and the transfer syntax. */
export async function decodeFrame(data: DataSet, layout: PixelLayout, frame: number, place: string): Promise<Frame> {
  const { syntax } = layout;
  const pixels = data.elements.x7fe00010;
  if (pixels === undefined) {
    const float = data.elements.x7fe00008 !== undefined || data.elements.x7fe00009 !== undefined;
    throw new UserError(`${place} holds no pixels${float ? " but a map of floating-point numbers, which is not read" : ""}. It may be a report, a plan or an index: leave it out.`);
  }
  if (syntax.coding === null) {
    throw new UserError(`${place}: its pixels are in the transfer syntax ${syntax.name} (${syntax.uid}), which is not read. ${syntaxWayOut(syntax)}`);
  }
  if (syntax.coding === "native") return { values: nativeFrame(data, layout, frame, pixels, place), photometric: layout.photometric === "YBR_FULL_422" ? "YBR_FULL" : layout.photometric };
  const broken = (why: string) =>
    new UserError(`${place}: frame ${frame + 1} of ${layout.frames} cannot be decoded from the transfer syntax ${syntax.name} (${syntax.uid}): ${why}. The file is damaged, or not what it says: copy it again, or convert it to Explicit VR Little Endian.`);
  const bytes = encapsulated(data, layout, frame, pixels);
  if (bytes === null) throw broken("the frame is not there");
  let decoded: Decoded;
  try {
    decoded = await decodeCoded(bytes, layout);
  } catch (error) {
    // A codec's own message is a number or speaks of its memory; a RangeError is ours.
    throw broken(error instanceof RangeError && !error.message.includes("memory") ? error.message : "the codec refuses it");
  }
  if (decoded.width !== layout.columns || decoded.height !== layout.rows || decoded.components !== layout.samples) {
    throw broken(`it has ${decoded.width}×${decoded.height} pixels of ${decoded.components} samples, and the header says ${layout.columns}×${layout.rows} of ${layout.samples}`);
  }
  const shift = syntax.coding === "rle" ? layout.highBit - layout.bitsStored + 1 : 0;
  const stored = Math.min(layout.bitsStored, decoded.bytesPerSample * 8);
  return {
    values: unpackValues(decoded.data, layout.rows * layout.columns * layout.samples, { bytes: decoded.bytesPerSample, stored, shift, signed: layout.signed, bigEndian: false }),
    photometric: decoded.photometric ?? layout.photometric,
  };
}

async function decodeCoded(bytes: Uint8Array, layout: PixelLayout): Promise<Decoded> {
  const { coding } = layout.syntax;
  if (coding === "jpeg") return decodeJpeg(bytes, layout.photometric);
  if (coding === "jpeg-ls") return decodeJpegLs(bytes);
  if (coding === "jpeg-2000") return decodeJpeg2000(bytes, layout.photometric);
  if (coding === "jpeg-lossless") return decodeJpegLossless(bytes);
  const bytesPerSample = layout.bitsAllocated / 8;
  const data = decodeRle(bytes, layout.rows * layout.columns, layout.samples, bytesPerSample);
  if (data === null) throw new RangeError("its run lengths are cut off");
  return { width: layout.columns, height: layout.rows, components: layout.samples, bytesPerSample, data };
}

/** Bytes of an encapsulated frame; by the offset table, one fragment a frame, or the starts of JPEG streams. */
function encapsulated(data: DataSet, layout: PixelLayout, frame: number, pixels: Element): Uint8Array | null {
  const { fragments, basicOffsetTable: table } = pixels;
  if (fragments === undefined || fragments.length === 0 || frame >= layout.frames) return null;
  try {
    const all = (from: number, count: number) => Uint8Array.from(dicomParser.readEncapsulatedPixelDataFromFragments(data, pixels, from, count));
    if (layout.frames === 1) return all(0, fragments.length);
    if (fragments.length === layout.frames) return all(frame, 1);
    if (table !== undefined && table.length === layout.frames) return Uint8Array.from(dicomParser.readEncapsulatedImageFrame(data, pixels, frame));
    const made = dicomParser.createJPEGBasicOffsetTable(data, pixels);
    return made.length === layout.frames ? Uint8Array.from(dicomParser.readEncapsulatedImageFrame(data, pixels, frame, made)) : null;
  } catch {
    return null;
  }
}

function nativeFrame(data: DataSet, layout: PixelLayout, frame: number, pixels: Element, place: string): Int32Array | Float64Array {
  const { rows, columns, samples, bitsAllocated, photometric } = layout;
  const subsampled = photometric === "YBR_FULL_422" && samples === 3;
  const count = rows * columns * samples;
  const bitCount = rows * columns * (subsampled ? 2 : samples) * bitsAllocated;
  const [from, to] = [(bitCount * frame) / 8, (bitCount * (frame + 1)) / 8];
  if (Math.ceil(to) > pixels.length || pixels.dataOffset + Math.ceil(to) > data.byteArray.length) {
    throw new UserError(`${place}: frame ${frame + 1} of ${layout.frames} is cut off: the file has ${Math.min(pixels.length, data.byteArray.length - pixels.dataOffset)} bytes of pixels, and ${Math.ceil(to)} are needed (${layout.syntax.name}). Copy it again.`);
  }
  const bytes = data.byteArray.subarray(pixels.dataOffset, pixels.dataOffset + pixels.length);
  if (bitsAllocated === 1) return Int32Array.from({ length: count }, (_, i) => (bytes[(from * 8 + i) >> 3] >> ((from * 8 + i) & 7)) & 1);
  const how = { bytes: bitsAllocated / 8, stored: layout.bitsStored, shift: layout.highBit - layout.bitsStored + 1, signed: layout.signed, bigEndian: layout.bigEndian };
  const values = unpackValues(bytes.subarray(from, to), subsampled ? rows * columns * 2 : count, how);
  if (subsampled) return repeatChroma(values, rows * columns);
  return layout.planar ? byPixel(values, rows * columns) : values;
}

interface Packing {
  readonly bytes: number;
  /** Bits that count, `shift` above the lowest. */
  readonly stored: number;
  readonly shift: number;
  readonly signed: boolean;
  readonly bigEndian: boolean;
}

function unpackValues(bytes: Uint8Array, count: number, { bytes: size, stored, shift, signed, bigEndian }: Packing): Int32Array | Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // 32 unsigned bits pass Int32Array's range.
  const out = size === 4 && !signed ? new Float64Array(count) : new Int32Array(count);
  const top = 32 - stored;
  for (let i = 0; i < count; i++) {
    const word = size === 1 ? view.getUint8(i) : size === 2 ? view.getUint16(2 * i, !bigEndian) : view.getUint32(4 * i, !bigEndian);
    const shifted = (word >>> shift) << top;
    out[i] = signed ? shifted >> top : shifted >>> top;
  }
  return out;
}

/** `[3, pixels]` → `[pixels, 3]`. */
function byPixel(values: Int32Array | Float64Array, pixels: number): Int32Array {
  const out = new Int32Array(values.length);
  for (let c = 0; c < 3; c++) for (let i = 0; i < pixels; i++) out[3 * i + c] = values[c * pixels + i];
  return out;
}

/** Y1 Y2 Cb Cr → two pixels with the same chroma. */
function repeatChroma(values: Int32Array | Float64Array, pixels: number): Int32Array {
  const out = new Int32Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    const pair = 4 * (i >> 1);
    out[3 * i] = values[pair + (i & 1)];
    out[3 * i + 1] = values[pair + 2];
    out[3 * i + 2] = values[pair + 3];
  }
  return out;
}
