/** The engine contract on the tinker engine, against SkyRL's own server. Skipped where Python has no such server. */
import { describe, it } from "vitest";
import { describeEngine } from "./support/engine-contract.js";
import { skipMessage, skyrlPython } from "./support/skyrl-server.js";
import { tinySkyrl } from "./support/tiny-skyrl.js";

const python = skyrlPython();

if (python === null) {
  it.skip(skipMessage, () => undefined);
} else {
  const { tiny, open } = tinySkyrl(python, 30);
  const text = (value: string) => ({ tokens: tiny.tokenizer.encode(value), images: [] });
  describe("SkyRL on JAX", () => {
    describeEngine("tinker", open, {
      prompts: ["What is in the lung?", "See the scan: what is it?", "Where is the lesion in this scan?", "A nodule"].map(text),
      textTokens: 250,
      decode: (tokens) => tiny.tokenizer.decode(tokens),
      tempDir: tiny.tempDir,
    });
  });
}
