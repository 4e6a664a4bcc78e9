/** The optimiser step against torch.optim.AdamW (interop/adamw_fixtures.py). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { AdamWParams } from "../../engine.js";
import { adamWStep, norm2, type AdamWState } from "./adamw.js";

interface Case {
  readonly params: AdamWParams;
  readonly start: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  readonly norms: readonly number[];
  readonly after: readonly (readonly number[])[];
}

const cases = JSON.parse(readFileSync(new URL("../../../../interop/fixtures/adamw.json", import.meta.url), "utf8")) as readonly Case[];

describe("AdamW against torch", () => {
  it.each(cases.map((one) => [JSON.stringify(one.params), one] as const))("%s", (_name, { params, start, gradients, norms, after }) => {
    const weights = Float32Array.from(start);
    const state: AdamWState = { first: new Float32Array(start.length), second: new Float32Array(start.length), steps: 0 };
    for (const [step, values] of gradients.entries()) {
      const gradient = Float32Array.from(values);
      const norm = norm2(gradient);
      expect(Math.abs(norm - norms[step])).toBeLessThan(1e-6 * norms[step]);
      // torch divides by norm + 1e-6.
      const scale = params.maxGradNorm > 0 && norm > params.maxGradNorm ? params.maxGradNorm / norm : 1;
      adamWStep(weights, gradient, state, params, scale);
      for (const [i, expected] of after[step].entries()) expect(Math.abs(weights[i] - expected)).toBeLessThan(2e-5 * (0.1 + Math.abs(expected)));
      expect(Array.from(gradient)).toEqual(Array.from(Float32Array.from(values)));
    }
    expect(state.steps).toBe(gradients.length);
  });

  it("sums squares in double precision", () => {
    expect(norm2(new Float32Array(1e6).fill(1e-3))).toBeCloseTo(1, 6);
    expect(norm2(Float32Array.of(3e19, 4e19))).toBeCloseTo(5e19, -14);
    expect(norm2(Float32Array.of(1, Number.NaN))).toBeNaN();
  });
});
