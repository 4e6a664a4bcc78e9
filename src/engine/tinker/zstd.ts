/** Zstandard by WebAssembly, made ready once: a second initialisation takes the memory from under the first. */
export interface Zstd {
  compress(body: Uint8Array): Uint8Array;
  decompress(body: Uint8Array): Uint8Array;
}

let ready: Promise<Zstd> | null = null;

export function openZstd(): Promise<Zstd> {
  ready ??= import("@bokuweb/zstd-wasm").then(async ({ init, compress, decompress }) => {
    await init();
    return { compress: (body) => compress(body, 3), decompress: (body) => decompress(body) };
  });
  return ready;
}
