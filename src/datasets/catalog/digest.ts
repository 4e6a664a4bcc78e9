import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import type { Checksum } from "./types.js";

/** Whether a file's content has the checksum. */
export async function hasChecksum(path: string, { algorithm, value }: Checksum): Promise<boolean> {
  const hash = createHash(algorithm === "git-sha1" ? "sha1" : algorithm);
  if (algorithm === "git-sha1") hash.update(`blob ${statSync(path).size}\0`);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex") === value.toLowerCase();
}

/** Git's name of a content. */
export function gitSha1(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

/** Git's name of the git-LFS pointer that stands for a content: tells where it lies in a repository without fetching it. */
export function lfsPointerSha1(content: Uint8Array): string {
  const oid = createHash("sha256").update(content).digest("hex");
  return gitSha1(Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${content.length}\n`));
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c >>> 0;
});

/** CRC-32 as zip archives have it. @param before that of what came before. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]) & 255];
  return ~crc >>> 0;
}
