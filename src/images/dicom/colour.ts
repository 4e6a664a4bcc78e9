import { UserError } from "../../util/errors.js";
import type { DataSet } from "./data-set.js";
import type { Frame } from "./frames.js";
import { readTable, type PixelLayout } from "./header.js";

/** Three samples a pixel → 8-bit RGB. @throws UserError naming a photometric interpretation that is not read. */
export function renderColour({ values, photometric }: Frame, layout: PixelLayout, place: string): Uint8Array {
  const scale = 255 / (2 ** layout.bitsStored - 1);
  const out = new Uint8Array(values.length);
  if (photometric === "RGB") {
    for (let i = 0; i < values.length; i++) out[i] = Math.round(values[i] * scale);
    return out;
  }
  if (photometric !== "YBR_FULL" && photometric !== "YBR_FULL_422") {
    throw new UserError(`${place} has the photometric interpretation ${photometric} in the transfer syntax ${layout.syntax.name} (${layout.syntax.uid}), which is not read. Convert it to RGB, for example with gdcmconv or dcmdjpeg +cr, and import that copy.`);
  }
  // PS3.3 C.7.6.3.1.2, the full range of ITU-R BT.601.
  const middle = 2 ** (layout.bitsStored - 1);
  for (let i = 0; i < values.length; i += 3) {
    const [y, cb, cr] = [values[i], values[i + 1] - middle, values[i + 2] - middle];
    out[i] = byte((y + 1.402 * cr) * scale);
    out[i + 1] = byte((y - 0.344136 * cb - 0.714136 * cr) * scale);
    out[i + 2] = byte((y + 1.772 * cb) * scale);
  }
  return out;
}

/** Indices → 8-bit RGB by the three palettes of the file. @throws UserError where one is missing. */
export function renderPalette({ values }: Frame, data: DataSet, layout: PixelLayout, place: string): Uint8Array {
  const palettes = ["1", "2", "3"].map((n) => {
    const table = readTable(data, `x0028110${n}`, `x0028120${n}`, layout.signed);
    if (table === null) throw new UserError(`${place} is PALETTE COLOR, and its palette ${data.elements[`x0028122${n}`] ? "is segmented, which is not read" : "is missing"}. Convert it to RGB, for example with gdcmconv --raw or dcm2img, and import that copy.`);
    // Some files say 16 bits and use 8 of them.
    const bits = table.bits === 16 && table.values.every((v) => v < 256) ? 8 : table.bits;
    return { ...table, shift: bits - 8 };
  });
  const out = new Uint8Array(values.length * 3);
  for (let i = 0; i < values.length; i++) {
    palettes.forEach(({ first, values: entries, shift }, c) => {
      const entry = entries[Math.min(entries.length - 1, Math.max(0, values[i] - first))];
      out[3 * i + c] = shift >= 0 ? entry >> shift : entry << -shift;
    });
  }
  return out;
}

function byte(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value)));
}
