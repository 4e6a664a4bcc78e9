import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { endianness } from "node:os";
import { basename, dirname, join } from "node:path";
import { writeFileAtomic } from "../util/atomic-file.js";
import { messageOf, UserError } from "../util/errors.js";
import { isRecord, readJsonObject } from "../util/json-file.js";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./half.js";

/** Row-major values; `data.length` is the product of `shape`. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export type FloatFormat = "F32" | "F16" | "BF16";

interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const BYTES: Readonly<Record<string, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U8: 1, BOOL: 1 };
/** The format's own limit; a longer header means that this is not such a file. */
const MAX_HEADER = 100_000_000;
/** Node refuses single reads and writes of 2 GiB and more. */
const PIECE = 1 << 28;
const AGAIN = "copy or download the file again, or use another checkpoint";

/** Product of the dimensions (1 for a scalar). */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/**
 * All tensors of one .safetensors file as fp32. Integers are converted too (exact below 2²⁴, else an error).
 * @throws UserError for a missing, truncated or altered file: names the file, the place and the way out.
 */
export function readSafetensors(path: string): Map<string, Tensor> {
  if (endianness() !== "LE") throw new UserError("Reading safetensors needs a little-endian machine; this one is big-endian.");
  const fd = openExisting(path);
  try {
    const { entries, dataStart } = readHeader(path, fd);
    const tensors = new Map<string, Tensor>();
    for (const entry of entries) {
      const bytes = readFully(path, fd, dataStart + entry.begin, entry.end - entry.begin);
      tensors.set(entry.name, { shape: entry.shape, data: toFloat32(path, entry, bytes) });
    }
    return tensors;
  } finally {
    closeSync(fd);
  }
}

/** The `__metadata__` strings of a file; empty where it has none. */
export function readSafetensorsMetadata(path: string): Record<string, string> {
  const fd = openExisting(path);
  try {
    return readHeader(path, fd).metadata;
  } finally {
    closeSync(fd);
  }
}

/**
 * The tensors of `dir`: model.safetensors, or all shards that model.safetensors.index.json names.
 * @throws UserError where there is neither, a shard is missing, or a tensor is not in the shard that the index names.
 */
export function readCheckpoint(dir: string, stem = "model"): Map<string, Tensor> {
  const single = join(dir, `${stem}.safetensors`);
  if (existsSync(single)) return readSafetensors(single);
  const indexPath = join(dir, `${stem}.safetensors.index.json`);
  if (!existsSync(indexPath)) {
    throw new UserError(`No weights in ${dir}: neither ${stem}.safetensors nor ${stem}.safetensors.index.json is there. Give the folder of a checkpoint saved in the safetensors format.`);
  }
  const weightMap = readWeightMap(indexPath);
  const shards = new Map<string, Map<string, Tensor>>();
  const tensors = new Map<string, Tensor>();
  for (const [name, file] of weightMap) {
    // A shard lies beside its index: a name with folders in it would read files of somebody else's.
    if (basename(file) !== file) throw new UserError(`${indexPath}: weight_map["${name}"] is "${file}", not a file name; ${AGAIN}.`);
    let shard = shards.get(file);
    if (!shard) shards.set(file, (shard = readSafetensors(join(dirname(indexPath), file))));
    const tensor = shard.get(name);
    if (!tensor) throw new UserError(`${join(dir, file)} has no tensor "${name}", which ${basename(indexPath)} places there; ${AGAIN}.`);
    tensors.set(name, tensor);
  }
  return tensors;
}

/**
 * Writes a whole file or nothing. Tensors are laid in the order of their names.
 * @throws UserError when the disk is full or the folder cannot be written.
 */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  { format = "F32", metadata = { format: "pt" } }: { format?: FloatFormat; metadata?: Readonly<Record<string, string>> } = {},
): void {
  const header: Record<string, unknown> = { __metadata__: metadata };
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (const name of [...tensors.keys()].sort()) {
    const tensor = tensors.get(name);
    if (!tensor) continue;
    if (sizeOf(tensor.shape) !== tensor.data.length) {
      throw new RangeError(`tensor ${name}: ${tensor.data.length} values for shape [${tensor.shape.join(", ")}]`);
    }
    const bytes = encode(tensor.data, format);
    header[name] = { dtype: format, shape: tensor.shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
    for (let i = 0; i < bytes.length; i += PIECE) chunks.push(bytes.subarray(i, i + PIECE));
  }
  let text = JSON.stringify(header);
  text += " ".repeat((8 - (Buffer.byteLength(text) % 8)) % 8);
  const headerBytes = Buffer.from(text, "utf8");
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(headerBytes.length));
  writeFileAtomic(path, [length, headerBytes, ...chunks]);
}

function encode(data: Float32Array, format: FloatFormat): Uint8Array {
  const values = format === "F32" ? data : format === "F16" ? float32ToFloat16(data) : float32ToBfloat16(data);
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function openExisting(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw new UserError(`Cannot open ${path}: ${messageOf(error)}. Check the path.`);
  }
}

function readFully(path: string, fd: number, position: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const n = readSync(fd, bytes, at, Math.min(PIECE, length - at), position + at);
    if (n === 0) throw new UserError(`${path} is truncated: it ends at byte ${position + at}, ${position + length} are needed; ${AGAIN}.`);
    at += n;
  }
  return bytes;
}

function readHeader(path: string, fd: number): { entries: Entry[]; dataStart: number; metadata: Record<string, string> } {
  const fileSize = fstatSync(fd).size;
  const bad = (what: string): UserError => new UserError(`${path} is not a sound safetensors file: ${what}; ${AGAIN}.`);
  if (fileSize < 8) throw bad(`it has ${fileSize} bytes, the header's length alone takes 8`);
  const length = Number(Buffer.from(readFully(path, fd, 0, 8)).readBigUInt64LE());
  if (length > MAX_HEADER || length < 2) throw bad(`its first 8 bytes give a header of ${length} bytes`);
  if (8 + length > fileSize) throw bad(`the header takes ${length} bytes, the file has ${fileSize}`);
  const dataStart = 8 + length;
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(readFully(path, fd, 8, length)));
  } catch (error) {
    throw bad(`its header is not JSON (${messageOf(error)})`);
  }
  if (!isRecord(parsed)) throw bad("its header is not a JSON object");
  const { __metadata__: meta, ...rest } = parsed;
  const entries = Object.entries(rest)
    .map(([name, value]) => toEntry(name, value, bad))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const entry of entries) {
    if (entry.begin !== at) throw bad(`tensor "${entry.name}" begins at byte ${entry.begin} of the data where ${at} is due`);
    at = entry.end;
  }
  if (dataStart + at > fileSize) throw new UserError(`${path} is truncated: its header describes ${dataStart + at} bytes, the file has ${fileSize}; ${AGAIN}.`);
  if (dataStart + at < fileSize) throw bad(`${fileSize - dataStart - at} bytes at its end belong to no tensor`);
  const metadata: Record<string, string> = {};
  if (isRecord(meta)) for (const [key, value] of Object.entries(meta)) if (typeof value === "string") metadata[key] = value;
  return { entries, dataStart, metadata };
}

function toEntry(name: string, value: unknown, bad: (what: string) => UserError): Entry {
  if (!isRecord(value)) throw bad(`the entry of tensor "${name}" is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !(dtype in BYTES)) throw bad(`tensor "${name}" has the type ${JSON.stringify(dtype)}, known are ${Object.keys(BYTES).join(", ")}`);
  if (!isSizes(shape)) throw bad(`tensor "${name}" has the shape ${JSON.stringify(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) throw bad(`tensor "${name}" has the data_offsets ${JSON.stringify(offsets)}`);
  const [begin, end] = offsets;
  const due = sizeOf(shape) * BYTES[dtype];
  if (end - begin !== due) throw bad(`tensor "${name}" (${dtype}, shape [${shape.join(", ")}]) needs ${due} bytes, its data_offsets give ${end - begin}`);
  return { name, dtype, shape, begin, end };
}

function toFloat32(path: string, entry: Entry, bytes: Uint8Array<ArrayBuffer>): Float32Array {
  const { buffer } = bytes;
  switch (entry.dtype) {
    case "F32":
      return new Float32Array(buffer);
    case "F16":
      return float16ToFloat32(new Uint16Array(buffer));
    case "BF16":
      return bfloat16ToFloat32(new Uint16Array(buffer));
    case "F64":
      return Float32Array.from(new Float64Array(buffer));
    case "I64":
      return integers(path, entry, Float64Array.from(new BigInt64Array(buffer), Number));
    case "I32":
      return integers(path, entry, new Int32Array(buffer));
    case "I16":
      return integers(path, entry, new Int16Array(buffer));
    case "I8":
      return integers(path, entry, new Int8Array(buffer));
    default:
      return integers(path, entry, bytes);
  }
}

function integers(path: string, entry: Entry, values: ArrayLike<number>): Float32Array {
  const out = Float32Array.from(values);
  for (let i = 0; i < out.length; i++) {
    if (out[i] !== values[i]) throw new UserError(`${path}: tensor "${entry.name}" (${entry.dtype}) holds ${values[i]}, which has no exact 32-bit float; it cannot be a weight of this model.`);
  }
  return out;
}

function readWeightMap(indexPath: string): [string, string][] {
  const map = readJsonObject(indexPath, "Copy or download the file again, or use another checkpoint.").weight_map;
  if (!isRecord(map)) throw new UserError(`${indexPath} has no "weight_map" object; ${AGAIN}.`);
  return Object.entries(map).map(([name, file]) => {
    if (typeof file !== "string") throw new UserError(`${indexPath}: weight_map["${name}"] is not a file name; ${AGAIN}.`);
    return [name, file];
  });
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}
