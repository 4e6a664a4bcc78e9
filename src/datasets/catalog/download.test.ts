import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataSources, sha256, type Fault } from "../../../test/support/data-sources.js";
import { noise } from "../../../test/support/data-content.js";
import { UserError } from "../../util/errors.js";
import { download, type DownloadOptions } from "./download.js";

const data = noise(1, 100_000);
let sources: DataSources;
let dir: string;
let url: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "bw-download-"));
  sources = await new DataSources({ hub: {}, osf: { files: {}, folders: {} }, github: { "a/b": { files: { "f.bin": data }, lfs: () => false } } }).start();
  url = `${sources.front}/raw/a/b/main/f.bin`;
});
afterEach(async () => {
  await sources.stop();
  rmSync(dir, { recursive: true, force: true });
});

const path = (): string => join(dir, "in", "f.bin");
const retries: string[] = [];

function options(change: Partial<DownloadOptions> = {}, stop = new AbortController().signal): DownloadOptions {
  retries.length = 0;
  return {
    url, path: path(), size: data.length, checksum: { algorithm: "sha256", value: sha256(data) },
    http: { fetch, token: null, stallMs: 1500, signal: stop },
    retry: { tries: 4, delayMs: 1, longestDelayMs: 5, longestRetryAfterMs: 5000, signal: stop, random: () => 0.5 },
    onRetry: (message) => void retries.push(message),
    ...change,
  };
}

/** The first requests go wrong, one after the other. */
function firstly(...faults: readonly (Fault | null)[]): void {
  sources.fault = ({ earlier }) => faults[earlier] ?? null;
}

async function refusal(work: Promise<void>): Promise<string> {
  const error: unknown = await work.then(() => null, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UserError);
  return String(error);
}

describe("download", () => {
  it("resumes by ranges after each break", async () => {
    firstly({ cutAfter: 30_000 }, { cutAfter: 20_000 }, null);
    await download(options());
    expect(readFileSync(path()).equals(data)).toBe(true);
    const ranges = sources.seen.map(({ range }) => Number(/\d+/.exec(range ?? "0")?.[0]));
    expect(ranges).toHaveLength(3);
    expect(ranges[0]).toBe(0);
    expect(ranges[1]).toBeGreaterThan(0);
    expect(ranges[2]).toBeGreaterThan(ranges[1]);
    expect(sources.seen[1].ifRange).toMatch(/^"[0-9a-f]{40}"$/);
    expect(existsSync(`${path()}.part`) || existsSync(`${path()}.part.json`)).toBe(false);
  });

  it("gives up on silence and goes on with another connection", async () => {
    firstly({ hangAfter: 50_000 });
    await download(options({ http: { fetch, token: null, stallMs: 300, signal: new AbortController().signal } }));
    expect(readFileSync(path()).equals(data)).toBe(true);
    expect(retries[0]).toMatch(/nothing came for 0\.3 s/);
  });

  it("starts again where the file has changed meanwhile", async () => {
    firstly({ cutAfter: 30_000 });
    const one = options({ size: null, checksum: null });
    const changed = noise(9, 80_000);
    const waiting = download({ ...one, onRetry: () => void (sources.content.github["a/b"].files["f.bin"] = changed) });
    await waiting;
    expect(readFileSync(path()).equals(changed)).toBe(true);
  });

  it("takes the whole file from a server without ranges", async () => {
    firstly({ cutAfter: 30_000 }, "no ranges");
    await download(options());
    expect(readFileSync(path()).equals(data)).toBe(true);
  });

  it("waits out 429, 503 and 500, and heeds Retry-After", async () => {
    firstly({ status: 429, headers: { "retry-after": "1" } }, { status: 503, headers: { "retry-after": new Date(Date.now() - 1000).toUTCString() } }, { status: 500 });
    await download(options());
    expect(retries).toHaveLength(3);
    expect(retries[0]).toMatch(/answered 429.*in 1\.0 s/);
  });

  it("gives up after so many tries, or when told to wait too long, keeping the part", async () => {
    sources.fault = () => ({ status: 502 });
    expect(await refusal(download(options()))).toMatch(/f\.bin: given up after 4 tries: .*answered 502.*go on from here/);
    firstly();
    sources.fault = ({ earlier }) => (earlier === 4 ? { cutAfter: 10_000 } : { status: 429, headers: { "retry-after": "3600" } });
    expect(await refusal(download(options()))).toMatch(/asks to wait 60 minutes/);
    expect(existsSync(`${path()}.part`)).toBe(true);
    sources.fault = () => null;
    await download(options());
    expect(sources.seen.at(-1)?.range).toMatch(/^bytes=[1-9]/);
    expect(readFileSync(path()).equals(data)).toBe(true);
  });

  it("fetches a damaged file once more, and then refuses it", async () => {
    firstly("corrupt");
    await download(options());
    expect(readFileSync(path()).equals(data)).toBe(true);
    rmSync(path());
    sources.fault = () => "corrupt";
    expect(await refusal(download(options()))).toMatch(/has not the sha256 that the source names \([0-9a-f]{64}\), twice/);
    expect(existsSync(path()) || existsSync(`${path()}.part`)).toBe(false);
  });

  it("does not resume a part of another file, nor trust a part that is too long", async () => {
    mkdirSync(join(dir, "in"));
    writeFileSync(`${path()}.part`, noise(5, 40_000));
    writeFileSync(`${path()}.part.json`, JSON.stringify({ validator: '"x"', expected: "7 sha256 00" }));
    await download(options());
    expect(readFileSync(path()).equals(data)).toBe(true);
    expect(sources.seen[0].range).toBeNull();
  });

  it("a part damaged on disk is found by the checksum", async () => {
    firstly({ cutAfter: 40_000 });
    await download(options({
      onRetry: () => {
        if (sources.seen.length > 1) return;
        const part = readFileSync(`${path()}.part`);
        part[0] ^= 1;
        writeFileSync(`${path()}.part`, part);
      },
    }));
    expect(readFileSync(path()).equals(data)).toBe(true);
    expect(sources.seen.map(({ range }) => range !== null)).toEqual([false, true, false]);
  });

  it("stops at once when told to, keeping the part", async () => {
    const stop = new AbortController();
    sources.fault = () => "slow";
    const work = download(options({ onProgress: (received) => received > 20_000 && stop.abort(new Error("stopped")) }, stop.signal));
    await expect(work).rejects.toThrow("stopped");
    expect(existsSync(`${path()}.part`)).toBe(true);
    sources.fault = () => null;
    await download(options());
    expect(readFileSync(path()).equals(data)).toBe(true);
  });

  it("names the file that cannot be written", async () => {
    writeFileSync(join(dir, "in"), "a file where a folder is needed");
    expect(await refusal(download(options()))).toMatch(/in\/f\.bin: cannot be written .*--data-dir/);
    rmSync(join(dir, "in"));
    if (process.getuid?.() === 0) return;
    mkdirSync(join(dir, "in"));
    chmodSync(join(dir, "in"), 0o500);
    expect(await refusal(download(options()))).toMatch(/must be writable/);
  });

  it("a full disk is named and not tried again", async () => {
    if (!existsSync("/dev/full")) return;
    mkdirSync(join(dir, "in"));
    symlinkSync("/dev/full", `${path()}.part`);
    writeFileSync(`${path()}.part.json`, JSON.stringify({ validator: '"x"', expected: null }));
    expect(await refusal(download(options({ size: null, checksum: null })))).toMatch(/f\.bin: cannot be written \(ENOSPC.*disk is full: free some space/);
    expect(retries).toEqual([]);
  });

  it("redirects in a circle end", async () => {
    const circle: typeof fetch = () => Promise.resolve(new Response(null, { status: 302, headers: { location: "/again" } }));
    await expect(download(options({ http: { fetch: circle, token: null, stallMs: 1000, signal: new AbortController().signal } }))).rejects.toThrow(/redirects more than 10 times/);
  });
});
