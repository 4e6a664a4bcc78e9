/**
 * DICOM's run lengths (PS3.5 annex G): up to 15 segments, one for each byte of each sample, high byte first, each
 * packed as PackBits.
 * @returns the samples interleaved by pixel, little endian; `null` where a segment is missing or too short.
 */
export function decodeRle(bytes: Uint8Array, pixels: number, samples: number, bytesPerSample: number): Uint8Array | null {
  if (bytes.length < 64) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint32(0, true);
  if (count !== samples * bytesPerSample) return null;
  const out = new Uint8Array(pixels * samples * bytesPerSample);
  for (let segment = 0; segment < count; segment++) {
    const start = view.getUint32(4 + 4 * segment, true);
    const end = segment + 1 < count ? view.getUint32(8 + 4 * segment, true) : bytes.length;
    if (start < 64 || end > bytes.length || start >= end) return null;
    const sample = Math.floor(segment / bytesPerSample);
    const byte = bytesPerSample - 1 - (segment % bytesPerSample);
    const stride = samples * bytesPerSample;
    if (unpack(bytes.subarray(start, end), out, sample * bytesPerSample + byte, stride, pixels) < pixels) return null;
  }
  return out;
}

/** Writes up to `limit` bytes, `stride` apart; returns how many. */
function unpack(source: Uint8Array, out: Uint8Array, offset: number, stride: number, limit: number): number {
  let done = 0;
  for (let at = 0; at < source.length && done < limit; ) {
    const control = source[at++];
    if (control === 128) continue;
    const literal = control < 128;
    const length = Math.min(literal ? control + 1 : 257 - control, limit - done);
    if (at + (literal ? length : 1) > source.length) break;
    for (let i = 0; i < length; i++) out[offset + stride * (done + i)] = source[literal ? at + i : at];
    at += literal ? control + 1 : 1;
    done += length;
  }
  return done;
}
