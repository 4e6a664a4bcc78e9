import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openDemoFolder } from "./folder.js";

const runs = [{ method: "grpo", seed: 1 }];
let parent = "";
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "breakwater-demo-folder-"));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

it("removes what an earlier demo made and nothing else", () => {
  const dir = join(parent, "demo");
  const first = openDemoFolder(dir, runs);
  mkdirSync(first.run("grpo", 1));
  writeFileSync(join(first.run("grpo", 1), "metrics.jsonl"), "{}");
  writeFileSync(first.report, "old");
  writeFileSync(join(dir, "notes.txt"), "mine");
  mkdirSync(join(dir, "grpo-seed2"));
  first.close();
  const second = openDemoFolder(dir, runs);
  second.close();
  expect(existsSync(second.report)).toBe(false);
  expect(existsSync(second.run("grpo", 1))).toBe(false);
  expect(readFileSync(join(dir, "notes.txt"), "utf8")).toBe("mine");
  expect(readdirSync(dir)).toContain("grpo-seed2");
});

it("refuses a folder that no demo made, and leaves it as it is", () => {
  writeFileSync(join(parent, "summary.json"), "mine");
  expect(() => openDemoFolder(parent, runs)).toThrow(/not empty.*--out/);
  expect(readFileSync(join(parent, "summary.json"), "utf8")).toBe("mine");
  expect(readdirSync(parent)).toEqual(["summary.json"]);
});

it("refuses a marker that names foreign paths", () => {
  const kept = join(parent, "kept");
  const dir = join(parent, "demo");
  mkdirSync(kept);
  mkdirSync(dir);
  writeFileSync(join(dir, "demo.json"), JSON.stringify({ format: "breakwater-demo-1", owned: ["../kept"] }));
  expect(() => openDemoFolder(dir, runs)).toThrow(/"\.\.\/kept"/);
  expect(existsSync(kept)).toBe(true);
});

it("is held by one demo at a time", () => {
  const dir = join(parent, "demo");
  const first = openDemoFolder(dir, runs);
  writeFileSync(first.report, "running");
  expect(() => openDemoFolder(dir, runs)).toThrow(/--o/);
  expect(readFileSync(first.report, "utf8")).toBe("running");
  first.close();
});
