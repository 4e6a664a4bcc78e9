/** The codecs come without types; these are the parts used. Each factory compiles its WebAssembly once. */
interface WasmDecoder {
  getEncodedBuffer(length: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  readHeader(): void;
  decode(): void;
  getFrameInfo(): { readonly width: number; readonly height: number; readonly bitsPerSample: number; readonly componentCount: number; readonly isSigned?: boolean };
  delete(): void;
}
interface WasmOptions {
  print(text: string): void;
  printErr(text: string): void;
}
declare module "@cornerstonejs/codec-charls/decodewasmjs" {
  export default function charls(options: WasmOptions): Promise<{ JpegLSDecoder: new () => WasmDecoder & { getInterleaveMode(): number } }>;
}
declare module "@cornerstonejs/codec-openjpeg/decodewasmjs" {
  export default function openjpeg(options: WasmOptions): Promise<{ J2KDecoder: new () => WasmDecoder }>;
}
declare module "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs" {
  export default function turbo(options: WasmOptions): Promise<{ JPEGDecoder: new () => WasmDecoder }>;
}
declare module "jpeg-lossless-decoder-js" {
  export class Decoder {
    decode(buffer: ArrayBuffer, offset?: number, length?: number, bytesPerSample?: number): Uint8Array | Uint16Array;
  }
}
