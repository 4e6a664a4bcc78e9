/** The wire format against bytes that the official SDK made (interop/skyrl/wire_fixtures.py). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodePassOutput, decodeSample, encodePass } from "./proto.js";
import { forwardBackwardSchema, sampleSchema } from "./schemas.js";
import { datumBytes, passJson, splitBySize, type PassRequest, type WireChunk, type WireDatum } from "./wire.js";

interface Fixture<T> {
  readonly bytes: string;
  readonly values: T;
}
interface RequestValues extends Omit<PassRequest, "data" | "lossConfig"> {
  readonly lossConfig: Record<string, number>;
  readonly data: { chunks: ({ kind: "text"; tokens: number[] } | { kind: "image"; data: string; format: "png"; expectedTokens: number })[]; inputs: WireDatum["inputs"] }[];
}
const fixture = JSON.parse(readFileSync(new URL("../../../interop/fixtures/tinker-wire.json", import.meta.url), "utf8")) as {
  readonly request: Fixture<RequestValues>;
  readonly passOutput: Fixture<unknown>;
  readonly sample: Fixture<unknown>;
};
const bytesOf = ({ bytes }: Fixture<unknown>): Buffer => Buffer.from(bytes, "base64");

/** The request of the fixture in our terms. */
export function fixtureRequest(): PassRequest {
  const { data, ...rest } = fixture.request.values;
  return {
    ...rest,
    data: data.map(({ chunks, inputs }) => ({
      chunks: chunks.map((c): WireChunk => (c.kind === "text" ? c : { ...c, data: Buffer.from(c.data, "base64") })),
      inputs,
    })),
  };
}

/** Fields of a message, nested ones as their sorted contents: protobuf maps and fields have no order. */
function canonical(bytes: Uint8Array, depth = 0): string {
  const parts: string[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= bytes.length) throw new Error("not a message");
      const byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const type = tag & 7;
    let value: string;
    if (type === 0) value = String(varint());
    else {
      const length = type === 2 ? varint() : type === 1 ? 8 : 4;
      const inner = bytes.subarray(at, at + length);
      at += length;
      value = Buffer.from(inner).toString("hex");
      // Messages here are nested at most four deep; what does not parse is a text or numbers.
      if (type === 2 && depth < 4 && length > 8) {
        try {
          value = canonical(inner, depth + 1);
        } catch {
          // Not a message.
        }
      }
    }
    parts.push(`${tag >> 3}/${type}:${value}`);
    if (at > bytes.length) throw new Error("not a message");
  }
  return `{${parts.sort().join(",")}}`;
}

describe("protobuf", () => {
  it("encodes a forward-backward request as the SDK does, up to the order of fields", () => {
    expect(canonical(encodePass(fixtureRequest()))).toBe(canonical(bytesOf(fixture.request)));
  });

  it("decodes the results that the SDK's messages hold", () => {
    expect(decodePassOutput(bytesOf(fixture.passOutput))).toEqual(fixture.passOutput.values);
    expect(decodeSample(bytesOf(fixture.sample))).toEqual(fixture.sample.values);
  });

  it("gives what the JSON schemas give", () => {
    expect(forwardBackwardSchema.parse(fixture.passOutput.values)).toEqual(decodePassOutput(bytesOf(fixture.passOutput)));
    expect(sampleSchema.parse(fixture.sample.values)).toEqual(decodeSample(bytesOf(fixture.sample)));
  });

  it("refuses a tensor type that it does not know", () => {
    const torn = Buffer.from(bytesOf(fixture.passOutput));
    // dtype float32 (field 3, varint 1) of the first tensor becomes 9.
    const at = torn.indexOf(Buffer.from([0x18, 0x01]));
    torn[at + 1] = 9;
    expect(() => decodePassOutput(torn)).toThrow(/unknown type 9/);
  });
});

describe("JSON", () => {
  it("names the input by the kind of pass, with images in base64", () => {
    const request = fixtureRequest();
    const body = passJson(request) as { forward_input: { data: { model_input: { chunks: unknown[] } }[] }; seq_id: number };
    expect(body.seq_id).toBe(300);
    expect(body.forward_input.data[1].model_input.chunks[1]).toEqual({
      type: "image", data: Buffer.from(Array.from({ length: 40 }, (_, i) => i)).toString("base64"), format: "png", expected_tokens: 6,
    });
    expect(passJson({ ...request, forwardOnly: false })).toHaveProperty("forward_backward_input");
  });
});

describe("splitting to the server's limits", () => {
  const bytes = (n: number): number => n;

  it("keeps order, count and bytes; one item that is too large goes alone", () => {
    expect(splitBySize([3, 3, 3, 9, 1, 1], bytes, { maxCount: 2, maxBytes: 8 })).toEqual([[3, 3], [3], [9], [1, 1]]);
    expect(splitBySize([], bytes, { maxCount: 2, maxBytes: 8 })).toEqual([]);
  });

  it("counts tokens, images and tensors", () => {
    const [text, image] = fixtureRequest().data;
    expect(datumBytes(text)).toBe(3 * 4 + 3 * 8 + 3 * 3 * 4);
    expect(datumBytes(image)).toBe(3 * 4 + 40 + 9 * 8 + 9 * 4);
  });
});
