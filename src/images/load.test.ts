import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../util/errors.js";
import { loadImage } from "./load.js";
import { parseImageConfig, prepareImage } from "./qwen-vl.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "bw-load-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Red left half, blue right half, 8×4, of `channels`. */
function halves(width = 8, height = 4): Sharp {
  const data = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i++) data[3 * i + (i % width < width / 2 ? 0 : 2)] = 255;
  return sharp(data, { raw: { width, height, channels: 3 } });
}

async function save(name: string, image: Sharp): Promise<string> {
  const path = join(dir, name);
  await image.toFile(path);
  return path;
}

describe("loadImage", () => {
  it("reads PNG exactly, and JPEG, WebP, TIFF and GIF", async () => {
    const png = await loadImage(await save("a.png", halves()));
    expect([png.width, png.height, png.data.length]).toEqual([8, 4, 96]);
    expect([...png.data.subarray(0, 3), ...png.data.subarray(21, 24)]).toEqual([255, 0, 0, 0, 0, 255]);
    for (const name of ["a.jpg", "a.webp", "a.tiff", "a.gif"]) {
      const image = await loadImage(await save(name, halves(32, 16)));
      expect([image.width, image.height, image.notes]).toEqual([32, 16, []]);
      expect(image.data[0]).toBeGreaterThan(200);
    }
  });

  it("makes grey three equal channels, drops alpha, scales 16 bits to 8", async () => {
    const ramp = Uint8Array.from({ length: 16 }, (_, i) => i * 16);
    const grey = await loadImage(await save("g.png", sharp(ramp, { raw: { width: 4, height: 4, channels: 1 } }).toColourspace("b-w")));
    expect([...grey.data]).toEqual([...ramp].flatMap((v) => [v, v, v]));

    const clear = Uint8Array.from([10, 20, 30, 0, 40, 50, 60, 128]);
    const alpha = await loadImage(await save("alpha.png", sharp(clear, { raw: { width: 2, height: 1, channels: 4 } })));
    expect([...alpha.data]).toEqual([10, 20, 30, 40, 50, 60]);

    const deep = Uint16Array.from([0, 257, 32896, 65535]);
    const path = await save("deep.png", sharp(deep, { raw: { width: 4, height: 1, channels: 1 } }).toColourspace("grey16").png());
    expect((await sharp(path).metadata()).depth).toBe("ushort");
    expect([...(await loadImage(path)).data]).toEqual([0, 0, 0, 1, 1, 1, 128, 128, 128, 255, 255, 255]);
  });

  it("turns CMYK into RGB", async () => {
    const path = await save("cmyk.jpg", halves(32, 16).toColourspace("cmyk").jpeg({ quality: 95 }));
    expect((await sharp(path).metadata()).space).toBe("cmyk");
    const { data, width } = await loadImage(path);
    expect(data).toHaveLength(32 * 16 * 3);
    const [red, blue] = [3 * (8 * width + 4), 3 * (8 * width + 28)];
    expect(data[red]).toBeGreaterThan(data[red + 2] + 60);
    expect(data[blue + 2]).toBeGreaterThan(data[blue] + 60);
  });

  it("follows the EXIF orientation", async () => {
    const path = await save("turned.jpg", halves(32, 16).withMetadata({ orientation: 6 }));
    const { width, height, data } = await loadImage(path);
    expect([width, height]).toEqual([16, 32]);
    expect(data[0]).toBeGreaterThan(200);
    expect(data[data.length - 1]).toBeGreaterThan(200);
  });

  it("takes the first frame of an animation and says so", async () => {
    const frames = Buffer.concat([Buffer.alloc(8 * 8 * 3, 255), Buffer.alloc(8 * 8 * 3, 0)]);
    const path = join(dir, "moving.gif");
    await sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } }).gif().toFile(path);
    const image = await loadImage(path);
    expect([image.width, image.height, image.notes]).toEqual([8, 8, ["first of 2 frames"]]);
    expect(image.data[0]).toBe(255);
  });

  it("reads an image 20,000 pixels wide and prepares it", async () => {
    const path = await save("wide.png", sharp({ create: { width: 20000, height: 150, channels: 3, background: "#804020" } }));
    const prepared = await prepareImage(path, parseImageConfig({ patch_size: 8, max_pixels: 4096, min_pixels: 256 }, "test"));
    // A side is never below one merge block, so a strip may pass the bound on pixels, as it does in transformers.
    expect(prepared.grid).toEqual({ t: 1, h: 2, w: 92 });
    expect(prepared.source).toBe(path);
  });

  it("refuses what it cannot read with the path and a way out", async () => {
    const cases: [string, RegExp][] = [];
    const put = (name: string, bytes: Uint8Array, message: RegExp): void => {
      writeFileSync(join(dir, name), bytes);
      cases.push([name, message]);
    };
    const jpeg = await halves(200, 200).jpeg().toBuffer();
    const noise = sharp(Buffer.from(Uint8Array.from({ length: 30000 }, (_, i) => (i * 7919) % 251)), { raw: { width: 100, height: 100, channels: 3 } });
    const png = await noise.png().toBuffer();
    put("empty.png", new Uint8Array(0), /is empty/);
    put("text.png", Buffer.from("not an image"), /could not be decoded/);
    put("cut.jpg", jpeg.subarray(0, jpeg.length - 200), /could not be decoded/);
    put("cut.png", png.subarray(0, png.length >> 1), /could not be decoded/);
    put("head.jpg", jpeg.subarray(0, 10), /could not be decoded/);
    mkdirSync(join(dir, "folder.png"));
    cases.push(["folder.png", /is a folder/], ["missing.png", /Cannot read the image/]);
    for (const [name, message] of cases) {
      const error: unknown = await loadImage(join(dir, name)).catch((e: unknown) => e);
      expect(error, name).toBeInstanceOf(UserError);
      expect(String(error), name).toMatch(message);
      expect(String(error), name).toContain(join(dir, name));
    }
  });

  it("refuses more pixels than it should decode", async () => {
    // A PNG header alone: 100,000 × 100,000, one bit grey.
    const path = await save("bomb.png", sharp({ create: { width: 1, height: 1, channels: 3, background: "red" } }));
    const { readFileSync } = await import("node:fs");
    const bytes = readFileSync(path);
    bytes.writeUInt32BE(100000, 16);
    bytes.writeUInt32BE(100000, 20);
    const { crc32 } = await import("node:zlib");
    bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
    writeFileSync(path, bytes);
    await expect(loadImage(path)).rejects.toThrow(/100000×100000 pixels.*smaller copy/);
  });
});
