"""The training step and generation of bench.mjs in PyTorch with transformers' Qwen3-VL: FOLDER DATA.json, then one JSON
request a line on stdin, one answer a line. The best micro-batch of 8, 16 or all rows is found first and used."""

import json
import os
import sys
import time

import torch
from transformers import Qwen3VLForConditionalGeneration


def pad(rows, left, value, dtype):
    width = max(map(len, rows))
    fill = lambda row: [value] * (width - len(row))
    return torch.tensor([fill(r) + r if left else r + fill(r) for r in rows], dtype=dtype)


class Bench:
    def __init__(self, folder, data):
        torch.set_num_threads(os.cpu_count())
        self.model = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        self.image_token = self.model.config.image_token_id
        self.rows = data["rows"]
        self.images = [torch.tensor(i["patches"]).view(i["grid"][0] * i["grid"][1] * i["grid"][2], -1) for i in data["images"]]
        self.grids = [i["grid"] for i in data["images"]]
        self.loss = data["loss"]
        self.micro = None
        self.batches = {}

    def inputs(self, ids, mask, rows):
        return dict(
            input_ids=ids, attention_mask=mask, mm_token_type_ids=(ids == self.image_token).int(),
            pixel_values=torch.cat([self.images[r["image"]] for r in rows]),
            image_grid_thw=torch.tensor([self.grids[r["image"]] for r in rows]))

    def pack(self, rows):
        """Prompts padded on the left and completions on the right, so that logits are made for completions only."""
        prompts = [r["prompt"] for r in rows]
        completions = [r["completion"] for r in rows]
        ids = torch.cat([pad(prompts, True, 0, torch.long), pad(completions, False, 0, torch.long)], 1)
        mask = torch.cat([pad([[1] * len(p) for p in prompts], True, 0, torch.long),
                          pad([[1] * len(c) for c in completions], False, 0, torch.long)], 1)
        floats = {k: pad([r[k] for r in rows], False, 0.0, torch.float32) for k in ("weights", "advantages", "logprobs", "referenceLogprobs")}
        return self.inputs(ids, mask, rows), pad(completions, False, 0, torch.long), floats

    def micro_batches(self, size):
        if size not in self.batches:
            self.batches[size] = [self.pack(self.rows[i:i + size]) for i in range(0, len(self.rows), size)]
        return self.batches[size]

    def step(self, size):
        spec = self.loss
        self.model.train()
        self.model.zero_grad(set_to_none=True)
        total = 0.0
        for inputs, targets, d in self.micro_batches(size):
            T = targets.shape[1]
            logits = self.model(**inputs, use_cache=False, logits_to_keep=T + 1).logits[:, :-1]
            p = torch.log_softmax(logits, -1).gather(2, targets[..., None])[..., 0]
            ratio = torch.exp(p - d["logprobs"])
            surrogate = torch.min(ratio * d["advantages"], ratio.clamp(1 - spec["epsLow"], 1 + spec["epsHigh"]) * d["advantages"])
            gap = d["referenceLogprobs"] - p
            kl = torch.exp(gap) - gap - 1
            loss = (d["weights"] * (spec["klCoef"] * kl - surrogate)).sum()
            loss.backward()
            total += loss.item()
        return total

    def train(self):
        if self.micro is None:
            seconds = {}
            for size in (8, 16, len(self.rows)):
                self.step(size)
                seconds[size] = timed(lambda: self.step(size))[0]
            self.micro = min(seconds, key=seconds.get)
        seconds, loss = timed(lambda: self.step(self.micro))
        return dict(seconds=seconds, loss=loss, micro=self.micro)

    @torch.no_grad()
    def generate(self, tokens):
        self.model.eval()
        prompts = [r["prompt"] for r in self.rows]
        ids = pad(prompts, True, 0, torch.long)
        mask = pad([[1] * len(p) for p in prompts], True, 0, torch.long)
        inputs = self.inputs(ids, mask, self.rows)
        config = self.model.generation_config
        config.eos_token_id = None
        config.pad_token_id = 0
        seconds, out = timed(lambda: self.model.generate(**inputs, do_sample=True, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=tokens))
        return dict(seconds=seconds, tokens=(out.shape[1] - ids.shape[1]) * len(prompts))


def timed(body):
    started = time.perf_counter()
    result = body()
    return time.perf_counter() - started, result


def main():
    folder, data = sys.argv[1:]
    with open(data) as f:
        bench = Bench(folder, json.load(f))
    for line in sys.stdin:
        request = json.loads(line)
        answer = bench.train() if request["do"] == "train" else bench.generate(request["tokens"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
