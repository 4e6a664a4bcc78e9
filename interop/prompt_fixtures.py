"""transformers' Qwen3-VL processor on the folder fixtures/tokenizer/trained (tokenizer, chat template, image settings).

Writes fixtures/prompts.json: for images of several sizes (made by image_processor_fixtures.make) the ids of the whole
prompt with the placeholders expanded. The TypeScript test writes the folder with UPDATE_FIXTURES=1.
"""

import json
import os

from PIL import Image
from transformers import AutoTokenizer
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen3_vl.processing_qwen3_vl import Qwen3VLProcessor
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor

from image_processor_fixtures import make

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
FOLDER = os.path.join(HERE, "tokenizer", "trained")

if __name__ == "__main__":
    with open(os.path.join(FOLDER, "chat_template.jinja")) as f:
        template = f.read()
    processor = Qwen3VLProcessor(Qwen2VLImageProcessor.from_pretrained(FOLDER), AutoTokenizer.from_pretrained(FOLDER),
                                 Qwen3VLVideoProcessor(), chat_template=template)
    cases = []
    for text, sizes, system in [("Which organ is shown?", [(64, 64)], None), ("Compare them.", [(100, 40), (33, 70)], "You read scans."),
                                ("What is a T2-weighted MRI?", [], None), ("Où est la lésion\u202f?\n\nBriefly.", [(20, 200)], None)]:
        content = [{"type": "image"} for _ in sizes] + [{"type": "text", "text": text}]
        messages = ([{"role": "system", "content": system}] if system else []) + [{"role": "user", "content": content}]
        prompt = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        images = [Image.fromarray(make(w, h, True)) for w, h in sizes]
        out = processor(text=[prompt], images=images or None, return_tensors="np")
        cases.append({"text": text, "sizes": sizes, "system": system, "ids": out["input_ids"][0].tolist(),
                      "grids": out["image_grid_thw"].tolist() if sizes else []})
    with open(os.path.join(HERE, "prompts.json"), "w") as f:
        json.dump(cases, f)
        f.write("\n")
