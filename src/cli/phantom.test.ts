import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { phantomCommand } from "./phantom.js";

let root: string;
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), "phantom-cli-"))));
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

async function run(...args: string[]): Promise<string> {
  const out: string[] = [];
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((text) => out.push(String(text)) > 0);
  const errors = vi.spyOn(process.stderr, "write").mockImplementation((text) => out.push(String(text)) > 0);
  try {
    await phantomCommand().exitOverride().parseAsync(args, { from: "user" });
  } catch (error) {
    out.push(error instanceof Error ? error.message : String(error));
  } finally {
    spy.mockRestore();
    errors.mockRestore();
  }
  return out.join("");
}

it("writes the data set, says so, and keeps it the second time", async () => {
  const dir = join(root, "deep", "er", "p");
  const args = ["--out", dir, "--train", "6", "--test", "3", "--size", "32", "--difficulty", "hard"];
  expect(await run(...args)).toMatch(/^wrote 6 training and 3 held-out examples to /);
  expect(readdirSync(join(dir, "images"))).toHaveLength(9);
  expect(await run(...args)).toMatch(/already holds this data set/);
  expect(await run(...args, "--seed", "2")).toMatch(/another phantom data set \(seed 1, not 2\)/);
});

it("names what is wrong with its options and writes nothing", async () => {
  const dir = join(root, "q");
  expect(await run("--out", dir, "--train", "many")).toMatch(/many.*whole number/s);
  expect(await run("--out", dir, "--difficulty", "brutal")).toMatch(/brutal.*easy, normal, hard/s);
  expect(await run("--out", dir, "--size", "20")).toMatch(/size is 20: give a whole number from 32 to 1024/);
  expect(await run()).toMatch(/--out/);
  expect(existsSync(dir)).toBe(false);
});
