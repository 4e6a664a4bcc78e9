import { UserError } from "../../util/errors.js";
import { code, codes, decimal, item, tableValues, unsigned, wordLike, type DataSet } from "./data-set.js";
import { transferSyntax, type TransferSyntax } from "./transfer-syntax.js";

/**
 * Everything of a DICOM file that leaves the reader beside its pixels: an allow-list of technical attributes. Names,
 * numbers, dates, places, descriptions, comments, UIDs of instances and private elements are never read.
 */
export interface DicomAttributes {
  readonly modality: string | null;
  readonly bodyPart: string | null;
  readonly laterality: string | null;
  readonly viewPosition: string | null;
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  readonly samplesPerPixel: number;
  readonly bitsStored: number;
  readonly photometric: string;
  /** Name, as in DICOM PS3.6. */
  readonly transferSyntax: string;
  /** Millimetres between rows and between columns. */
  readonly pixelSpacing: readonly [number, number] | null;
  /** Is there text in the picture? `unlikely`: the file does not say, and its kind of picture seldom has any. */
  readonly burnedIn: "yes" | "no" | "likely" | "unlikely";
}

/** What decoding needs. Stays inside the reader. */
export interface PixelLayout {
  readonly syntax: TransferSyntax;
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  readonly samples: number;
  readonly planar: boolean;
  readonly photometric: string;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly signed: boolean;
  readonly bigEndian: boolean;
}

/** A lookup table: `values[clamp(x − first)]`, each of `bits` bits. */
export interface LookupTable {
  readonly first: number;
  readonly bits: number;
  readonly values: readonly number[];
}

export type VoiFunction = "LINEAR" | "LINEAR_EXACT" | "SIGMOID";

export interface Window {
  readonly centre: number;
  readonly width: number;
  readonly shape: VoiFunction;
}

/** @throws UserError for a file whose pixels cannot be laid out; `place` names it. */
export function readLayout(data: DataSet, place: string): PixelLayout {
  const syntax = transferSyntax(data.string("x00020010") ?? "");
  const need = (tag: string, name: string): number => {
    const value = unsigned(data, tag);
    if (value === null) throw new UserError(`${place} has no ${name}, which an image must have. It is damaged or no image: leave it out, or export it again.`);
    return value;
  };
  const rows = need("x00280010", "Rows");
  const columns = need("x00280011", "Columns");
  const samples = unsigned(data, "x00280002") ?? 1;
  const bitsAllocated = need("x00280100", "BitsAllocated");
  const bitsStored = unsigned(data, "x00280101") ?? bitsAllocated;
  const highBit = unsigned(data, "x00280102") ?? bitsStored - 1;
  const frames = decimal(data, "x00280008") ?? 1;
  if (rows < 1 || columns < 1) throw new UserError(`${place} says that it has ${rows} rows and ${columns} columns. It is damaged: leave it out, or export it again.`);
  if (!Number.isInteger(frames) || frames < 1) throw new UserError(`${place} says that it has ${frames} frames. It is damaged: leave it out, or export it again.`);
  if (samples !== 1 && samples !== 3) throw new UserError(`${place} has ${samples} samples a pixel; 1 or 3 are read. Convert it to PNG and import that.`);
  if (![1, 8, 16, 32].includes(bitsAllocated) || bitsStored < 1 || bitsStored > bitsAllocated || highBit >= bitsAllocated || highBit < bitsStored - 1) {
    throw new UserError(`${place} stores ${bitsStored} bits (high bit ${highBit}) in ${bitsAllocated}; 1, 8, 16 or 32 bits with the stored ones inside are read. Convert it to PNG and import that.`);
  }
  return {
    syntax,
    rows,
    columns,
    frames,
    samples,
    planar: samples === 3 && unsigned(data, "x00280006") === 1,
    photometric: code(data, "x00280004") ?? (samples === 3 ? "RGB" : "MONOCHROME2"),
    bitsAllocated,
    bitsStored,
    highBit,
    signed: unsigned(data, "x00280103") === 1,
    bigEndian: syntax.uid === "1.2.840.10008.1.2.2",
  };
}

export function readAttributes(data: DataSet, layout: PixelLayout): DicomAttributes {
  const [between, along] = [decimal(data, "x00280030", 0), decimal(data, "x00280030", 1)];
  return {
    modality: code(data, "x00080060"),
    bodyPart: code(data, "x00180015"),
    laterality: code(data, "x00200062") ?? code(data, "x00200060"),
    viewPosition: code(data, "x00185101"),
    rows: layout.rows,
    columns: layout.columns,
    frames: layout.frames,
    samplesPerPixel: layout.samples,
    bitsStored: layout.bitsStored,
    photometric: layout.photometric,
    transferSyntax: layout.syntax.name,
    pixelSpacing: between === null || along === null ? null : [between, along],
    burnedIn: burnedIn(data),
  };
}

/** Secondary captures, ultrasound, endoscopy, photographs, screenshots and scanned film commonly have text in the picture. */
const captureClasses = /^1\.2\.840\.10008\.5\.1\.4\.1\.1\.(7(\.|$)|6\.|3\.|77\.1\.1|77\.1\.2|77\.1\.4)/;
const captureModalities = new Set(["US", "IVUS", "SC", "OT", "ES", "XC", "GM", "BDUS", "HC", "DOC"]);

function burnedIn(data: DataSet): DicomAttributes["burnedIn"] {
  const said = code(data, "x00280301");
  if (said === "YES") return "yes";
  const screen = codes(data, "x00080008").some((value) => /SCREEN|CAPTURE/.test(value));
  if (said === "NO") return screen ? "likely" : "no";
  const capture = screen || captureModalities.has(code(data, "x00080060") ?? "") || captureClasses.test(data.string("x00080016") ?? "");
  // (0008,0064) ConversionType stands in secondary captures.
  return capture || code(data, "x00080064") !== null ? "likely" : "unlikely";
}

/** A lookup table's sequence item: descriptor (entries, first value, bits) and data. */
export function readLookup(table: DataSet | null, signed: boolean): LookupTable | null {
  return table === null ? null : readTable(table, "x00283002", "x00283006", signed);
}

/** Palette of one colour. */
export function readTable(data: DataSet, descriptor: string, values: string, signed: boolean): LookupTable | null {
  const count = data.elements[descriptor] && data.uint16(descriptor, 0);
  const first = wordLike(data, descriptor, 1, signed);
  const bits = data.elements[descriptor] && data.uint16(descriptor, 2);
  if (count === undefined || first === null || bits === undefined || bits < 1 || bits > 16) return null;
  const found = tableValues(data, values, count === 0 ? 65536 : count);
  return found && { first, bits, values: found };
}

/** The item that holds `tag` for a frame: its own functional group, the shared one, or the file itself. */
export function groupOf(data: DataSet, frame: number, tag: string): DataSet | null {
  for (const group of [item(data, "x52009230", frame), item(data, "x52009229")]) {
    const found = group && item(group, tag);
    if (found) return found;
  }
  return null;
}
