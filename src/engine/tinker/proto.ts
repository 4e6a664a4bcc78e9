/**
 * The binary form (protobuf) of the Tinker API's large bodies: forward-backward requests, and the results of passes and
 * samples. Field numbers are those of the official SDK's `tinker_public.proto`; tokens travel as little-endian int32
 * bytes, numbers as float32 bytes.
 */
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { ForwardBackwardOutput, SampleOutput } from "./schemas.js";
import type { PassRequest, WireChunk, WireDatum, WireTensor } from "./wire.js";

export const protoType = "application/x-protobuf";
const dtypes = { float32: 1, int64: 2, int32: 3, bfloat16: 4 } as const;

const int32Bytes = (values: readonly number[]): Uint8Array => bytesOf(Int32Array.from(values));
const bytesOf = (array: Int32Array | Float32Array | BigInt64Array): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Writes a message field: tag, length, what `write` writes. */
function message(writer: BinaryWriter, field: number, write: (inner: BinaryWriter) => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

function writeChunk(writer: BinaryWriter, chunk: WireChunk): void {
  if (chunk.kind === "text") {
    message(writer, 1, (w) => w.tag(1, WireType.LengthDelimited).bytes(int32Bytes(chunk.tokens)));
    return;
  }
  message(writer, 2, (w) => {
    w.tag(1, WireType.LengthDelimited).bytes(chunk.data);
    w.tag(2, WireType.LengthDelimited).string(chunk.format);
    w.tag(3, WireType.Varint).int32(chunk.expectedTokens);
  });
}

function writeTensor(writer: BinaryWriter, { dtype, data }: WireTensor): void {
  const values = dtype === "float32" ? Float32Array.from(data) : BigInt64Array.from(data, BigInt);
  writer.tag(1, WireType.LengthDelimited).bytes(bytesOf(values));
  writer.tag(3, WireType.Varint).int32(dtypes[dtype]);
  writer.tag(4, WireType.LengthDelimited).fork().int64(data.length).join();
}

function writeDatum(writer: BinaryWriter, { chunks, inputs }: WireDatum): void {
  for (const chunk of chunks) message(writer, 1, (w) => writeChunk(w, chunk));
  for (const [name, tensor] of Object.entries(inputs)) {
    message(writer, 2, (entry) => {
      entry.tag(1, WireType.LengthDelimited).string(name);
      message(entry, 2, (w) => writeTensor(w, tensor));
    });
  }
}

/** `ForwardBackwardRequest`. */
export function encodePass({ modelId, seqId, forwardOnly, lossName, lossConfig = {}, data }: PassRequest): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).string(modelId);
  writer.tag(2, WireType.Varint).int32(seqId);
  for (const datum of data) message(writer, 3, (w) => writeDatum(w, datum));
  writer.tag(4, WireType.LengthDelimited).string(lossName);
  for (const [key, value] of Object.entries(lossConfig)) {
    message(writer, 5, (w) => w.tag(1, WireType.LengthDelimited).string(key).tag(2, WireType.Bit64).double(value));
    // Newer servers read the second map, older ones the first.
    message(writer, 7, (entry) => {
      entry.tag(1, WireType.LengthDelimited).string(key);
      message(entry, 2, (w) => w.tag(1, WireType.Bit64).double(value));
    });
  }
  if (forwardOnly) writer.tag(6, WireType.Varint).bool(true);
  return writer.finish();
}

/** Calls `field` for each field of a message; a field that it does not take (false) is skipped. */
function readFields(bytes: Uint8Array, field: (number: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (!field(number, reader)) reader.skip(wireType);
  }
}

/** A copy at an aligned place, as typed arrays need; a Buffer's own slice would be a view of its pool. */
const aligned = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

function numbers(bytes: Uint8Array, dtype: number): number[] {
  switch (dtype) {
    case dtypes.float32:
      return Array.from(new Float32Array(aligned(bytes)));
    case dtypes.int64:
      return Array.from(new BigInt64Array(aligned(bytes)), Number);
    case dtypes.int32:
      return Array.from(new Int32Array(aligned(bytes)));
    case dtypes.bfloat16:
      return Array.from(new Float32Array(Uint32Array.from(new Uint16Array(aligned(bytes)), (half) => half << 16).buffer));
    default:
      throw new Error(`a tensor of the unknown type ${dtype} came from the server`);
  }
}

const itemBytes: Readonly<Record<number, number>> = { [dtypes.float32]: 4, [dtypes.int64]: 8, [dtypes.int32]: 4, [dtypes.bfloat16]: 2 };

/** One tensor of all data, cut at its byte offsets. */
function readBatchedTensor(bytes: Uint8Array): number[][] {
  let data: Uint8Array = new Uint8Array();
  let offsets: number[] = [];
  let dtype = 0;
  readFields(bytes, (number, reader) => {
    if (number === 1) data = reader.bytes();
    else if (number === 2) offsets = numbers(reader.bytes(), dtypes.int64);
    else if (number === 3) dtype = reader.int32();
    else return false;
    return true;
  });
  const all = numbers(data, dtype);
  return offsets.slice(1).map((end, i) => all.slice(offsets[i] / itemBytes[dtype], end / itemBytes[dtype]));
}

function readMapEntry<T>(bytes: Uint8Array, read: (reader: BinaryReader) => T): [string, T | undefined] {
  let key = "";
  let value: T | undefined;
  readFields(bytes, (number, reader) => {
    if (number === 1) key = reader.string();
    else if (number === 2) value = read(reader);
    else return false;
    return true;
  });
  return [key, value];
}

/** `ForwardBackwardOutput`. */
export function decodePassOutput(bytes: Uint8Array): ForwardBackwardOutput {
  const outputs: Record<string, { data: number[] }>[] = [];
  const metrics: Record<string, number> = {};
  readFields(bytes, (number, reader) => {
    if (number === 2) {
      const start = outputs.length;
      readFields(reader.bytes(), (inner, record) => {
        if (inner === 2) {
          const [name, tensor = []] = readMapEntry(record.bytes(), (r) => readBatchedTensor(r.bytes()));
          tensor.forEach((data, i) => ((outputs[start + i] ??= {})[name] = { data }));
        } else if (inner === 3) {
          const count = Number(record.int64());
          for (let i = 0; i < count; i++) outputs[start + i] ??= {};
        } else return false;
        return true;
      });
    } else if (number === 3) {
      const [name, value] = readMapEntry(reader.bytes(), (r) => r.double());
      metrics[name] = value ?? 0;
    } else return false;
    return true;
  });
  return { loss_fn_outputs: outputs, metrics };
}

/** `SampleResponse`. */
export function decodeSample(bytes: Uint8Array): SampleOutput {
  const sequences: SampleOutput["sequences"] = [];
  let promptLogprobs: (number | null)[] | null = null;
  readFields(bytes, (number, reader) => {
    if (number === 1) {
      let stop = 0;
      let tokens: number[] = [];
      let logprobs: number[] | null = null;
      readFields(reader.bytes(), (inner, sequence) => {
        if (inner === 1) stop = sequence.int32();
        else if (inner === 2) tokens = numbers(sequence.bytes(), dtypes.int32);
        else if (inner === 3) logprobs = numbers(sequence.bytes(), dtypes.float32);
        else return false;
        return true;
      });
      sequences.push({ stop_reason: stop === 1 ? "length" : "stop", tokens, logprobs });
    } else if (number === 2) {
      promptLogprobs = numbers(reader.bytes(), dtypes.float32).map((p) => (Number.isNaN(p) ? null : p));
    } else return false;
    return true;
  });
  return { sequences, prompt_logprobs: promptLogprobs };
}
