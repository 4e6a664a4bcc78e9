import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UserError } from "../util/errors.js";
import { encodeForServer } from "./encode.js";
import { loadImage } from "./load.js";
import { loadImageGeometry } from "./load-geometry.js";
import { imageSize, measureFile, prepareFile } from "./prepare.js";

const fixtures = join(import.meta.dirname, "../../interop/fixtures/processors");
const families = ["qwen3-vl", "qwen2.5-vl", "internvl3"];
let dir: string;
const at = (name: string): string => join(dir, name);

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "bw-prepare-"));
  const picture = (channels: 3 | 4 = 3) => sharp({ create: { width: 90, height: 60, channels, background: { r: 200, g: 30, b: 90, alpha: 0.5 }, noise: channels === 3 ? { type: "gaussian", mean: 128, sigma: 40 } : undefined } });
  await picture().png().toFile(at("plain.png"));
  await picture().jpeg().toFile(at("plain.jpg"));
  await picture().jpeg().withMetadata({ orientation: 6 }).toFile(at("turned.jpg"));
  await picture().tiff().toFile(at("scan.tiff"));
  await picture(4).png().toFile(at("alpha.png"));
  await picture().toColourspace("rgb16").png().toFile(at("deep.png"));
  writeFileSync(at("cut.png"), readFileSync(at("plain.png")).subarray(0, 2000));
  writeFileSync(at("text.png"), "no image");
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("measureFile", () => {
  it.each(families)("gives for %s what prepareFile gives, without the pixels", async (family) => {
    const geometry = loadImageGeometry(join(fixtures, family));
    for (const name of ["plain.png", "turned.jpg", "scan.tiff"]) {
      const { grid, tokenCount } = await prepareFile(at(name), geometry);
      expect(await measureFile(at(name), geometry)).toEqual({ source: at(name), grid, tokenCount, patches: new Float32Array(0) });
    }
  });

  it("reads the size as the image is shown", async () => {
    expect(await imageSize(at("plain.jpg"))).toEqual({ width: 90, height: 60 });
    expect(await imageSize(at("turned.jpg"))).toEqual({ width: 60, height: 90 });
  });

  it("names a file that is no image, is missing, or is too narrow", async () => {
    const geometry = loadImageGeometry(join(fixtures, "qwen3-vl"));
    await expect(measureFile(at("text.png"), geometry)).rejects.toThrow(UserError);
    await expect(measureFile(at("none.png"), geometry)).rejects.toThrow(/none\.png.*put the file there/);
    await sharp({ create: { width: 1000, height: 4, channels: 3, background: "#fff" } }).png().toFile(at("strip.png"));
    await expect(measureFile(at("strip.png"), geometry)).rejects.toThrow(/strip\.png is 1000×4 .*at most 200 times.*Crop it/);
  });
});

describe("encodeForServer", () => {
  it("sends a plain PNG or JPEG as it is", async () => {
    for (const [name, format] of [["plain.png", "png"], ["plain.jpg", "jpeg"]] as const) {
      const sent = await encodeForServer({ source: at(name) });
      expect(sent.format).toBe(format);
      expect(Buffer.from(sent.data).equals(readFileSync(at(name)))).toBe(true);
    }
  });

  it.each(["turned.jpg", "scan.tiff", "alpha.png", "deep.png"])("sends %s as a PNG of the pixels that the local engine sees", async (name) => {
    const sent = await encodeForServer({ source: at(name) });
    expect(sent.format).toBe("png");
    writeFileSync(at(`sent-${name}.png`), sent.data);
    const [before, after] = [await loadImage(at(name)), await loadImage(at(`sent-${name}.png`))];
    expect([after.width, after.height]).toEqual([before.width, before.height]);
    expect(Buffer.from(after.data).equals(Buffer.from(before.data))).toBe(true);
  });

  it("resizes to what the bounds ask for, so that the server makes the same patches", async () => {
    const folder = join(fixtures, "qwen2.5-vl");
    await sharp(at("plain.png")).resize(200, 140, { fit: "fill" }).png().toFile(at("larger.png"));
    const limited = loadImageGeometry(folder, { maxPixels: 20000 });
    const image = await measureFile(at("larger.png"), limited);
    expect(image.sendAs).toBeDefined();
    const sent = await encodeForServer(image);
    writeFileSync(at("small.png"), sent.data);
    const server = await prepareFile(at("small.png"), loadImageGeometry(folder));
    const here = await prepareFile(at("larger.png"), limited);
    expect(server.tokenCount).toBe(image.tokenCount);
    expect(server.patches).toEqual(here.patches);
    const none = loadImageGeometry(folder, { minPixels: 100, maxPixels: 1000 });
    await expect(measureFile(at("plain.png"), none)).rejects.toThrow(/make 1 tokens of it, but a server .* makes 4\. Leave them out/);
    expect((await prepareFile(at("plain.png"), none)).tokenCount).toBe(1);
  });

  it("does not send a broken file", async () => {
    await expect(encodeForServer({ source: at("text.png") })).rejects.toThrow(/text\.png could not be decoded/);
    await expect(encodeForServer({ source: at("none.png") })).rejects.toThrow(/none\.png/);
  });
});
