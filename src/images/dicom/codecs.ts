/** Compressed frames → bytes of samples interleaved by pixel, little endian. Codecs are loaded when first needed. */
import { decodeTwelveBit, jpegHead } from "./jpeg-twelve.js";

export interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  /** 1 or 2. */
  readonly bytesPerSample: number;
  readonly data: Uint8Array;
  /** Colour of what was decoded, where the codec has changed it from what the header says. */
  readonly photometric?: "RGB" | "YBR_FULL";
}

/** Codecs print to the console by default. Anew for each: the object becomes the instance itself. */
const quiet = () => ({ print: () => undefined, printErr: () => undefined });

type WasmClass = new () => WasmDecoder;

const loaders = {
  "jpeg-ls": async () => (await (await import("@cornerstonejs/codec-charls/decodewasmjs")).default(quiet())).JpegLSDecoder as WasmClass,
  "jpeg-2000": async () => (await (await import("@cornerstonejs/codec-openjpeg/decodewasmjs")).default(quiet())).J2KDecoder,
  jpeg: async () => (await (await import("@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs")).default(quiet())).JPEGDecoder,
} as const;

type WasmCodec = keyof typeof loaders;
const loaded = new Map<WasmCodec, Promise<WasmClass>>();

/** @throws anything that a codec throws, also numbers: WebAssembly exceptions have no message. */
async function decodeWasm(codec: WasmCodec, bytes: Uint8Array): Promise<Decoded> {
  let loading = loaded.get(codec);
  if (loading === undefined) loaded.set(codec, (loading = loaders[codec]()));
  const decoder = new (await loading)();
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
    const { width, height, bitsPerSample, componentCount: components } = decoder.getFrameInfo();
    const bytesPerSample = bitsPerSample <= 8 ? 1 : 2;
    const planar = "getInterleaveMode" in decoder && components > 1 && (decoder as { getInterleaveMode(): number }).getInterleaveMode() === 0;
    // The buffer lies in the codec's memory, which the next frame overwrites.
    const data = planar ? interleave(decoder.getDecodedBuffer(), components, bytesPerSample) : decoder.getDecodedBuffer().slice();
    if (data.length < width * height * components * bytesPerSample) throw new RangeError("the codec gave too little");
    return { width, height, components, bytesPerSample, data };
  } catch (error) {
    // After an abort an instance is of no more use; the next frame gets a new one.
    loaded.delete(codec);
    throw error;
  } finally {
    decoder.delete();
  }
}

export const decodeJpegLs = (bytes: Uint8Array): Promise<Decoded> => decodeWasm("jpeg-ls", bytes);

/** The codec undoes the multi-component transforms, so YBR_ICT and YBR_RCT come as RGB. */
export async function decodeJpeg2000(bytes: Uint8Array, photometric: string): Promise<Decoded> {
  const decoded = await decodeWasm("jpeg-2000", bytes);
  return photometric === "YBR_ICT" || photometric === "YBR_RCT" ? { ...decoded, photometric: "RGB" } : decoded;
}

/** Baseline and extended JPEG; 12 bits by our own decoder. Colour of the 8-bit ones comes as RGB. */
export async function decodeJpeg(bytes: Uint8Array, photometric: string): Promise<Decoded> {
  const head = jpegHead(bytes);
  if (head !== null && head.precision > 8) {
    const { width, height, components, data } = decodeTwelveBit(bytes);
    return {
      width, height, components, bytesPerSample: 2, data: littleEndian(data),
      ...(components === 3 && photometric !== "RGB" ? { photometric: "YBR_FULL" as const } : {}),
    };
  }
  // Without a marker the library takes three components for YCbCr; where the header says RGB, an Adobe marker tells it.
  const marked = head?.components === 3 && !head.marked && photometric === "RGB" ? withAdobeRgb(bytes) : bytes;
  const decoded = await decodeWasm("jpeg", marked);
  return decoded.components === 3 ? { ...decoded, photometric: "RGB" } : decoded;
}

export async function decodeJpegLossless(bytes: Uint8Array): Promise<Decoded> {
  const { Decoder } = await import("jpeg-lossless-decoder-js");
  const decoder = new Decoder();
  // A copy of its own: the library reads the buffer from its start.
  const own = Uint8Array.from(bytes);
  const head = jpegHead(own);
  if (head === null) throw new RangeError("no frame");
  const bytesPerSample = head.precision <= 8 ? 1 : 2;
  const out = decoder.decode(own.buffer, 0, own.length, bytesPerSample);
  const size = frameSize(own);
  const data = out instanceof Uint16Array ? littleEndian(out) : out;
  if (data.length < size.width * size.height * head.components * bytesPerSample) throw new RangeError("the codec gave too little");
  return { ...size, components: head.components, bytesPerSample, data };
}

function frameSize(bytes: Uint8Array): { width: number; height: number } {
  for (let at = 2; at + 9 < bytes.length; at += 2 + ((bytes[at + 2] << 8) | bytes[at + 3])) {
    if (bytes[at + 1] === 0xc3) return { height: (bytes[at + 5] << 8) | bytes[at + 6], width: (bytes[at + 7] << 8) | bytes[at + 8] };
    if (bytes[at] !== 0xff) break;
  }
  throw new RangeError("not a lossless JPEG");
}

/** An APP14 segment "Adobe" with transform 0 (no YCbCr) behind the start of the image. */
function withAdobeRgb(bytes: Uint8Array): Uint8Array {
  const marker = [0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, 0];
  return Buffer.concat([bytes.subarray(0, 2), Uint8Array.from(marker), bytes.subarray(2)]);
}

function interleave(planes: Uint8Array, components: number, bytesPerSample: number): Uint8Array {
  const out = new Uint8Array(planes.length);
  const samples = planes.length / (components * bytesPerSample);
  for (let c = 0; c < components; c++) {
    for (let i = 0; i < samples; i++) {
      for (let b = 0; b < bytesPerSample; b++) out[(i * components + c) * bytesPerSample + b] = planes[(c * samples + i) * bytesPerSample + b];
    }
  }
  return out;
}

function littleEndian(words: Uint16Array): Uint8Array {
  const out = new Uint8Array(words.length * 2);
  for (let i = 0; i < words.length; i++) {
    out[2 * i] = words[i] & 255;
    out[2 * i + 1] = words[i] >> 8;
  }
  return out;
}
