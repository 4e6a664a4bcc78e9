"""Writes tiny random Qwen3-VL checkpoints and what transformers computes with them (see README.md).

Per fixture folder: config.json and model.safetensors as `save_pretrained` names things, expected.safetensors with
  image{i}.pixel_values [t*h*w, 3*2*p*p]   image{i}.pooled [tokens, hidden]   image{i}.deepstack{j} [tokens, hidden]
  image{i}.last_hidden [t*h*w, vision hidden]
  seq{i}.input_ids [T] int64   seq{i}.position_ids [3, T] int64   seq{i}.logits [T, V]   seq{i}.logprobs [C]
and expected.json with grids, which images each sequence holds, where its completion starts, and for the loss
sum_i sum_t w_t * -log p_t over all sequences (w_t in the file) the 2-norm, sum and first values of every gradient.
"""

import json
import math
import os
import sys

import torch
from safetensors.torch import save_file
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

HERE = os.path.dirname(os.path.abspath(__file__))

CONFIGS = {
    "qwen3vl-tiny": dict(
        tie_word_embeddings=True,
        image_token_id=150, video_token_id=151, vision_start_token_id=148, vision_end_token_id=149,
        vision_config=dict(
            depth=3, hidden_size=32, intermediate_size=64, num_heads=2, patch_size=8, spatial_merge_size=2,
            temporal_patch_size=2, in_channels=3, out_hidden_size=48, num_position_embeddings=16,
            deepstack_visual_indexes=[0, 1], hidden_act="gelu_pytorch_tanh"),
        text_config=dict(
            vocab_size=160, hidden_size=48, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, head_dim=16, hidden_act="silu", rms_norm_eps=1e-6, max_position_embeddings=512,
            tie_word_embeddings=True,
            rope_parameters=dict(rope_type="default", rope_theta=10000.0, mrope_section=[4, 2, 2], mrope_interleaved=True)),
    ),
    "qwen3vl-untied": dict(
        tie_word_embeddings=False,
        image_token_id=90, video_token_id=91, vision_start_token_id=92, vision_end_token_id=93,
        vision_config=dict(
            depth=2, hidden_size=24, intermediate_size=40, num_heads=2, patch_size=4, spatial_merge_size=2,
            temporal_patch_size=2, in_channels=3, out_hidden_size=40, num_position_embeddings=25,
            deepstack_visual_indexes=[1], hidden_act="gelu_pytorch_tanh"),
        text_config=dict(
            vocab_size=96, hidden_size=40, intermediate_size=56, num_hidden_layers=2, num_attention_heads=3,
            num_key_value_heads=1, head_dim=12, hidden_act="silu", rms_norm_eps=1e-5, max_position_embeddings=512,
            tie_word_embeddings=False,
            rope_parameters=dict(rope_type="default", rope_theta=5000000.0, mrope_section=[2, 2, 2], mrope_interleaved=True)),
    ),
}

GRIDS = [[1, 4, 4], [1, 4, 6], [1, 6, 8]]  # t, h, w in patches
# (text tokens before, images, text tokens between and after, completion tokens)
SEQUENCES = [(5, [0], 7, 6), (3, [2], 4, 9), (2, [1, 0], 5, 4), (11, [], 0, 8), (0, [1], 3, 5)]


def randomise(model, generator):
    """Weights large enough that a wrong place or transposition shows, small enough to stay out of saturation."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1 and "norm" in name and name.endswith("weight"):
                parameter.copy_(1 + 0.25 * noise)
            elif parameter.ndim == 1:
                parameter.copy_(0.2 * noise)
            elif "embed_tokens" in name or "pos_embed" in name or "lm_head" in name:
                parameter.copy_(0.3 * noise)
            else:
                fan_in = math.prod(parameter.shape[1:])
                parameter.copy_(noise * min(0.3, 1.5 / math.sqrt(fan_in)))


def build(folder, spec, seed):
    config = Qwen3VLConfig(**spec)
    config._attn_implementation = "eager"
    generator = torch.Generator().manual_seed(seed)
    model = Qwen3VLForConditionalGeneration._from_config(config, attn_implementation="eager").float().eval()
    randomise(model, generator)
    model.tie_weights()
    model.save_pretrained(folder, safe_serialization=True)
    for extra in ("generation_config.json",):
        if os.path.exists(os.path.join(folder, extra)):
            os.remove(os.path.join(folder, extra))

    vision = config.vision_config
    width = vision.in_channels * vision.temporal_patch_size * vision.patch_size**2
    merge = vision.spatial_merge_size**2
    tensors, images = {}, []
    for i, grid in enumerate(GRIDS):
        pixels = torch.randn((math.prod(grid), width), generator=generator)
        out = model.model.visual(pixels, grid_thw=torch.tensor([grid]))
        tensors[f"image{i}.pixel_values"] = pixels
        tensors[f"image{i}.last_hidden"] = out.last_hidden_state.detach()
        tensors[f"image{i}.pooled"] = out.pooler_output.detach()
        for j, feature in enumerate(out.deepstack_features):
            tensors[f"image{i}.deepstack{j}"] = feature.detach()
        images.append({"grid": grid, "tokens": math.prod(grid) // merge})

    plain = min(spec[k] for k in ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id"))
    sequences, loss = [], 0.0
    for i, (before, held, after, length) in enumerate(SEQUENCES):
        text = lambda n: torch.randint(0, plain, (n,), generator=generator).tolist()
        ids = text(before)
        for k in held:
            ids += [config.vision_start_token_id] + [config.image_token_id] * images[k]["tokens"]
            ids += [config.vision_end_token_id] + text(after)
        start = len(ids)
        ids += text(length)
        ids = torch.tensor([ids])
        kinds = (ids == config.image_token_id).int()
        extra = {}
        if held:
            extra = dict(pixel_values=torch.cat([tensors[f"image{k}.pixel_values"] for k in held]),
                         image_grid_thw=torch.tensor([GRIDS[k] for k in held]), mm_token_type_ids=kinds)
            positions, _ = model.model.get_rope_index(
                ids, mm_token_type_ids=kinds, image_grid_thw=extra["image_grid_thw"], attention_mask=torch.ones_like(ids))
        else:
            positions = torch.arange(ids.shape[1]).view(1, 1, -1).expand(3, 1, -1)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **extra).logits[0]
        logprobs = torch.log_softmax(logits[start - 1:-1].double(), -1)
        logprobs = logprobs.gather(1, ids[0, start:, None])[:, 0]
        weights = [round(0.1 + 0.05 * ((3 * t + i) % 7), 2) for t in range(length)]
        loss = loss - (logprobs * torch.tensor(weights, dtype=torch.float64)).sum()
        tensors[f"seq{i}.input_ids"] = ids[0].clone()
        tensors[f"seq{i}.position_ids"] = positions[:, 0].contiguous().long()
        tensors[f"seq{i}.logits"] = logits.detach().contiguous()
        tensors[f"seq{i}.logprobs"] = logprobs.detach().float().contiguous()
        sequences.append({"images": held, "completionStart": start, "length": ids.shape[1], "weights": weights})

    loss.backward()
    gradients = {}
    for name, parameter in model.named_parameters():
        grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        flat = grad.flatten().double()
        gradients[name] = {"norm": flat.norm().item(), "sum": flat.sum().item(), "first": flat[:4].tolist()}
    save_file(tensors, os.path.join(folder, "expected.safetensors"))
    with open(os.path.join(folder, "expected.json"), "w") as f:
        json.dump({"images": images, "sequences": sequences, "loss": loss.item(), "gradients": gradients}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "fixtures")
    torch.set_num_threads(1)
    for seed, (name, spec) in enumerate(CONFIGS.items(), 7):
        os.makedirs(os.path.join(out, name), exist_ok=True)
        build(os.path.join(out, name), spec, seed)
        print(name, {f: os.path.getsize(os.path.join(out, name, f)) for f in sorted(os.listdir(os.path.join(out, name)))})
