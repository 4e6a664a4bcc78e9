import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../util/errors.js";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./half.js";
import { readCheckpoint, readSafetensors, readSafetensorsMetadata, type Tensor, writeSafetensors } from "./safetensors.js";

const fixtures = join(import.meta.dirname, "../../interop/fixtures/safetensors");
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "bw-st-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A file from a header object and data bytes. */
function craft(header: unknown, data: Uint8Array = new Uint8Array(0)): string {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const path = join(dir, "crafted.safetensors");
  writeFileSync(path, Buffer.concat([length, text, data]));
  return path;
}

describe("half", () => {
  it("keeps every fp16 and bf16 value through fp32 and back", () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const back16 = float32ToFloat16(float16ToFloat32(all));
    const backB = float32ToBfloat16(bfloat16ToFloat32(all));
    for (let i = 0; i < 65536; i++) {
      const nan16 = (i & 0x7c00) === 0x7c00 && (i & 0x3ff) !== 0;
      if (nan16) expect((back16[i] & 0x7c00) === 0x7c00 && (back16[i] & 0x3ff) !== 0).toBe(true);
      else if (back16[i] !== i) expect(back16[i]).toBe(i);
      const nanB = (i & 0x7f80) === 0x7f80 && (i & 0x7f) !== 0;
      if (!nanB && backB[i] !== i) expect(backB[i]).toBe(i);
    }
  });

  it("takes views that do not begin at their buffer's start", () => {
    const whole = Float32Array.of(9, 1, -2, 9);
    expect([...float16ToFloat32(float32ToFloat16(whole.subarray(1, 3)))]).toEqual([1, -2]);
    expect([...bfloat16ToFloat32(float32ToBfloat16(whole.subarray(1, 3)))]).toEqual([1, -2]);
  });
});

describe("safetensors against files saved by torch", () => {
  it.each(["F32", "F16", "BF16"] as const)("writes %s rounded as torch rounds, and reads it back", (format) => {
    const source = readSafetensors(join(fixtures, "f32.safetensors"));
    const theirs = join(fixtures, `${format.toLowerCase()}.safetensors`);
    const ours = join(dir, "ours.safetensors");
    writeSafetensors(ours, source, { format });
    const a = readSafetensors(ours);
    const b = readSafetensors(theirs);
    expect([...a.keys()].sort()).toEqual([...b.keys()].sort());
    for (const [name, tensor] of b) {
      expect(a.get(name)?.shape).toEqual(tensor.shape);
      // Object.is semantics: −0 and NaN count.
      expect([...(a.get(name)?.data ?? [])]).toEqual([...tensor.data]);
    }
    // The payload of a bf16 NaN differs between torch's own vector units; every other byte of the file is the same.
    if (format !== "BF16") expect(readFileSync(ours).equals(readFileSync(theirs))).toBe(true);
    expect(readSafetensorsMetadata(theirs)).toEqual({ format: "pt" });
  });

  it("reads a checkpoint of transformers", () => {
    const tensors = readCheckpoint(join(fixtures, "../qwen3vl-tiny"));
    expect(tensors.get("model.language_model.embed_tokens.weight")?.shape).toEqual([160, 48]);
    expect(tensors.has("lm_head.weight")).toBe(false);
    const ids = readSafetensors(join(fixtures, "../qwen3vl-tiny/expected.safetensors")).get("seq0.input_ids");
    expect(ids?.data.every((v) => Number.isInteger(v) && v >= 0 && v < 160)).toBe(true);
  });
});

describe("refused files", () => {
  const good = { a: { dtype: "F32", shape: [2], data_offsets: [0, 8] } };
  it.each([
    ["short of its header's length", () => write(Buffer.alloc(3)), /has 3 bytes/],
    ["an absurd header length", () => write(Buffer.alloc(64, 0xff)), /header of/],
    ["a header longer than the file", () => write(Buffer.from([99, 0, 0, 0, 0, 0, 0, 0, 123])), /takes 99 bytes/],
    ["no JSON", () => craft("{nope}"), /not JSON/],
    ["truncated data", () => craft(good, Buffer.alloc(5)), /truncated/],
    ["bytes left over", () => craft(good, Buffer.alloc(12)), /4 bytes at its end/],
    ["overlapping tensors", () => craft({ ...good, b: { dtype: "F32", shape: [1], data_offsets: [4, 8] } }, Buffer.alloc(8)), /"b" begins at byte 4/],
    ["shape and bytes at odds", () => craft({ a: { dtype: "F32", shape: [3], data_offsets: [0, 8] } }, Buffer.alloc(8)), /needs 12 bytes/],
    ["a negative size", () => craft({ a: { dtype: "F32", shape: [-2], data_offsets: [0, 8] } }, Buffer.alloc(8)), /shape \[-2\]/],
    ["an unknown type", () => craft({ a: { dtype: "F8_E4M3", shape: [8], data_offsets: [0, 8] } }, Buffer.alloc(8)), /F8_E4M3/],
    ["an integer too large", () => craft({ a: { dtype: "I64", shape: [1], data_offsets: [0, 8] } }, Buffer.from(BigInt64Array.of(2n ** 40n + 1n).buffer)), /no exact/],
  ])("%s", (_, make, message) => {
    const path = make();
    expect(() => readSafetensors(path)).toThrow(UserError);
    expect(() => readSafetensors(path)).toThrow(message);
    expect(() => readSafetensors(path)).toThrow(path);
  });

  it("any truncation of a sound file", () => {
    const whole = readFileSync(join(fixtures, "bf16.safetensors"));
    for (let n = 0; n < whole.length; n += 7) expect(() => readSafetensors(write(whole.subarray(0, n)))).toThrow(UserError);
  });

  function write(bytes: Uint8Array): string {
    const path = join(dir, "bad.safetensors");
    writeFileSync(path, bytes);
    return path;
  }
});

describe("readCheckpoint", () => {
  const one = new Map<string, Tensor>([["a", { shape: [1, 2], data: Float32Array.of(1, 2) }]]);
  const two = new Map<string, Tensor>([["b", { shape: [1], data: Float32Array.of(3) }]]);
  function shards(weightMap: unknown): void {
    writeSafetensors(join(dir, "model-00001-of-00002.safetensors"), one);
    writeSafetensors(join(dir, "model-00002-of-00002.safetensors"), two);
    writeFileSync(join(dir, "model.safetensors.index.json"), JSON.stringify({ metadata: {}, weight_map: weightMap }));
  }

  it("joins shards", () => {
    shards({ a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" });
    const all = readCheckpoint(dir);
    expect([...all].map(([k, v]) => [k, [...v.data]])).toEqual([["a", [1, 2]], ["b", [3]]]);
  });

  it("names a shard that lacks a tensor, a missing shard, and a folder without weights", () => {
    shards({ a: "model-00002-of-00002.safetensors" });
    expect(() => readCheckpoint(dir)).toThrow(/no tensor "a"/);
    shards({ a: "gone.safetensors" });
    expect(() => readCheckpoint(dir)).toThrow(/gone\.safetensors/);
    shards({ a: "../model-00001-of-00002.safetensors" });
    expect(() => readCheckpoint(dir)).toThrow(/not a file name/);
    expect(() => readCheckpoint(join(dir, "nowhere"))).toThrow(/No weights in/);
  });

  it("leaves the old file and no temporary one when writing fails", () => {
    const path = join(dir, "model.safetensors");
    writeSafetensors(path, one);
    expect(() => writeSafetensors(path, new Map([["a", { shape: [3], data: Float32Array.of(1) }]]))).toThrow(/tensor a/);
    expect([...(readSafetensors(path).get("a")?.data ?? [])]).toEqual([1, 2]);
    expect(readdirSync(dir)).toEqual(["model.safetensors"]);
    // A folder in the file's place: the rename fails.
    expect(() => writeSafetensors(dir, one)).toThrow(UserError);
  });
});
