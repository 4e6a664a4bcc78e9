"""transformers' Qwen2-VL image processors (Pillow and torchvision) on images made by a formula.

The image of width W and height H has at (x, y), channel c: ((x*x*(3+c) + y*(17+5c) + x*y*(c+1)) // 7 + 40*c) % 256,
and with "smooth": (x*255//max(W-1,1) * (3-c) + y*255//max(H-1,1) * (c+1)) // 4. The TypeScript test makes the same.
Kept per case: the grid, SHA-256 of the resized 8-bit pixels (Pillow), some values of pixel_values by [row, column], and
how far the pixels of transformers' default (torchvision) processor are from these (mean and largest, 8-bit levels).
"""

import hashlib
import json
import os

import numpy as np
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "image-processor.json")
CONFIGS = {
    "qwen3-vl": dict(patch_size=16, temporal_patch_size=2, merge_size=2, size={"shortest_edge": 65536, "longest_edge": 16777216},
                     image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5]),
    "qwen2.5-vl": dict(patch_size=14, temporal_patch_size=2, merge_size=2, min_pixels=3136, max_pixels=250000,
                       image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711]),
    "small": dict(patch_size=8, temporal_patch_size=2, merge_size=2, size={"shortest_edge": 1024, "longest_edge": 4096},
                  image_mean=[0.5, 0.4, 0.3], image_std=[0.2, 0.3, 0.4]),
}
SIZES = [(64, 64), (1, 1), (5, 3), (16, 16), (40, 24), (56, 56), (63, 65), (70, 42), (72, 40), (100, 100), (128, 96), (199, 1),
         (1, 199), (200, 150), (224, 224), (257, 129), (301, 517), (640, 80), (333, 777), (1024, 300), (512, 512), (20000, 101)]


def make(w, h, smooth):
    x, y = np.arange(w, dtype=np.int64)[None, :, None], np.arange(h, dtype=np.int64)[:, None, None]
    c = np.arange(3, dtype=np.int64)[None, None]
    if smooth:
        v = (x * 255 // max(w - 1, 1) * (3 - c) + y * 255 // max(h - 1, 1) * (c + 1)) // 4
    else:
        v = ((x * x * (3 + c) + y * (17 + 5 * c) + x * y * (c + 1)) // 7 + 40 * c) % 256
    return np.broadcast_to(v, (h, w, 3)).astype(np.uint8)


if __name__ == "__main__":
    cases = []
    for name, config in CONFIGS.items():
        pil, fast = Qwen2VLImageProcessorPil(**config), Qwen2VLImageProcessor(**config)
        for i, (w, h) in enumerate(SIZES):
            if name == "qwen3-vl" and w * h > 100000:
                continue
            smooth = i % 2 == 0
            image = Image.fromarray(make(w, h, smooth))
            grid = pil(images=[image], return_tensors="np")["image_grid_thw"][0].tolist()
            p = config["patch_size"]
            # Across, then down, as torchvision does and Pillow did; Pillow 13 goes down first where that is cheaper.
            resized = image.resize((grid[2] * p, h), Image.BICUBIC).resize((grid[2] * p, grid[1] * p), Image.BICUBIC)
            a = pil(images=[resized], do_resize=False, return_tensors="np")
            assert a["image_grid_thw"][0].tolist() == grid
            values = np.asarray(a["pixel_values"], dtype=np.float32)
            b = fast(images=[image], return_tensors="np")
            assert b["image_grid_thw"][0].tolist() == grid
            std = np.repeat(np.array(config["image_std"]), values.shape[1] // 3)
            levels = np.abs(values - b["pixel_values"]) * std * 255
            rows, columns = values.shape
            places = [[r, q] for r in sorted({0, 1, 2, rows // 2 + 1, rows - 1}) for q in (0, p + 3, columns // 2, columns - 1)]
            cases.append({
                "config": name, "width": w, "height": h, "smooth": smooth, "grid": grid,
                "sha256": hashlib.sha256(resized.tobytes()).hexdigest(),
                "values": [[r, q, round(float(values[r, q]), 6)] for r, q in places],
                "sum": float(values.astype(np.float64).sum()),
                "torchvision": {"mean": round(float(levels.mean()), 4), "max": round(float(levels.max()), 3)},
            })
    with open(OUT, "w") as f:
        json.dump({"configs": CONFIGS, "cases": cases}, f)
        f.write("\n")
    print(len(cases), "cases; torchvision differs by at most", max(c["torchvision"]["max"] for c in cases), "levels")
