import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { loadModelFolder, saveModelFolder } from "../src/checkpoints/hf-folder.js";
import { writePhantomDataset } from "../src/datasets/phantom/index.js";
import { lockRun } from "../src/store/lock.js";
import { openRun } from "../src/store/reader.js";
import { createSmallModel } from "../src/training/small-model.js";
import { commandFolder } from "./support/cli.js";
import { tinySize } from "./support/tiny-model.js";

/** What users bring, through the command itself: a message with file, place and way out, and nothing harmed. */
const { folder, cli } = commandFolder("bad");
beforeAll(async () => {
  await writePhantomDataset(join(folder, "data"), { train: 6, test: 2, seed: 5 });
  createSmallModel(join(folder, "model"), { size: { ...tinySize, maxPositions: 1024 }, texts: ["What is seen in the left lung?"], vocabulary: 300, minPixels: 256, maxPixels: 1024, seed: 1 });
  writeFileSync(join(folder, "config.yaml"), CONFIG);
}, 400_000);

const CONFIG = `method: sft
model: model
data: { path: data }
steps: 3
batch: { prompts: 2 }
checkpoint: { every: 1, keep: 1 }
engine: { workers: 0, threads: 1 }
`;

const train = (output: string, ...more: string[]) => cli(["train", "--config", "config.yaml", "--output", output, ...more]);

interface Row {
  image: string;
  solution?: string;
  id: string;
}

/** A copy of the data set with its training rows changed. */
function dataset(name: string, change: (rows: Row[]) => string | void): void {
  cpSync(join(folder, "data"), join(folder, name), { recursive: true });
  const file = join(folder, name, "train.json");
  const rows = JSON.parse(readFileSync(file, "utf8")) as Row[];
  writeFileSync(file, change(rows) ?? JSON.stringify(rows));
}

describe("configurations", () => {
  it("a typo is named with its line and the nearest key, and no folder is made", async () => {
    writeFileSync(join(folder, "typo.yaml"), `${CONFIG}sampling: { groupSzie: 4 }\n`);
    const { code, stderr } = await cli(["train", "--config", "typo.yaml", "--output", "typo"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/typo\.yaml:8: unknown key "sampling\.groupSzie"; did you mean "sampling\.groupSize"\?/);
    expect(existsSync(join(folder, "typo"))).toBe(false);
  });

  it("a group of one and a length beyond the model are refused with the key to change", async () => {
    const one = await train("one", "--method", "grpo", "--sampling.group-size", "1");
    expect(one).toMatchObject({ code: 1, stderr: expect.stringMatching(/--sampling\.group-size.*take 2 or more/) as string });
    const long = await train("long", "--method", "grpo", "--sampling.max-tokens", "5000");
    expect(long).toMatchObject({ code: 1, stderr: expect.stringMatching(/no prompt of the batch fits.*takes 1024 in all.*--sampling\.max-tokens/) as string });
  });
});

describe("data sets", () => {
  it.each<[string, (rows: Row[]) => string | void, RegExp]>([
    ["missing-field", (rows) => void delete rows[4].solution, /missing-field\/train\.json: row \[4\] has no "solution"/],
    ["nan", (rows) => ((rows[4].solution = "@"), JSON.stringify(rows).replace('"@"', "NaN")), /nan\/train\.json: \[4\]\.solution is NaN/],
    ["duplicate", (rows) => void (rows[4].id = rows[2].id), /duplicate\/train\.json: rows \[2\] and \[4\] have the same id/],
  ])("%s", async (name, change, message) => {
    dataset(name, change);
    const { code, stderr } = await train(`run-${name}`, "--data.path", name);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });

  it("images that cannot be decoded are all named before the first step; with mended data the same command runs", async () => {
    dataset("images", () => undefined);
    const paths = readdirSync(join(folder, "images", "images")).filter((name) => name.startsWith("train")).sort().map((name) => join(folder, "images", "images", name));
    const good = paths.slice(0, 2).map((path) => readFileSync(path));
    writeFileSync(paths[0], good[0].subarray(0, good[0].length >> 1));
    writeFileSync(paths[1], "");
    const { code, stdout, stderr } = await train("images-run", "--data.path", "images");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/images: 2 of 6 images cannot be used.*\n.*train-00000[01].png (could not be decoded|is empty)/);
    expect(stderr).toMatch(/example "train-000000": .*could not be decoded.*truncated/);
    expect(stderr).toMatch(/example "train-000001": .*is empty \(0 bytes\)/);
    expect(openRun(join(folder, "images-run")).status()).toMatchObject({ state: "failed", step: 0 });
    expect(await cli(["eval", "model", "--data", "images", "--split", "train"])).toMatchObject({ code: 1, stderr: expect.stringContaining("2 of 6 images") as string });

    // Unusual, but images all the same.
    writeFileSync(paths[0], await sharp(good[0]).toColourspace("cmyk").jpeg().toBuffer());
    const frames = Buffer.concat([Buffer.alloc(3072, 255), Buffer.alloc(3072, 0)]);
    writeFileSync(paths[1], await sharp(frames, { raw: { width: 32, height: 64, channels: 3, pageHeight: 32 } }).gif().toBuffer());
    writeFileSync(paths[2], await sharp(good[0]).greyscale().toColourspace("grey16").png().toBuffer());
    writeFileSync(paths[3], await sharp({ create: { width: 20000, height: 200, channels: 3, background: "#864" } }).png().toBuffer());
    const mended = await train("images-run", "--data.path", "images");
    expect(mended).toMatchObject({ code: 0, stderr: "" });
    expect(mended.stdout).toContain("train-000001.png: first of 2 frames is used");
  });
});

describe("model folders", () => {
  it("a missing tensor and a wrong shape are named", async () => {
    const { tensors, ...rest } = loadModelFolder(join(folder, "model"));
    const name = "model.language_model.layers.1.mlp.up_proj.weight";
    mkdirSync(join(folder, "holed"));
    saveModelFolder(join(folder, "holed"), { ...rest, tensors: new Map([...tensors].filter(([key]) => key !== name)) });
    mkdirSync(join(folder, "bent"));
    saveModelFolder(join(folder, "bent"), { ...rest, tensors: new Map([...tensors, [name, { shape: [2, 3], data: new Float32Array(6) }]]) });
    const holed = await train("holed-run", "--model", "holed");
    expect(holed).toMatchObject({ code: 1, stderr: expect.stringMatching(/holed.*1 of \d+ tensors are missing: "model\.language_model\.layers\.1\.mlp\.up_proj\.weight"/) as string });
    const bent = await train("bent-run", "--model", "bent");
    expect(bent).toMatchObject({ code: 1, stderr: expect.stringMatching(/bent.*has shape \[2, 3\], config\.json asks for \[48, 32\]/) as string });
  });
});

describe("run folders", () => {
  it("a second training is refused while one writes, and a finished run is not written over", async () => {
    expect((await train("taken")).code).toBe(0);
    const before = readFileSync(join(folder, "taken", "metrics.jsonl"), "utf8");
    const lock = lockRun(join(folder, "taken"));
    for (const args of [["--config", "config.yaml", "--output", "taken"], ["--resume", "taken"]]) {
      expect(await cli(["train", ...args])).toMatchObject({ code: 1, stderr: expect.stringMatching(/taken: another training \(process \d+\) is writing.*--output/) as string });
    }
    lock.release();
    expect(await train("taken")).toMatchObject({ code: 1, stderr: expect.stringMatching(/holds a run already; continue it with --resume .*--output/) as string });
    expect(readFileSync(join(folder, "taken", "metrics.jsonl"), "utf8")).toBe(before);
  });
});

/** A small file system of its own, where this machine allows one. */
function mounted(dir: string, size: string): boolean {
  mkdirSync(dir, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", dir], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("a full disk", () => {
  it("leaves the last checkpoint whole and the run able to go on; other commands leave nothing half-written", async ({ skip }) => {
    const disk = join(folder, "disk");
    if (!mounted(disk, "1400k")) skip("no file system of a chosen size can be mounted here");
    try {
      // Room for one checkpoint, not for two.
      const { code, stderr } = await train("disk/run");
      expect(code).toBe(1);
      expect(stderr).toMatch(/disk\/run: the disk is full \(ENOSPC.*free some space.*continue with: breakwater train --resume /);
      expect(readdirSync(join(disk, "run", "checkpoints"))).toEqual(["step-000001"]);

      const phantom = await cli(["phantom", "--out", "disk/phantom", "--train", "600", "--test", "2"]);
      expect(phantom).toMatchObject({ code: 1, stderr: expect.stringMatching(/disk\/phantom.*ENOSPC.*free some space/) as string });
      writeFileSync(join(disk, "report.html"), "old");
      fillUp(join(disk, "filler"));
      expect((await train("elsewhere", "--steps", "1")).code).toBe(0);
      const report = await cli(["report", "elsewhere", "--out", "disk/report.html"]);
      expect(report).toMatchObject({ code: 1, stderr: expect.stringMatching(/disk\/report\.html: cannot be written \(ENOSPC.*what was there is intact.*free some space/) as string });
      expect(readFileSync(join(disk, "report.html"), "utf8")).toBe("old");
      rmSync(join(disk, "filler"));
      expect(readdirSync(disk).sort()).toEqual(["report.html", "run"]);

      execFileSync("mount", ["-o", "remount,size=30m", disk]);
      expect(await cli(["train", "--resume", "disk/run"])).toMatchObject({ code: 0, stdout: expect.stringContaining("after step 1 of 3") as string });
    } finally {
      execFileSync("umount", [disk]);
    }
  });
});

function fillUp(path: string): void {
  const piece = Buffer.alloc(4096);
  try {
    for (;;) writeFileSync(path, piece, { flag: "a" });
  } catch {
    // Full, as wanted.
  }
}
