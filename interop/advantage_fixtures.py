"""Advantages and the policy loss in PyTorch, double precision -> fixtures/advantages.json.

GRPO and MRPO as the MRPO reference computes them (its factor is rounded to two decimals; here it is not), GDPO as TRL's
"normalize_then_sum", the loss and its gradient by autograd.
    pip install torch && python interop/advantage_fixtures.py
"""
import json
import math
import random
from pathlib import Path

import torch

torch.set_default_dtype(torch.float64)


def grpo(rewards):
    r = torch.tensor(rewards)
    return ((r - r.mean()) / (r.std() + 1e-4)).tolist()


def gdpo(groups, weights):
    per_group = []
    for group in groups:
        r = torch.tensor(group)  # [G, rewards]
        z = (r - r.mean(0, keepdim=True)) / (r.std(0, keepdim=True) + 1e-4)
        per_group.append((z * torch.tensor(weights)).sum(1))
    flat = torch.cat(per_group)
    flat = (flat - flat.mean()) / (flat.std() + 1e-4)
    return [part.tolist() for part in flat.split([len(g) for g in groups])]


def mrpo(advantage, answer, labels, spans, tokens, tau=0.6):
    multiplier = torch.ones(tokens)
    steps = len(labels)
    for k, (label, (start, end)) in enumerate(zip(labels, spans)):
        if answer > tau:
            value = 1.0
        elif steps == 1:
            value = 1.0 if (label == 1) == (advantage > 0) else -1.0
        else:
            value = 1.0 if label == 1 else -math.exp(1 - k / (steps - 1))
            value = value if advantage > 0 else -value
        multiplier[start:end] = value
    return (advantage * multiplier).tolist()


def loss(rng, eps_low, eps_high, beta):
    rows = []
    logprobs = []
    lengths = [rng.randint(1, 6) for _ in range(4)]
    terms = []
    for length in lengths:
        p = torch.tensor([rng.uniform(-3, 0) for _ in range(length)], requires_grad=True)
        q = p.detach() + torch.tensor([rng.uniform(-0.6, 0.6) for _ in range(length)])
        ref = p.detach() + torch.tensor([rng.uniform(-0.5, 0.5) for _ in range(length)])
        a = torch.tensor([rng.uniform(-2, 2) for _ in range(length)])
        ratio = torch.exp(p - q)
        surrogate = torch.min(ratio * a, torch.clamp(ratio, 1 - eps_low, 1 + eps_high) * a)
        kl = torch.exp(ref - p) - (ref - p) - 1
        terms.append((-(surrogate) + beta * kl).mean())
        logprobs.append(p)
        rows.append({"logprobs": p.tolist(), "sampled": q.tolist(), "reference": ref.tolist(), "advantages": a.tolist()})
    total = torch.stack(terms).mean()
    total.backward()
    return {
        "options": {"epsLow": eps_low, "epsHigh": eps_high, "klCoef": beta},
        "sequences": rows,
        "loss": total.item(),
        "gradients": [p.grad.tolist() for p in logprobs],
    }


def main():
    rng = random.Random(7)
    groups = [[rng.choice([0, 0.25, 0.5, 1]) + rng.uniform(-1, 1) for _ in range(rng.randint(2, 8))] for _ in range(12)]
    batches = []
    for weights in ([1.0, 1.0, 1.0], [0.5, 2.0, 1.0]):
        batch = [[[rng.random(), rng.choice([0, 0.5, 1.0]), -rng.random()] for _ in range(6)] for _ in range(4)]
        batches.append({"weights": weights, "groups": batch, "advantages": gdpo(batch, weights)})
    shaped = []
    for _ in range(40):
        steps = rng.randint(1, 7)
        at, spans = rng.randint(0, 2), []
        for _ in range(steps):
            end = at + rng.randint(1, 4)
            spans.append([at, end])
            at = end + rng.randint(0, 1)
        row = {
            "advantage": rng.uniform(-2, 2),
            "answer": rng.random(),
            "labels": [rng.randint(0, 1) for _ in range(steps)],
            "spans": spans,
            "tokens": at + rng.randint(0, 3),
        }
        row["tokenAdvantages"] = mrpo(row["advantage"], row["answer"], row["labels"], spans, row["tokens"])
        shaped.append(row)
    out = {
        "grpo": [{"rewards": g, "advantages": grpo(g)} for g in groups],
        "gdpo": batches,
        "mrpo": shaped,
        "loss": [loss(rng, 0.2, 0.2, 0.04), loss(rng, 0.2, 0.28, 0.0), loss(rng, 0.1, 0.3, 1.0)],
    }
    path = Path(__file__).parent / "fixtures" / "advantages.json"
    path.write_text(json.dumps(out, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
