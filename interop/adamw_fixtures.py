"""Writes fixtures/adamw.json: several steps of torch.optim.AdamW with clip_grad_norm_ (see README.md)."""

import json
import os

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = [
    dict(learningRate=1e-2, beta1=0.9, beta2=0.999, eps=1e-8, weightDecay=0.0, maxGradNorm=0.0),
    dict(learningRate=3e-3, beta1=0.8, beta2=0.95, eps=1e-6, weightDecay=0.1, maxGradNorm=0.0),
    dict(learningRate=5e-2, beta1=0.9, beta2=0.98, eps=1e-8, weightDecay=0.05, maxGradNorm=1.0),
    dict(learningRate=1e-1, beta1=0.0, beta2=0.9, eps=1e-3, weightDecay=0.5, maxGradNorm=100.0),
]
SIZE, STEPS = 12, 6


def main():
    generator = torch.Generator().manual_seed(11)
    cases = []
    for params in CASES:
        start = torch.randn(SIZE, generator=generator, dtype=torch.float32)
        # Sizes far apart, a zero among them: bias correction and eps show.
        scale = torch.logspace(-5, 1, SIZE)
        grads = [torch.randn(SIZE, generator=generator) * scale * (1 + s) for s in range(STEPS)]
        for g in grads:
            g[3] = 0
        weights = start.double().clone().requires_grad_(True)
        optimizer = torch.optim.AdamW(
            [weights], lr=params["learningRate"], betas=(params["beta1"], params["beta2"]), eps=params["eps"],
            weight_decay=params["weightDecay"], foreach=False)
        norms, after = [], []
        for g in grads:
            weights.grad = g.double().clone()
            limit = params["maxGradNorm"]
            norms.append(torch.nn.utils.clip_grad_norm_([weights], limit if limit > 0 else float("inf")).item())
            optimizer.step()
            after.append(weights.detach().tolist())
        cases.append(dict(params=params, start=start.tolist(), gradients=[g.tolist() for g in grads], norms=norms, after=after))
    with open(os.path.join(HERE, "fixtures", "adamw.json"), "w") as f:
        json.dump(cases, f)
        f.write("\n")


if __name__ == "__main__":
    main()
