/** Saved sampler weights: a tar.gz of a PEFT folder, unpacked and written as our own adapters are. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { readAdapter, writeAdapter } from "../../checkpoints/adapter.js";
import { UserError } from "../../util/errors.js";

const block = 512;

/** The regular files of a tar archive by their base names; other entries are left out. */
export function untar(archive: Uint8Array): Map<string, Uint8Array> {
  const text = (start: number, length: number): string => Buffer.from(archive.subarray(start, start + length)).toString("utf8").replace(/\0.*$/s, "");
  const files = new Map<string, Uint8Array>();
  for (let at = 0; at + block <= archive.length && archive[at] !== 0; ) {
    const size = parseInt(text(at + 124, 12).trim() || "0", 8);
    const type = String.fromCharCode(archive[at + 156]);
    if (!Number.isFinite(size) || at + block + size > archive.length) throw new UserError("the archive of saved weights is torn: download it again");
    if (type === "0" || type === "\0") files.set(basename(text(at, 100)), archive.subarray(at + block, at + block + size));
    at += block + Math.ceil(size / block) * block;
  }
  return files;
}

/** Writes the adapter of an archive into `dir` as adapter_model.safetensors and adapter_config.json. */
export function unpackAdapter(archive: Uint8Array, dir: string, baseModel: string): void {
  const files = untar(gunzipSync(archive));
  const names = ["adapter_model.safetensors", "adapter_config.json"];
  const missing = names.find((name) => !files.has(name));
  if (missing !== undefined) throw new UserError(`the server's saved weights hold no ${missing} (only ${[...files.keys()].join(", ")}): not a PEFT adapter`);
  const temporary = mkdtempSync(join(dir, ".unpack-"));
  try {
    for (const name of names) writeFileSync(join(temporary, name), files.get(name) ?? "");
    // Servers leave out which modules were trained; PEFT would guess them from the model's kind.
    writeAdapter(dir, { ...readAdapter(temporary), baseModel });
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
