import { describe, expect, it } from "vitest";
import { PrepareProgress } from "./data-progress.js";

function watched(isTTY: boolean): { progress: PrepareProgress; text: () => string; pass: (ms: number) => void } {
  let written = "";
  let now = 1000;
  const progress = new PrepareProgress({ isTTY, columns: 120, write: (text) => void (written += text) }, () => now);
  return { progress, text: () => written, pass: (ms) => void (now += ms) };
}

const transfer = (state: "start" | "progress" | "done", received: number) => ({ kind: "file", dataset: "slake", path: "imgs.zip", state, received, size: 40e6 }) as const;

describe("progress of data prepare", () => {
  it("plain lines where there is no terminal: tenths of large files, retries and notes, no escape codes", () => {
    const { progress, text, pass } = watched(false);
    progress.tell(transfer("start", 0));
    for (let received = 0; received <= 40e6; received += 1e6) {
      pass(50);
      progress.tell(transfer("progress", received));
    }
    progress.tell({ kind: "retry", dataset: "slake", path: "imgs.zip", message: "broke off; try 2 of 8 in 1.0 s" });
    progress.tell(transfer("done", 40e6));
    progress.finish();
    const lines = text().trim().split("\n");
    expect(lines.filter((line) => /\d0% of 40\.0 MB/.test(line))).toHaveLength(9);
    expect(lines.slice(-3)).toEqual(["slake: imgs.zip: broke off; try 2 of 8 in 1.0 s", "slake imgs.zip: done, 40.0 MB", "fetched 1 files (40.0 MB), 0 were here already"]);
    expect(text()).not.toContain("\x1b");
  });

  it("bars on a terminal, redrawn in their place; what an earlier run brought is not counted", () => {
    const { progress, text, pass } = watched(true);
    progress.tell(transfer("start", 0));
    pass(200);
    progress.tell(transfer("progress", 20e6));
    pass(1000);
    progress.tell(transfer("progress", 30e6));
    expect(text()).toContain("[============            ]  50% slake imgs.zip 20.0 MB of 40.0 MB");
    expect(text()).toMatch(/\x1b\[1A\x1b\[0J\[==================      ] {2}75% .*8\.3 MB\/s, 2 s left/);
    progress.tell(transfer("done", 40e6));
    progress.finish();
    expect(text()).toMatch(/fetched 1 files \(20\.0 MB\)/);
  });
});
