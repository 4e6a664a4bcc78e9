"""Opens a folder that the engine saved with transformers and compares log-probabilities (see README.md).

usage: check_checkpoint.py FOLDER DATA.json [--adapter PEFT_FOLDER]
DATA.json: [{"prompt": [ids], "completion": [ids], "logprobs": [...], "images": [{"grid": [t, h, w], "patches": [...]}]}]
Prints {"worst": n, "sequences": n, "missing": [...], "unexpected": [...]} and exits 1 when the worst difference
exceeds 2e-4 or a tensor is missing. An adapter is merged by hand, so that peft need not be installed.
"""

import argparse
import json
import sys

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoTokenizer, Qwen3VLForConditionalGeneration


def merge(model, folder):
    with open(f"{folder}/adapter_config.json") as f:
        config = json.load(f)
    scale = config["lora_alpha"] / config["r"]
    tensors = load_file(f"{folder}/adapter_model.safetensors")
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name in [n for n in tensors if n.endswith(".lora_A.weight")]:
            module = name.removeprefix("base_model.model.").removesuffix(".lora_A.weight")
            delta = tensors[name.replace("lora_A", "lora_B")] @ tensors[name]
            parameters[f"{module}.weight"] += scale * delta


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("data")
    parser.add_argument("--adapter")
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = AutoConfig.from_pretrained(args.folder)
    model, info = Qwen3VLForConditionalGeneration.from_pretrained(
        args.folder, config=config, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    model.eval()
    AutoTokenizer.from_pretrained(args.folder)
    if args.adapter:
        merge(model, args.adapter)
    with open(args.data) as f:
        data = json.load(f)
    worst = 0.0
    for row in data:
        ids = torch.tensor([row["prompt"] + row["completion"]])
        extra = {}
        if row["images"]:
            grids = torch.tensor([image["grid"] for image in row["images"]])
            width = len(row["images"][0]["patches"]) // int(grids[0].prod())
            pixels = torch.cat([torch.tensor(image["patches"]).view(-1, width) for image in row["images"]])
            extra = dict(pixel_values=pixels, image_grid_thw=grids, mm_token_type_ids=(ids == config.image_token_id).int())
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **extra).logits[0]
        start = len(row["prompt"])
        logprobs = torch.log_softmax(logits[start - 1:-1].double(), -1).gather(1, ids[0, start:, None])[:, 0]
        worst = max(worst, (logprobs - torch.tensor(row["logprobs"], dtype=torch.float64)).abs().max().item())
    missing, unexpected = sorted(info["missing_keys"]), sorted(info["unexpected_keys"])
    print(json.dumps({"worst": worst, "sequences": len(data), "missing": missing, "unexpected": unexpected}))
    sys.exit(0 if worst < 2e-4 and not missing and not unexpected else 1)


if __name__ == "__main__":
    main()
