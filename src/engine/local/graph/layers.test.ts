import { describe, expect, it } from "vitest";
import { RandomStream } from "../../../util/random.js";
import { Sessions } from "../runtime/sessions.js";
import { Graph } from "./graph.js";
import { tokenLogprobs } from "./layers.js";

describe("log-probabilities and entropies of tokens", () => {
  // At 12 most distributions are peaked: entropies near 0, log-probabilities down to −200 and less.
  it.each([0.5, 12])("are those of a plain softmax, logits of about %d nats", async (spread) => {
    const [rows, width, vocabulary, temperature] = [40, 16, 50, 0.7];
    const random = new RandomStream(4);
    const hidden = Float32Array.from({ length: rows * width }, () => random.normal() * spread);
    const table = Float32Array.from({ length: vocabulary * width }, () => random.normal());
    const targets = Array.from({ length: rows }, () => random.int(vocabulary));
    const g = new Graph();
    const head = tokenLogprobs(g, g.floats(hidden, [rows, width]), g.floats(table, [vocabulary, width]), g.ints(targets), g.scalar(1 / temperature));
    g.output("logprobs", head.logprobs);
    g.output("entropy", head.entropy);
    const sessions = new Sessions({ threads: 1, provider: "cpu" });
    const out = await (await sessions.get("head", () => ({ ...g.build(), gradients: [] }))).run(() => new Float32Array());
    await sessions.close();
    for (let i = 0; i < rows; i++) {
      const logits = Array.from({ length: vocabulary }, (_, v) => {
        let sum = 0;
        for (let d = 0; d < width; d++) sum += hidden[i * width + d] * table[v * width + d];
        return sum / temperature;
      });
      const top = Math.max(...logits);
      const logSum = top + Math.log(logits.reduce((sum, l) => sum + Math.exp(l - top), 0));
      const entropy = -logits.reduce((sum, l) => sum + Math.exp(l - logSum) * (l - logSum), 0);
      const tolerance = 1e-6 * (10 + Math.abs(top));
      expect(Math.abs(Number(out.logprobs[i]) - (logits[targets[i]] - logSum))).toBeLessThan(3 * tolerance);
      expect(Math.abs(Number(out.entropy[i]) - entropy)).toBeLessThan(tolerance);
    }
  });
});
