"""Makes a Qwen3 text checkpoint of a Qwen3-VL folder's decoder: text_checkpoint.py VL_FOLDER OUT_FOLDER

The JAX backend of SkyRL's server knows text models only. The decoder of a Qwen3-VL is a Qwen3: its interleaved
rotary positions are the ordinary ones where there is no image, so both give the same log-probabilities.
"""

import json
import shutil
import sys
from pathlib import Path

from safetensors.numpy import load_file, save_file


def main(source: Path, target: Path) -> None:
    config = json.loads((source / "config.json").read_text())
    text = config["text_config"]
    target.mkdir(parents=True, exist_ok=True)
    prefix = "model.language_model."
    tensors = {
        "model." + name.removeprefix(prefix): value
        for name, value in load_file(source / "model.safetensors").items()
        if name.startswith(prefix)
    }
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    rope = text["rope_theta"]
    qwen3 = {key: value for key, value in text.items() if key not in ("model_type", "rope_scaling", "rope_theta")}
    qwen3 |= {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "dtype": "float32",
        "rope_theta": rope,
        "rope_parameters": {"rope_type": "default", "rope_theta": rope},
        "tie_word_embeddings": True,
    }
    (target / "config.json").write_text(json.dumps(qwen3, indent=2) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"):
        if (source / name).exists():
            shutil.copy(source / name, target / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
