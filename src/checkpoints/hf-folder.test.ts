import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../util/errors.js";
import { loraScale, readAdapter, writeAdapter } from "./adapter.js";
import { expectTensors, loadModelFolder, saveModelFolder } from "./hf-folder.js";
import { readSafetensors, type Tensor, writeSafetensors } from "./safetensors.js";

const tiny = join(import.meta.dirname, "../../interop/fixtures/qwen3vl-tiny");
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "bw-hf-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const tensor = (...shape: number[]): Tensor => ({ shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i / 4) });

describe("model folders", () => {
  it("saves a model of transformers' as it was read, companions byte for byte", () => {
    const model = loadModelFolder(tiny);
    const files = new Map([["tokenizer.json", Buffer.from("{ }\n")], ["chat_template.jinja", Buffer.from("{{ x }}")]]);
    saveModelFolder(dir, { ...model, files });
    const back = loadModelFolder(dir);
    expect(back.config).toEqual(model.config);
    expect([...back.tensors].sort()).toEqual([...model.tensors].sort());
    expect(readFileSync(join(dir, "tokenizer.json"), "utf8")).toBe("{ }\n");
    expect([...back.files.keys()].sort()).toEqual(["chat_template.jinja", "tokenizer.json"]);
  });

  it("states the weights' type in config.json", () => {
    const model = loadModelFolder(tiny);
    saveModelFolder(dir, model, { format: "BF16" });
    expect(loadModelFolder(dir).config.dtype).toBe("bfloat16");
  });

  it("refuses a folder without config.json or with one that is not an object", () => {
    expect(() => loadModelFolder(dir)).toThrow(/config\.json/);
    for (const text of ["{", "[1]", "null"]) {
      writeFileSync(join(dir, "config.json"), text);
      expect(() => loadModelFolder(dir)).toThrow(UserError);
    }
  });

  it("expectTensors names what is missing and what has another shape", () => {
    const map = new Map([["a", tensor(2, 3)], ["more", tensor(1)]]);
    expect(() => expectTensors("m", map, new Map([["a", [2, 3]]]))).not.toThrow();
    expect(() => expectTensors("m", map, new Map([["b", [1]], ["a", [2, 3]]]))).toThrow(/m: 1 of 2 tensors are missing: "b"/);
    expect(() => expectTensors("m", map, new Map([["a", [3, 2]]]))).toThrow(/"a" has shape \[2, 3\], config\.json asks for \[3, 2\]/);
    expect(() => expectTensors("m", map, new Map([["a", [2, 3, 1]]]))).toThrow(UserError);
  });
});

describe("adapters", () => {
  const adapter = {
    rank: 2,
    alpha: 8,
    baseModel: "somewhere/base",
    modules: new Map([["model.language_model.layers.0.self_attn.q_proj", { a: tensor(2, 5), b: tensor(3, 2) }]]),
  };

  it("come back as written, with PEFT's names", () => {
    writeAdapter(dir, adapter);
    expect([...readSafetensors(join(dir, "adapter_model.safetensors")).keys()]).toEqual([
      "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight",
      "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_B.weight",
    ]);
    expect(readAdapter(dir)).toEqual(adapter);
    expect(loraScale(adapter)).toBe(4);
  });

  it("are refused where a half is missing, the rank differs, or the kind is not plain LoRA", () => {
    writeAdapter(dir, adapter);
    const edit = (change: object): void => {
      const path = join(dir, "adapter_config.json");
      const config: unknown = JSON.parse(readFileSync(path, "utf8"));
      writeFileSync(path, JSON.stringify({ ...(config as object), ...change }));
    };
    edit({ r: 4 });
    expect(() => readAdapter(dir)).toThrow(/says rank 4/);
    edit({ r: 2, use_dora: true });
    expect(() => readAdapter(dir)).toThrow(/use_dora/);
    edit({ use_dora: false, lora_alpha: "x" });
    expect(() => readAdapter(dir)).toThrow(/lora_alpha/);
    edit({ lora_alpha: 8, rank_pattern: {} });
    expect(readAdapter(dir).rank).toBe(2);
    writeSafetensors(join(dir, "adapter_model.safetensors"), new Map([["base_model.model.x.lora_A.weight", tensor(2, 5)]]));
    expect(() => readAdapter(dir)).toThrow(/"x" has no lora_B/);
    writeSafetensors(join(dir, "adapter_model.safetensors"), new Map([["base_model.model.x.weight", tensor(2, 5)]]));
    expect(() => readAdapter(dir)).toThrow(/not a LoRA weight/);
  });
});
