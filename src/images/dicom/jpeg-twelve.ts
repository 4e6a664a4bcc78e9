/**
 * Sequential DCT JPEG with Huffman codes (ITU-T T.81 processes 2 and 4) for samples of 12 bits, which the JPEG library
 * does not take. Plain floating-point inverse DCT; chroma, where there is any, is repeated.
 */

interface Component {
  readonly id: number;
  readonly h: number;
  readonly v: number;
  readonly quantiser: number;
  readonly blocksAcross: number;
  /** Samples of whole blocks, `blocksAcross·8` a row. */
  readonly plane: Uint16Array;
  dc: number;
  dcTable: Huffman;
  acTable: Huffman;
}

export interface JpegFrame {
  readonly width: number;
  readonly height: number;
  readonly precision: number;
  readonly components: number;
  /** Interleaved by pixel. */
  readonly data: Uint16Array;
}

const zigzag = Uint8Array.from([
  0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
  35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
]);

/** cos((2x+1)uπ/16)·C(u)/2, at `8u + x`. */
const basis = Float64Array.from({ length: 64 }, (_, i) => {
  const [u, x] = [i >> 3, i & 7];
  return 0.5 * (u === 0 ? Math.SQRT1_2 : 1) * Math.cos(((2 * x + 1) * u * Math.PI) / 16);
});

/** Codes by length: a code of length `n` from `min[n]` to `max[n]` is value `first[n] + code − min[n]`. */
interface Huffman {
  readonly min: Int32Array;
  readonly max: Int32Array;
  readonly first: Int32Array;
  readonly values: Uint8Array;
}

/** Bits per sample of a JPEG, from its frame header, and whether its colours are declared by a JFIF or Adobe marker. */
export function jpegHead(bytes: Uint8Array): { precision: number; components: number; marked: boolean } | null {
  let marked = false;
  for (const { marker, body } of segments(bytes)) {
    if (marker === 0xe0 || marker === 0xee) marked = true;
    if (isFrame(marker)) return body.length < 6 ? null : { precision: body[0], components: body[5], marked };
  }
  return null;
}

/** @throws RangeError for a file that is damaged, or of another process. */
export function decodeTwelveBit(bytes: Uint8Array): JpegFrame {
  const quantisers: Float64Array[] = [];
  const tables: Huffman[] = [];
  let components: Component[] = [];
  let [width, height, precision, restart] = [0, 0, 0, 0];
  for (const { marker, body, next } of segments(bytes)) {
    if (marker === 0xdb) readQuantisers(body, quantisers);
    else if (marker === 0xc4) readHuffman(body, tables);
    else if (marker === 0xdd) restart = (body[0] << 8) | body[1];
    else if (marker === 0xc0 || marker === 0xc1) {
      precision = body[0];
      height = (body[1] << 8) | body[2];
      width = (body[3] << 8) | body[4];
      components = readComponents(body, width, height);
    } else if (isFrame(marker)) throw new RangeError("not a sequential JPEG");
    else if (marker === 0xda) {
      if (components.length === 0 || width === 0 || height === 0) throw new RangeError("a scan without a frame");
      readScan(body, components, tables);
      decodeScan(bytes, next, { components, quantisers, restart, width, height, precision, scanned: body[0] });
      return { width, height, precision, components: components.length, data: interleave(components, width, height) };
    }
  }
  throw new RangeError("no scan");
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

function* segments(bytes: Uint8Array): Generator<{ marker: number; body: Uint8Array; next: number }> {
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) throw new RangeError("no marker where one should be");
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      at++;
      continue;
    }
    const length = (bytes[at + 2] << 8) | bytes[at + 3];
    const next = at + 2 + length;
    if (length < 2 || next > bytes.length) throw new RangeError("a segment is cut off");
    yield { marker, body: bytes.subarray(at + 4, next), next };
    at = next;
  }
}

function readQuantisers(body: Uint8Array, out: Float64Array[]): void {
  for (let at = 0; at < body.length; ) {
    const [wide, id] = [body[at] >> 4, body[at] & 15];
    at++;
    const table = new Float64Array(64);
    for (let i = 0; i < 64; i++, at += wide + 1) table[zigzag[i]] = wide ? (body[at] << 8) | body[at + 1] : body[at];
    out[id] = table;
  }
}

function readHuffman(body: Uint8Array, out: Huffman[]): void {
  for (let at = 0; at + 17 <= body.length; ) {
    const id = body[at++];
    const counts = body.subarray(at, at + 16);
    at += 16;
    const total = counts.reduce((sum, n) => sum + n, 0);
    const table = { min: new Int32Array(17), max: new Int32Array(17).fill(-1), first: new Int32Array(17), values: body.slice(at, at + total) };
    let [next, first] = [0, 0];
    for (let n = 1; n <= 16; n++) {
      table.min[n] = next;
      table.first[n] = first;
      if (counts[n - 1] > 0) table.max[n] = next + counts[n - 1] - 1;
      next = (next + counts[n - 1]) << 1;
      first += counts[n - 1];
    }
    out[id] = table;
    at += total;
  }
}

function readComponents(body: Uint8Array, width: number, height: number): Component[] {
  const count = body[5];
  const none: Huffman = { min: new Int32Array(17), max: new Int32Array(17).fill(-1), first: new Int32Array(17), values: new Uint8Array(0) };
  const parts = Array.from({ length: count }, (_, i) => ({ id: body[6 + 3 * i], h: body[7 + 3 * i] >> 4, v: body[7 + 3 * i] & 15, quantiser: body[8 + 3 * i] }));
  if (parts.some(({ h, v }) => !(h >= 1 && h <= 4 && v >= 1 && v <= 4))) throw new RangeError("a component without a size");
  const [hMax, vMax] = [Math.max(...parts.map(({ h }) => h)), Math.max(...parts.map(({ v }) => v))];
  const [across, down] = [Math.ceil(width / (8 * hMax)), Math.ceil(height / (8 * vMax))];
  return parts.map((part) => ({
    ...part,
    blocksAcross: across * part.h,
    plane: new Uint16Array(across * part.h * down * part.v * 64),
    dc: 0,
    dcTable: none,
    acTable: none,
  }));
}

function readScan(body: Uint8Array, components: readonly Component[], tables: readonly Huffman[]): void {
  for (let i = 0; i < body[0]; i++) {
    const component = components.find(({ id }) => id === body[1 + 2 * i]);
    const [dc, ac] = [tables[body[2 + 2 * i] >> 4], tables[16 + (body[2 + 2 * i] & 15)]];
    if (!component || !dc || !ac) throw new RangeError("a scan without its tables");
    component.dcTable = dc;
    component.acTable = ac;
  }
}

interface Scan {
  readonly components: readonly Component[];
  readonly quantisers: readonly Float64Array[];
  readonly restart: number;
  readonly width: number;
  readonly height: number;
  readonly precision: number;
  readonly scanned: number;
}

function decodeScan(bytes: Uint8Array, start: number, { components, quantisers, restart, width, height, precision, scanned }: Scan): void {
  if (scanned !== components.length) throw new RangeError("its components are in several scans");
  const bits = new BitReader(bytes, start);
  const [hMax, vMax] = [Math.max(...components.map(({ h }) => h)), Math.max(...components.map(({ v }) => v))];
  // One component alone is not interleaved: its blocks are those that its own size needs.
  const single = components.length === 1;
  const across = Math.ceil(width / (8 * (single ? 1 : hMax)));
  const down = Math.ceil(height / (8 * (single ? 1 : vMax)));
  const block = new Float64Array(64);
  for (let unit = 0; unit < across * down; unit++) {
    if (restart > 0 && unit > 0 && unit % restart === 0) {
      bits.restart();
      for (const component of components) component.dc = 0;
    }
    for (const component of components) {
      const quantiser = quantisers[component.quantiser];
      if (!quantiser) throw new RangeError("no quantisation table");
      const [h, v] = single ? [1, 1] : [component.h, component.v];
      for (let part = 0; part < h * v; part++) {
        const column = (unit % across) * h + (part % h);
        const row = Math.floor(unit / across) * v + Math.floor(part / h);
        readBlock(bits, component, quantiser, block);
        writeBlock(block, component, column, row, precision);
      }
    }
  }
}

function readBlock(bits: BitReader, component: Component, quantiser: Float64Array, block: Float64Array): void {
  block.fill(0);
  component.dc += bits.signed(bits.symbol(component.dcTable));
  block[0] = component.dc * quantiser[0];
  for (let k = 1; k < 64; k++) {
    const symbol = bits.symbol(component.acTable);
    const [run, size] = [symbol >> 4, symbol & 15];
    if (size === 0) {
      if (run < 15) return;
      k += 15;
      continue;
    }
    k += run;
    if (k > 63) throw new RangeError("a block with too many coefficients");
    block[zigzag[k]] = bits.signed(size) * quantiser[zigzag[k]];
  }
}

const rows = new Float64Array(64);

function writeBlock(block: Float64Array, { plane, blocksAcross }: Component, column: number, row: number, precision: number): void {
  for (let v = 0; v < 8; v++) {
    for (let x = 0; x < 8; x++) {
      let sum = 0;
      for (let u = 0; u < 8; u++) sum += block[8 * v + u] * basis[8 * u + x];
      rows[8 * v + x] = sum;
    }
  }
  const [half, top] = [2 ** (precision - 1), 2 ** precision - 1];
  const width = blocksAcross * 8;
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      let sum = half;
      for (let v = 0; v < 8; v++) sum += rows[8 * v + x] * basis[8 * v + y];
      plane[(8 * row + y) * width + 8 * column + x] = Math.min(top, Math.max(0, Math.round(sum)));
    }
  }
}

function interleave(components: readonly Component[], width: number, height: number): Uint16Array {
  const count = components.length;
  const [hMax, vMax] = [Math.max(...components.map(({ h }) => h)), Math.max(...components.map(({ v }) => v))];
  const out = new Uint16Array(width * height * count);
  components.forEach(({ plane, blocksAcross, h, v }, c) => {
    // A single component has one sample a pixel, whatever factors it names.
    const [sx, sy] = count === 1 ? [1, 1] : [h / hMax, v / vMax];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) out[(y * width + x) * count + c] = plane[Math.floor(y * sy) * blocksAcross * 8 + Math.floor(x * sx)];
    }
  });
  return out;
}

class BitReader {
  private held = 0;
  private count = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
  ) {}

  bit(): number {
    if (this.count === 0) {
      if (this.at >= this.bytes.length) throw new RangeError("the data end early");
      this.held = this.bytes[this.at++];
      this.count = 8;
      if (this.held === 0xff) {
        if (this.bytes[this.at] !== 0) throw new RangeError("a marker inside the data");
        this.at++;
      }
    }
    return (this.held >> --this.count) & 1;
  }

  symbol(table: Huffman): number {
    let code = 0;
    for (let n = 1; n <= 16; n++) {
      code = (code << 1) | this.bit();
      if (table.max[n] >= code) return table.values[table.first[n] + code - table.min[n]];
    }
    throw new RangeError("a code that is in no table");
  }

  /** `size` bits as T.81 codes differences: those with a leading 0 are negative. */
  signed(size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 2 + this.bit();
    return size > 0 && value < 2 ** (size - 1) ? value - 2 ** size + 1 : value;
  }

  /** Drops padding bits and steps over an RSTn marker. */
  restart(): void {
    this.count = 0;
    const marker = this.bytes[this.at + 1];
    if (this.bytes[this.at] !== 0xff || !(marker >= 0xd0 && marker <= 0xd7)) throw new RangeError("a restart marker is missing");
    this.at += 2;
  }
}
