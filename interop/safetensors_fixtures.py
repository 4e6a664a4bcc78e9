"""The same values as torch saves them in float32, float16 and bfloat16: rounding, specials and the file's bytes."""

import os

import torch
from safetensors.torch import save_file

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "safetensors")

if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    g = torch.Generator().manual_seed(3)
    special = torch.tensor([
        0.0, -0.0, 1.0, -1.0, float("inf"), float("-inf"), float("nan"), 65504.0, 65519.0, 65520.0, 1e6, -7e4,
        2.0**-14, 2.0**-15, 2.0**-24, 2.0**-25, 1.5 * 2.0**-25, 3 * 2.0**-25, 2.0**-26, 6.1e-5, 1 + 2.0**-11,
        1 + 3 * 2.0**-11, 1 + 2.0**-8, 1 + 3 * 2.0**-8, 2047.5, 2048.5, 3.4e38, 1e-40, 1023.75 * 2.0**-24])
    random = torch.randn(8, 16, generator=g) * 2.0 ** torch.randint(-27, 17, (8, 16), generator=g).float()
    values = {"special": special, "random.weight": random, "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3)}
    for name, dtype in [("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16)]:
        save_file({k: v.to(dtype) for k, v in values.items()}, os.path.join(OUT, f"{name}.safetensors"), metadata={"format": "pt"})
