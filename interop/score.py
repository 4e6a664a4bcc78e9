"""The whole answer reward by the libraries that the MRPO reference uses (rouge_score, NLTK, bert_score) on short clinical
answers, with small random encoders made here
-> fixtures/answer-score.json, fixtures/bert-tiny*, fixtures/roberta-tiny.
    pip install torch transformers nltk rouge-score bert-score onnx onnxscript && python interop/score.py
"""
import json
import math
import random
import re
import shutil
import string
import warnings
from pathlib import Path

import onnx
import torch
from bert_score import BERTScorer
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_score import rouge_scorer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, BertConfig, BertModel, BertForMaskedLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast, RobertaConfig, RobertaModel

OUT = Path(__file__).parent / "fixtures"
LAYER = 2

HAND = [
    ("left lower lobe", "lower left lobe"), ("2", "two"), ("two", "2"), ("MRI - T2 weighted", "MRI T2-weighted"),
    ("MRI - T2 Weighted", "mri - t2 weighted"), ("", ""), ("", "liver"), ("liver", ""), ("   ", "liver"), ("...", "liver"),
    ("?!", "?!"), ("-", "--"), (".", ","), ("“”", "\"\""), ("liver", "liver"), ("Liver.", "liver"), ("the liver", "a liver"),
    ("right lung", "left lung"), ("Right Lower Lobe", "right upper lobe"), ("lung, right", "right lung"),
    ("4", "four"), ("4.0", "4"), ("four lesions", "4 lesions"), ("twenty-one", "21"), ("twelve", "12 mm"), ("3", "5"),
    ("3.5 cm", "3.5cm"), ("3,5 cm", "3.5 cm"), ("1,000 ml", "1000 ml"), ("10 mm", "1 cm"), ("> 5 mm", "5 mm"), ("<5mm", "5mm"),
    ("50%", "50 percent"), ("1/2", "0.5"), ("±2 HU", "2 HU"), ("10^3/µL", "10 3 per uL"), ("37.5 °C", "37.5 degrees C"),
    ("x-ray", "X ray"), ("X‑ray", "x-ray"), ("chest x-ray", "CXR"), ("CT", "ct scan"), ("T1-weighted", "T1 weighted image"),
    ("contrast-enhanced CT", "CT with contrast"), ("non-contrast CT", "noncontrast CT"), ("post-op", "postoperative"),
    ("Crohn's disease", "Crohn’s disease"), ("Ménière disease", "Meniere disease"), ("œdème pulmonaire", "oedema"),
    ("心臓", "心臓"), ("心臓 肥大", "心臓"), ("心臓肥大", "心肥大"), ("сердце", "Сердце увеличено"), ("naïve B-cell", "naive B cell"),
    ("10 μm", "10 µm"), ("Straße", "strasse"), ("İleum", "ileum"), ("K", "k"), ("ﬁbrosis", "fibrosis"), ("🫁 lung", "lung"),
    ("liver\u00a0mass", "liver mass"), ("liver\u2003mass", "liver mass"), ("liver\tmass\n", "liver mass"), ("liver\u200bmass", "liver mass"),
    ("\ufeffliver", "liver"), ("liver\x00mass", "liver mass"), ("e\u0301dema", "édema"), ("<b>liver</b>", "liver"),
    ("size < 3 cm and > 2 cm", "2 to 3 cm"), ("the the the", "the"), ("the", "the the the"), ("mass mass in lung", "mass in the lung mass"),
    ("yes", "no"), ("Yes", "yes, there is"), ("no", "No."), ("none", "no abnormality"), ("unknown", "not visible"),
    ("pneumonia of the right lower lobe with effusion", "right lower lobe pneumonia"),
    ("bilateral pleural effusions", "pleural effusion, bilateral"), ("cardiomegaly", "enlarged heart"),
    ("hepatocellular carcinoma (HCC)", "HCC"), ("L4/L5 disc herniation", "disc herniation at L4-L5"), ("C5–C6", "C5-C6"),
    ("a" * 120, "a" * 119), ("x" * 101 + " lung", "lung"), ("[SEP] liver", "liver"), ("[CLS]", "liver"), ("[UNK] mass", "[MASK] mass"),
    ("liver [SEP]", "[SEP] liver"), ("#tag ##ing", "tagging"), ("a.b.c", "a b c"), ("5-FU", "5 fluorouracil"), ("IgG4-related", "IgG4 related"),
    ("right " * 60 + "lung", "right lung"), ("mass in the right lung " * 12, "mass in the right lung " * 11), ("left " * 80, "left " * 80 + "lung"),
]

SIDES = ["left", "right", "bilateral", "upper", "lower", "middle", "anterior", "posterior"]
ORGANS = ["lung", "liver", "kidney", "spleen", "heart", "brain", "pancreas", "colon", "lobe", "ventricle", "hemisphere", "aorta"]
FINDINGS = ["mass", "nodule", "effusion", "opacity", "fracture", "edema", "hemorrhage", "infarct", "calcification", "stenosis", "cyst", "consolidation"]
MODALITIES = ["CT", "MRI", "x-ray", "ultrasound", "PET", "MRI - T2 weighted", "MRI-FLAIR", "CT with contrast", "chest radiograph", "axial CT"]
NUMBERS = ["1", "2", "3", "two", "three", "4.0", "12", "twelve", "20", "twenty-one", "0.5", "1,000"]
UNITS = ["cm", "mm", "ml", "%", "HU", "mg/dL", "lesions"]


def clinical(rng: random.Random) -> str:
    kind = rng.randrange(6)
    if kind == 0:
        return f"{rng.choice(SIDES)} {rng.choice(ORGANS)}"
    if kind == 1:
        return f"{rng.choice(FINDINGS)} in the {rng.choice(SIDES)} {rng.choice(SIDES)} {rng.choice(ORGANS)}"
    if kind == 2:
        return rng.choice(MODALITIES)
    if kind == 3:
        return f"{rng.choice(NUMBERS)} {rng.choice(UNITS)}"
    if kind == 4:
        return f"{rng.choice(FINDINGS)}s and {rng.choice(FINDINGS)} of the {rng.choice(ORGANS)}"
    return rng.choice(NUMBERS + ORGANS + FINDINGS)


def vary(rng: random.Random, text: str) -> str:
    words = text.split()
    kind = rng.randrange(7)
    if kind == 0:
        rng.shuffle(words)
    elif kind == 1:
        words = [w.capitalize() for w in words]
    elif kind == 2:
        words[-1] += rng.choice([".", ",", "!", " ."])
    elif kind == 3:
        words = [rng.choice(SIDES) if w in SIDES else w for w in words]
    elif kind == 4:
        words = ["the", *words]
    elif kind == 5:
        return clinical(rng)
    return " ".join(words)


def pairs() -> list[tuple[str, str]]:
    rng = random.Random(20260705)
    out = list(HAND)
    while len(out) < 360:
        gold = clinical(rng)
        out.append((vary(rng, gold), gold))
    return out


def rouge1(prediction: str, reference: str) -> float:
    def clean(text: str) -> str:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text).lower()).strip()

    scorer = rouge_scorer.RougeScorer(["rouge1"], use_stemmer=True)
    return float(scorer.score(clean(reference), clean(prediction))["rouge1"].fmeasure)


def bleu1(prediction: str, reference: str) -> float:
    smooth = SmoothingFunction().method4
    return float(sentence_bleu([reference.split()], prediction.split(), weights=(1, 0, 0, 0), smoothing_function=smooth))


def spread(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Random weights far enough from each other that scores differ; norms and biases too."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight.copy_(1 + 0.2 * noise if name.endswith("LayerNorm.weight") else 0.25 * noise)
    return model.eval()


def bert_vocabulary() -> list[str]:
    letters = string.ascii_lowercase + string.digits
    words = sorted({w for w in re.findall(r"[a-z]+", " ".join(SIDES + ORGANS + FINDINGS + MODALITIES).lower()) if len(w) > 2})
    pieces = ["##s", "##ed", "##ing", "##ion", "##itis", "##oma", "##al", "##mo", "##nary"]
    others = list(".,;:!?-/%()<>'\"#^±°") + ["the", "of", "in", "and", "with", "two", "three", "心", "臓", "肥", "с", "##е"]
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + c for c in letters), *words, *pieces, *others]


def write_bert(dir: Path) -> BertModel:
    shutil.rmtree(dir, ignore_errors=True)
    dir.mkdir(parents=True)
    vocabulary = bert_vocabulary()
    (dir / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    (dir / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 48}) + "\n")
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48,
        max_position_embeddings=48, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )
    model = spread(BertModel(config, add_pooling_layer=False), 1)
    model.save_pretrained(dir)
    return model


def write_roberta(dir: Path, texts: list[str]) -> None:
    shutil.rmtree(dir, ignore_errors=True)
    dir.mkdir(parents=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=True, trim_offsets=True)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        pad_token="<pad>", unk_token="<unk>", mask_token="<mask>", model_max_length=60,
    )
    fast.save_pretrained(dir)
    config = RobertaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=62, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2, hidden_act="gelu_new",
        layer_norm_eps=1e-5, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )
    # In shards, as large checkpoints come.
    spread(RobertaModel(config, add_pooling_layer=False), 2).save_pretrained(dir, max_shard_size="20KB")


def write_torch_files(bert: BertModel) -> None:
    """The masked-LM state as pytorch_model.bin: today's zip layout and the one before PyTorch 1.6."""
    lm = BertForMaskedLM(bert.config)
    state = {name: value.clone() for name, value in lm.state_dict().items() if not name.startswith("bert.")}
    state |= {f"bert.{name}": value for name, value in bert.state_dict().items()}
    state["bert.embeddings.position_ids"] = torch.arange(bert.config.max_position_embeddings).expand((1, -1))
    # A view with strides of its own: same numbers, transposed in memory.
    key = "bert.encoder.layer.0.intermediate.dense.weight"
    state[key] = state[key].t().contiguous().t()
    # Names of the first checkpoints of the family.
    state = {n.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for n, v in state.items()}
    for kind, zipped in (("zip", True), ("legacy", False)):
        dir = OUT / f"bert-tiny-{kind}"
        shutil.rmtree(dir, ignore_errors=True)
        dir.mkdir(parents=True)
        for file in ("config.json", "vocab.txt", "tokenizer_config.json"):
            shutil.copy(OUT / "bert-tiny" / file, dir / file)
        torch.save(state, dir / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    torch.save({"w": torch.zeros(2), "evil": Evil()}, OUT / "bert-tiny-zip" / "evil.bin")


class Encoder(torch.nn.Module):
    """The three inputs and the one output that exports of encoders have."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor) -> torch.Tensor:
        return self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state


def write_onnx(bert: BertModel, dir: Path) -> None:
    shutil.rmtree(dir, ignore_errors=True)
    dir.mkdir(parents=True)
    bert.set_attn_implementation("eager")
    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = (torch.ones(2, 7, dtype=torch.long), torch.ones(2, 7, dtype=torch.long), torch.zeros(2, 7, dtype=torch.long))
    batch, tokens = torch.export.Dim("batch", min=1, max=512), torch.export.Dim("tokens", min=2, max=48)
    torch.onnx.export(
        Encoder(bert), example, dir / "model.onnx", input_names=names, output_names=["last_hidden_state"],
        dynamic_shapes={name: {0: batch, 1: tokens} for name in names}, external_data=False, dynamo=True, verbose=False,
    )
    slim(dir / "model.onnx")


def slim(path: Path) -> None:
    """Leaves out what the exporter notes of its own source code."""
    model = onnx.load(path)
    model.graph.ClearField("value_info")
    for part in (model, model.graph, *model.graph.node, *model.graph.initializer, *model.functions):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(model, path)


class Evil:
    """Unpickled by Python, this would call `print`; a reader of plain tensors must refuse it."""

    def __reduce__(self):
        return (print, ("executed",))


def special_around(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[int]:
    return [tokenizer.cls_token_id, *ids, tokenizer.sep_token_id]


# bert_score asks for this method for empty texts; transformers 5 has it no more.
PreTrainedTokenizerBase.build_inputs_with_special_tokens = special_around


def bert_scores(dir: Path, answers: list[str], golds: list[str]) -> list[list[float]]:
    scorer = BERTScorer(model_type=str(dir), num_layers=LAYER, lang="en", rescale_with_baseline=False, idf=False, device="cpu")
    out = []
    for answer, gold in zip(answers, golds):
        # One pair a call, as the reference does.
        p, r, f = scorer.score([answer], [gold])
        # A text of nothing but [CLS] or [SEP] has no mean; F1 is 0 there.
        out.append([None if math.isnan(v) else v for v in (float(p[0]), float(r[0]), float(f[0]))])
    return out


def main() -> None:
    warnings.simplefilter("ignore")
    rows = pairs()
    answers, golds = [a.strip() for a, _ in rows], [g.strip() for _, g in rows]
    bert = write_bert(OUT / "bert-tiny")
    write_torch_files(bert)
    write_onnx(bert, OUT / "bert-tiny-onnx")
    write_roberta(OUT / "roberta-tiny", answers + golds)
    by_bert = bert_scores(OUT / "bert-tiny", answers, golds)
    by_roberta = bert_scores(OUT / "roberta-tiny", answers, golds)
    tokenizers = {name: AutoTokenizer.from_pretrained(str(OUT / name)) for name in ("bert-tiny", "roberta-tiny")}
    scored = []
    for (raw_answer, raw_gold), answer, gold, b, r in zip(rows, answers, golds, by_bert, by_roberta):
        rouge, bleu = rouge1(answer, gold), bleu1(answer, gold)
        scored.append({
            "answer": raw_answer, "gold": raw_gold, "rouge1": rouge, "bleu1": bleu, "bert": b, "roberta": r,
            "combined": 0.25 * rouge + 0.25 * bleu + 0.5 * b[2],
            "tokens": {name: t.encode(answer, max_length=t.model_max_length, truncation=True) for name, t in tokenizers.items()},
        })
    lines = ",\n".join(json.dumps(row, ensure_ascii=True) for row in scored)
    (OUT / "answer-score.json").write_text(f'{{"layer": {LAYER}, "pairs": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"{len(scored)} pairs")


if __name__ == "__main__":
    main()
