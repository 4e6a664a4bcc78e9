import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Element types that the graphs use, with their numbers in onnx.proto's TensorProto.DataType. */
export const dataTypes = { float32: 1, int32: 6, int64: 7, bool: 9, float64: 11 } as const;
export type DType = keyof typeof dataTypes;

export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] };

export interface OnnxNode {
  readonly op: string;
  /** "" is ai.onnx; the other one in use is com.microsoft. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A size, or the name of one that is known only when the graph runs. */
export type Dim = number | string;

export interface OnnxValue {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

export interface OnnxConstant {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | BigInt64Array | Int32Array;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly constants: readonly OnnxConstant[];
}

type Message = (writer: BinaryWriter) => void;

function message(writer: BinaryWriter, field: number, body: Message): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  body(writer);
  writer.join();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

// AttributeProto: name 1, f 2, i 3, s 4, ints 8, type 20 (FLOAT 1, INT 2, STRING 3, INTS 7).
function attribute(name: string, a: Attribute): Message {
  return (w) => {
    text(w, 1, name);
    switch (a.kind) {
      case "float":
        w.tag(2, WireType.Bit32).float(a.value).tag(20, WireType.Varint).int32(1);
        break;
      case "int":
        w.tag(3, WireType.Varint).int64(a.value).tag(20, WireType.Varint).int32(2);
        break;
      case "string":
        w.tag(4, WireType.LengthDelimited).bytes(new TextEncoder().encode(a.value)).tag(20, WireType.Varint).int32(3);
        break;
      case "ints":
        for (const v of a.value) w.tag(8, WireType.Varint).int64(v);
        w.tag(20, WireType.Varint).int32(7);
        break;
    }
  };
}

// ValueInfoProto → TypeProto.tensor_type → shape.dim.dim_value (1) or dim_param (2).
function valueInfo(value: OnnxValue): Message {
  return (w) => {
    text(w, 1, value.name);
    message(w, 2, (type) => {
      message(type, 1, (tensor) => {
        tensor.tag(1, WireType.Varint).int32(dataTypes[value.dtype]);
        message(tensor, 2, (shape) => {
          for (const size of value.shape) {
            message(shape, 1, (dim) => {
              if (typeof size === "string") text(dim, 2, size);
              else dim.tag(1, WireType.Varint).int64(size);
            });
          }
        });
      });
    });
  };
}

// TensorProto: dims 1, data_type 2, name 8, raw_data 9 (little-endian).
function tensorProto(c: OnnxConstant): Message {
  return (w) => {
    for (const size of c.shape) w.tag(1, WireType.Varint).int64(size);
    w.tag(2, WireType.Varint).int32(dataTypes[c.dtype]);
    text(w, 8, c.name);
    w.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(c.data.buffer, c.data.byteOffset, c.data.byteLength));
  };
}

/** Serialises a ModelProto (IR version 10, opset 21, com.microsoft 1). */
export function encodeModel(graph: OnnxGraph): Uint8Array {
  const w = new BinaryWriter();
  w.tag(1, WireType.Varint).int64(10);
  text(w, 2, "breakwater");
  message(w, 7, (g) => {
    for (const node of graph.nodes) {
      message(g, 1, (n) => {
        for (const name of node.inputs) text(n, 1, name);
        for (const name of node.outputs) text(n, 2, name);
        text(n, 4, node.op);
        for (const [name, a] of Object.entries(node.attributes)) message(n, 5, attribute(name, a));
        if (node.domain !== "") text(n, 7, node.domain);
      });
    }
    text(g, 2, "graph");
    for (const constant of graph.constants) message(g, 5, tensorProto(constant));
    for (const input of graph.inputs) message(g, 11, valueInfo(input));
    for (const output of graph.outputs) message(g, 12, valueInfo(output));
  });
  message(w, 8, (o) => o.tag(2, WireType.Varint).int64(21));
  message(w, 8, (o) => {
    text(o, 1, "com.microsoft");
    o.tag(2, WireType.Varint).int64(1);
  });
  return w.finish();
}
