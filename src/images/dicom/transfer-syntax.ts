/** Transfer syntaxes: how the data set and its pixels are written (DICOM PS3.5, annex A; names from PS3.6). */

export type PixelCoding = "native" | "rle" | "jpeg" | "jpeg-lossless" | "jpeg-ls" | "jpeg-2000";

const known: Readonly<Record<string, readonly [name: string, coding: PixelCoding | null]>> = {
  "1.2.840.10008.1.2": ["Implicit VR Little Endian", "native"],
  "1.2.840.10008.1.2.1": ["Explicit VR Little Endian", "native"],
  "1.2.840.10008.1.2.1.98": ["Encapsulated Uncompressed Explicit VR Little Endian", null],
  "1.2.840.10008.1.2.1.99": ["Deflated Explicit VR Little Endian", "native"],
  "1.2.840.10008.1.2.2": ["Explicit VR Big Endian", "native"],
  "1.2.840.10008.1.2.5": ["RLE Lossless", "rle"],
  "1.2.840.10008.1.2.4.50": ["JPEG Baseline (Process 1)", "jpeg"],
  "1.2.840.10008.1.2.4.51": ["JPEG Extended (Process 2 and 4)", "jpeg"],
  "1.2.840.10008.1.2.4.57": ["JPEG Lossless, Non-Hierarchical (Process 14)", "jpeg-lossless"],
  "1.2.840.10008.1.2.4.70": ["JPEG Lossless, First-Order Prediction (Process 14, Selection Value 1)", "jpeg-lossless"],
  "1.2.840.10008.1.2.4.80": ["JPEG-LS Lossless", "jpeg-ls"],
  "1.2.840.10008.1.2.4.81": ["JPEG-LS Near-Lossless", "jpeg-ls"],
  "1.2.840.10008.1.2.4.90": ["JPEG 2000 Lossless", "jpeg-2000"],
  "1.2.840.10008.1.2.4.91": ["JPEG 2000", "jpeg-2000"],
  "1.2.840.10008.1.2.4.92": ["JPEG 2000 Part 2 Multi-component Lossless", null],
  "1.2.840.10008.1.2.4.93": ["JPEG 2000 Part 2 Multi-component", null],
  "1.2.840.10008.1.2.4.94": ["JPIP Referenced", null],
  "1.2.840.10008.1.2.4.95": ["JPIP Referenced Deflate", null],
  "1.2.840.10008.1.2.4.100": ["MPEG-2 Main Profile / Main Level", null],
  "1.2.840.10008.1.2.4.101": ["MPEG-2 Main Profile / High Level", null],
  "1.2.840.10008.1.2.4.102": ["MPEG-4 AVC/H.264 High Profile", null],
  "1.2.840.10008.1.2.4.103": ["MPEG-4 AVC/H.264 BD-compatible High Profile", null],
  "1.2.840.10008.1.2.4.107": ["HEVC/H.265 Main Profile", null],
  "1.2.840.10008.1.2.4.108": ["HEVC/H.265 Main 10 Profile", null],
  "1.2.840.10008.1.2.4.110": ["JPEG XL Lossless", null],
  "1.2.840.10008.1.2.4.111": ["JPEG XL JPEG Recompression", null],
  "1.2.840.10008.1.2.4.112": ["JPEG XL", null],
  "1.2.840.10008.1.2.4.201": ["High-Throughput JPEG 2000 Lossless", null],
  "1.2.840.10008.1.2.4.202": ["High-Throughput JPEG 2000 with RPCL Lossless", null],
  "1.2.840.10008.1.2.4.203": ["High-Throughput JPEG 2000", null],
};

export interface TransferSyntax {
  readonly uid: string;
  readonly name: string;
  /** `null`: known or not, its pixels cannot be decoded here. */
  readonly coding: PixelCoding | null;
}

/** @param uid as the file has it; a text that is no UID is not repeated. */
export function transferSyntax(uid: string): TransferSyntax {
  const clean = /^[0-9.]{1,64}$/.test(uid) ? uid : "not a UID";
  const [name, coding] = known[clean] ?? ["unknown", null];
  return { uid: clean, name, coding };
}

/** What a user can do about a file in a syntax that is not read. */
export function syntaxWayOut(syntax: TransferSyntax): string {
  if (/MPEG|HEVC/.test(syntax.name)) return "It is a video: extract its frames (for example with ffmpeg) and import them as images.";
  return "Convert it to Explicit VR Little Endian first, for example with gdcmconv --raw or dcmdjpeg, and import that copy.";
}
