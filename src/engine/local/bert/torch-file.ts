/**
 * Tensors of a PyTorch file (pytorch_model.bin), which many older checkpoints on the hub have instead of safetensors:
 * the zip layout since PyTorch 1.6 and the one before. Nothing in the file is executed.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { float16ToFloat32, bfloat16ToFloat32 } from "../../../checkpoints/half.js";
import { sizeOf, type Tensor } from "../../../checkpoints/safetensors.js";
import { messageOf, UserError } from "../../../util/errors.js";
import { TensorRef, Unpickler, type StorageRef } from "./pickle.js";

/** Node refuses single reads of 2 GiB and more. */
const PIECE = 1 << 28;
/** Larger pickles describe no state dict: the numbers lie outside of it. */
const MAX_PICKLE = 1 << 28;

/** Bytes of `length` from `at` on. */
type ReadAt = (at: number, length: number) => Buffer<ArrayBuffer>;

/**
 * The floating-point tensors that `wanted` accepts, as fp32; integers (position ids) are left out.
 * @throws UserError for a damaged file, and for one that would call code when Python loads it.
 */
export function readTorchFile(path: string, wanted: (name: string) => boolean = () => true): Map<string, Tensor> {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw new UserError(`Cannot open ${path}: ${messageOf(error)}. Check the path.`);
  }
  try {
    const { size } = fstatSync(fd);
    const read: ReadAt = (at, length) => {
      if (at < 0 || length < 0 || at + length > size) throw damaged(path, `it has ${size} bytes, ${at + length} are needed`);
      const bytes = Buffer.from(new ArrayBuffer(length));
      for (let done = 0; done < length; ) {
        const n = readSync(fd, bytes, done, Math.min(PIECE, length - done), at + done);
        if (n === 0) throw damaged(path, "it ends too early");
        done += n;
      }
      return bytes;
    };
    const zipped = size >= 4 && read(0, 4).readUInt32LE() === 0x04034b50;
    const { value, locate } = zipped ? openZip(path, size, read) : openLegacy(path, size, read);
    return collect(path, value, wanted, (storage) => read(locate(storage), storage.length * widthOf(path, storage)));
  } catch (error) {
    // An offset that a broken file gives can lie outside of any buffer.
    if (error instanceof RangeError) throw damaged(path, error.message);
    throw error;
  } finally {
    closeSync(fd);
  }
}

interface Opened {
  readonly value: unknown;
  /** Where a storage's bytes begin. */
  readonly locate: (storage: StorageRef) => number;
}

function openZip(path: string, size: number, read: ReadAt): Opened {
  const entries = zipEntries(path, size, read);
  const main = [...entries.keys()].find((name) => name.endsWith("/data.pkl") || name === "data.pkl");
  if (main === undefined) throw damaged(path, "it is a zip file without data.pkl");
  const root = main.slice(0, -"data.pkl".length);
  const order = entries.get(`${root}byteorder`);
  if (order && read(order.at, order.length).toString("latin1") !== "little") throw new UserError(`${path} was written on a big-endian machine; save it again as safetensors`);
  const pickle = entries.get(main);
  if (pickle === undefined || pickle.length > MAX_PICKLE) throw damaged(path, "its data.pkl is too long");
  return {
    value: new Unpickler(read(pickle.at, pickle.length), path).load(),
    locate: ({ key, type }) => {
      const entry = entries.get(`${root}data/${key}`);
      if (entry === undefined) throw damaged(path, `storage ${key} (${type}) is missing`);
      return entry.at;
    },
  };
}

interface ZipEntry {
  readonly at: number;
  readonly length: number;
}

/** Names and places of the files in the archive; PyTorch stores them uncompressed. */
function zipEntries(path: string, size: number, read: ReadAt): Map<string, ZipEntry> {
  const tail = read(Math.max(0, size - 65_557), Math.min(size, 65_557));
  const end = tail.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  if (end < 0) throw damaged(path, "its table of contents is missing");
  let count = tail.readUInt16LE(end + 10);
  let at = tail.readUInt32LE(end + 16);
  const wide = end >= 20 ? tail.subarray(end - 20, end) : null;
  if (wide?.readUInt32LE() === 0x07064b50) {
    const record = read(Number(wide.readBigUInt64LE(8)), 56);
    count = Number(record.readBigUInt64LE(32));
    at = Number(record.readBigUInt64LE(48));
  }
  const entries = new Map<string, ZipEntry>();
  for (let i = 0; i < count; i++) {
    const head = read(at, 46);
    if (head.readUInt32LE() !== 0x02014b50) throw damaged(path, "its table of contents is broken");
    const nameLength = head.readUInt16LE(28);
    const extraLength = head.readUInt16LE(30);
    const rest = read(at + 46, nameLength + extraLength);
    const name = rest.toString("utf8", 0, nameLength);
    const sizes = { packed: head.readUInt32LE(20), length: head.readUInt32LE(24), at: head.readUInt32LE(42) };
    widen(sizes, rest.subarray(nameLength));
    if (head.readUInt16LE(10) !== 0 || sizes.packed !== sizes.length) throw damaged(path, `${name} is compressed, which PyTorch does not do`);
    const local = read(sizes.at, 30);
    entries.set(name, { at: sizes.at + 30 + local.readUInt16LE(26) + local.readUInt16LE(28), length: sizes.length });
    at += 46 + nameLength + extraLength + head.readUInt16LE(32);
  }
  return entries;
}

/** Fills in the 64-bit sizes of the zip64 extra field where the 32-bit ones are full. */
function widen(sizes: { packed: number; length: number; at: number }, extra: Buffer): void {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let field = at + 4;
    for (const key of ["length", "packed", "at"] as const) {
      if (sizes[key] !== 0xffffffff) continue;
      sizes[key] = Number(extra.readBigUInt64LE(field));
      field += 8;
    }
  }
}

/** Before PyTorch 1.6: five pickles (magic number, version, system, state, storage keys), then the storages in order. */
function openLegacy(path: string, size: number, read: ReadAt): Opened {
  // The pickles are small; the numbers behind them are read one storage at a time.
  const pickles = new Unpickler(read(0, Math.min(size, MAX_PICKLE)), path);
  const magic = pickles.load();
  if (magic !== Number(0x1950a86a20f9469cfc6cn)) throw damaged(path, "it does not begin as one");
  pickles.load();
  pickles.load();
  const value = pickles.load();
  const keys = pickles.load();
  if (!Array.isArray(keys)) throw damaged(path, "its list of storages is missing");
  const storages = new Map<string, StorageRef>();
  for (const { storage } of tensorsOf(path, value).values()) storages.set(storage.key, storage);
  const places = new Map<string, number>();
  let at = pickles.at;
  for (const key of keys) {
    const known = storages.get(String(key));
    if (known === undefined) throw damaged(path, `storage ${String(key)} belongs to no tensor`);
    // Each begins with its number of elements.
    const length = Number(read(at, 8).readBigInt64LE());
    if (length !== known.length) throw damaged(path, `storage ${known.key} has ${length} elements, ${known.length} are due`);
    places.set(known.key, at + 8);
    at += 8 + length * widthOf(path, known);
  }
  return {
    value,
    locate: ({ key }) => {
      const place = places.get(key);
      if (place === undefined) throw damaged(path, `storage ${key} is missing`);
      return place;
    },
  };
}

/** The named tensors of a state dict, or of the dictionary that a training checkpoint keeps under "state_dict". */
function tensorsOf(path: string, value: unknown): Map<string, TensorRef> {
  const state = value instanceof Map && value.get("state_dict") instanceof Map ? (value.get("state_dict") as unknown) : value;
  if (!(state instanceof Map)) throw damaged(path, "it holds no dictionary of tensors");
  const tensors = new Map<string, TensorRef>();
  for (const [name, tensor] of state) if (typeof name === "string" && tensor instanceof TensorRef) tensors.set(name, tensor);
  return tensors;
}

function collect(path: string, value: unknown, wanted: (name: string) => boolean, bytesOf: (storage: StorageRef) => Buffer<ArrayBuffer>): Map<string, Tensor> {
  const out = new Map<string, Tensor>();
  for (const [name, tensor] of tensorsOf(path, value)) {
    if (!wanted(name) || !(tensor.storage.type in floats)) continue;
    const values = floats[tensor.storage.type].toFloat32(bytesOf(tensor.storage));
    out.set(name, { shape: tensor.shape, data: rowMajor(path, name, tensor, values) });
  }
  return out;
}

function rowMajor(path: string, name: string, { offset, shape, strides }: TensorRef, values: Float32Array): Float32Array {
  const size = sizeOf(shape);
  const last = offset + shape.reduce((sum, n, i) => sum + Math.max(0, n - 1) * strides[i], 0);
  if (size > 0 && last >= values.length) throw damaged(path, `tensor "${name}" reaches element ${last} of ${values.length}`);
  let step = 1;
  let plain = true;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== step) plain = false;
    step *= shape[i];
  }
  if (plain) return values.subarray(offset, offset + size);
  const out = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    let rest = i;
    let at = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    out[i] = values[at];
  }
  return out;
}

const floats: Readonly<Record<string, { readonly width: number; readonly toFloat32: (bytes: Buffer<ArrayBuffer>) => Float32Array }>> = {
  FloatStorage: { width: 4, toFloat32: (b) => new Float32Array(b.buffer, b.byteOffset, b.length / 4) },
  HalfStorage: { width: 2, toFloat32: (b) => float16ToFloat32(new Uint16Array(b.buffer, b.byteOffset, b.length / 2)) },
  BFloat16Storage: { width: 2, toFloat32: (b) => bfloat16ToFloat32(new Uint16Array(b.buffer, b.byteOffset, b.length / 2)) },
  DoubleStorage: { width: 8, toFloat32: (b) => Float32Array.from(new Float64Array(b.buffer, b.byteOffset, b.length / 8)) },
};
const integers: Readonly<Record<string, number>> = { LongStorage: 8, IntStorage: 4, ShortStorage: 2, CharStorage: 1, ByteStorage: 1, BoolStorage: 1 };

/** Bytes of an element. */
function widthOf(path: string, { type, key }: StorageRef): number {
  const width = type in floats ? floats[type].width : integers[type];
  if (width === undefined) throw new UserError(`${path}: storage ${key} is a ${type}, which is not built in; use a checkpoint in the safetensors format`);
  return width;
}

function damaged(path: string, what: string): UserError {
  return new UserError(`${path} is no sound PyTorch file: ${what}; copy or download it again, or use a checkpoint in the safetensors format.`);
}
