"""Hugging Face's own BPE trainer, encoder and decoder on the texts of fixtures/tokenizer/corpus.json.

Writes fixtures/tokenizer/expected.json: the merges that its trainer makes of the corpus in Qwen2's layout; and, with
the tokenizer.json that this project trained of the same corpus (fixtures/tokenizer/trained/), ids of assorted texts
and decodings of random ids. Run the TypeScript test first: it says how that folder is made.
"""

import json
import os
import random

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures", "tokenizer")
PATTERN = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""

if __name__ == "__main__":
    with open(os.path.join(HERE, "corpus.json")) as f:
        data = json.load(f)
    hf = Tokenizer(models.BPE())
    hf.normalizer = normalizers.NFC()
    hf.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    hf.decoder = decoders.ByteLevel()
    hf.train_from_iterator(data["corpus"], trainers.BpeTrainer(
        vocab_size=data["vocabularySize"] - 7, min_frequency=2, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[]))
    model = json.loads(hf.to_str())["model"]
    expected = {"merges": [list(m) if isinstance(m, list) else m.split(" ") for m in model["merges"]], "vocabulary": model["vocab"]}

    trained = os.path.join(HERE, "trained")
    if os.path.exists(os.path.join(trained, "tokenizer.json")):
        ours = Tokenizer.from_file(os.path.join(trained, "tokenizer.json"))
        auto = AutoTokenizer.from_pretrained(trained)
        expected["encoded"] = [ours.encode(text, add_special_tokens=False).ids for text in data["texts"]]
        for text, ids in zip(data["texts"], expected["encoded"]):
            assert auto.encode(text, add_special_tokens=False) == ids, text
        rng = random.Random(5)
        size = ours.get_vocab_size()
        cases = [[rng.randrange(size) for _ in range(rng.randrange(1, 24))] for _ in range(60)]
        # Bytes above 127 mostly: broken UTF-8 of every kind.
        cases += [[rng.choice([rng.randrange(94, 256), rng.randrange(256), size - 7]) for _ in range(rng.randrange(1, 12))] for _ in range(200)]
        expected["decoded"] = [{"ids": ids, "text": ours.decode(ids, skip_special_tokens=True)} for ids in cases]
        special = {t: auto.convert_tokens_to_ids(t) for t in ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>"]}
        expected["special"] = special
        assert auto.eos_token == "<|im_end|>" and auto.pad_token == "<|endoftext|>", (auto.eos_token, auto.pad_token)
    with open(os.path.join(HERE, "expected.json"), "w") as f:
        json.dump(expected, f, ensure_ascii=True)
        f.write("\n")
