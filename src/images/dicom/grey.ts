/** Stored values → modality values → 8-bit grey (DICOM PS3.3 C.11.1, C.11.2; C.7.6.3.1.2 for MONOCHROME1). */
import { code, decimal, item, wordLike, type DataSet } from "./data-set.js";
import { groupOf, readLookup, type LookupTable, type PixelLayout, type VoiFunction, type Window } from "./header.js";

/** Which part of the values is shown: the file's own window, all that occur, all that can occur, or a window given. */
export type WindowChoice = "header" | "minmax" | "full" | { readonly centre: number; readonly width: number };

export interface GreyTransform {
  readonly slope: number;
  readonly intercept: number;
  readonly modalityTable: LookupTable | null;
  readonly voiTable: LookupTable | null;
  readonly window: Window | null;
  /** Stored values of "no picture here", from … to. */
  readonly padding: readonly [number, number] | null;
  readonly inverted: boolean;
}

/** Table before window where a file has both, the first of several; a frame's own before the file's. */
export function readGreyTransform(data: DataSet, layout: PixelLayout, frame: number): GreyTransform {
  const values = groupOf(data, frame, "x00289145") ?? data;
  const voi = groupOf(data, frame, "x00289132") ?? data;
  const modalityTable = readLookup(item(data, "x00283000"), layout.signed);
  const intercept = decimal(values, "x00281052") ?? 0;
  const centre = decimal(voi, "x00281050");
  const width = decimal(voi, "x00281051");
  const from = wordLike(data, "x00280120", 0, layout.signed);
  const to = wordLike(data, "x00280121", 0, layout.signed) ?? from;
  return {
    slope: decimal(values, "x00281053") ?? 1,
    intercept,
    modalityTable,
    voiTable: readLookup(item(voi, "x00283010"), layout.signed || intercept < 0),
    window: centre === null || width === null || width <= 0 ? null : { centre, width, shape: readShape(voi) },
    padding: from === null || to === null ? null : [Math.min(from, to), Math.max(from, to)],
    inverted: layout.photometric === "MONOCHROME1",
  };
}

function readShape(voi: DataSet): VoiFunction {
  const name = code(voi, "x00281056");
  return name === "SIGMOID" || name === "LINEAR_EXACT" ? name : "LINEAR";
}

/** One byte for each value. Padding is black. */
export function renderGrey(values: Int32Array | Float64Array, transform: GreyTransform, layout: PixelLayout, choice: WindowChoice): Uint8Array {
  const { padding } = transform;
  const isPadding = (v: number): boolean => padding !== null && v >= padding[0] && v <= padding[1];
  const [low, high] = rangeOf(values, isPadding);
  const show = displayOf(transform, layout, choice, low, high);
  const grey = (v: number): number => {
    if (isPadding(v)) return 0;
    const share = Math.min(1, Math.max(0, show(modalityValue(v, transform))));
    return Math.floor((transform.inverted ? 1 - share : share) * 255 + 0.5);
  };
  const out = new Uint8Array(values.length);
  const [first, last] = extremes(values);
  if (last - first < 1 << 17) {
    const table = Uint8Array.from({ length: last - first + 1 }, (_, i) => grey(first + i));
    for (let i = 0; i < values.length; i++) out[i] = table[values[i] - first];
  } else for (let i = 0; i < values.length; i++) out[i] = grey(values[i]);
  return out;
}

export function modalityValue(stored: number, { slope, intercept, modalityTable }: GreyTransform): number {
  return modalityTable ? lookUp(modalityTable, stored) : stored * slope + intercept;
}

/** Modality value → 0 … 1, not yet clamped. `low`, `high`: the stored values that occur. */
function displayOf(transform: GreyTransform, layout: PixelLayout, choice: WindowChoice, low: number, high: number): (value: number) => number {
  const between = (a: number, b: number) => {
    const [x, y] = [modalityValue(a, transform), modalityValue(b, transform)];
    const [from, to] = [Math.min(x, y), Math.max(x, y)];
    return (value: number) => (to > from ? (value - from) / (to - from) : value - from);
  };
  const full: [number, number] = layout.signed ? [-(2 ** (layout.bitsStored - 1)), 2 ** (layout.bitsStored - 1) - 1] : [0, 2 ** layout.bitsStored - 1];
  if (typeof choice === "object") return windowed({ ...choice, shape: "LINEAR" });
  if (choice === "full") return between(...full);
  if (choice === "header") {
    const { voiTable, window, modalityTable, slope, intercept } = transform;
    if (voiTable) return (value) => lookUp(voiTable, Math.trunc(value)) / (2 ** voiTable.bits - 1);
    if (window) return windowed(window);
    // Eight plain bits (or one) are made to be shown as they are.
    const plain = layout.bitsStored <= 8 && !layout.signed && modalityTable === null && slope === 1 && intercept === 0;
    if (plain) return between(...full);
  }
  return between(low, high);
}

/** PS3.3 C.11.2.1.2 and C.11.2.1.3, on 0 … 1. */
function windowed({ centre: c, width: w, shape }: Window): (value: number) => number {
  if (shape === "SIGMOID") return (x) => 1 / (1 + Math.exp((-4 * (x - c)) / w));
  if (shape === "LINEAR_EXACT") return (x) => (x <= c - w / 2 ? 0 : x > c + w / 2 ? 1 : (x - c) / w + 0.5);
  return (x) => (x <= c - 0.5 - (w - 1) / 2 ? 0 : x > c - 0.5 + (w - 1) / 2 ? 1 : (x - (c - 0.5)) / (w - 1) + 0.5);
}

function lookUp({ first, values }: LookupTable, x: number): number {
  return values[Math.min(values.length - 1, Math.max(0, x - first))];
}

/** Least and greatest value that is no padding; all of them where there is nothing else. */
function rangeOf(values: Int32Array | Float64Array, isPadding: (v: number) => boolean): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) {
    if (isPadding(v)) continue;
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low <= high ? [low, high] : extremes(values);
}

function extremes(values: Int32Array | Float64Array): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return [low, high];
}
