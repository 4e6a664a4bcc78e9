"""Golden files for the join of rationales: small inputs with every odd case, and what the reference's own scripts
(github dmis-lab/MRPO, Data_code/) make of them.

    git clone https://github.com/dmis-lab/MRPO /tmp/MRPO
    python interop/mrpo_join.py --reference /tmp/MRPO

writes interop/fixtures/mrpo-join/: `input/` (a data directory) and `expected/` (the four files; the data directory's
path in them reads DATA_DIR).
"""
import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OUT = Path(__file__).parent / "fixtures" / "mrpo-join"

RAD_TRAIN = [
    {"image": "images/synpic1.jpg", "question": "Where is the mass ?", "answer": "Left  lower lobe"},
    {"image": "images/synpic1.jpg", "question": "Is it normal?", "answer": "yes"},
    {"image": "images/synpic2.jpg", "question": "How many lesions?", "answer": "2"},
    {"image": "images/synpic2.jpg", "question": "What is that?\u00a0", "answer": "A cyst , simple"},
    {"image": "images/synpic3.jpg", "question": "Which organ?", "answer": "Überleitung; µ"},
    {"image": "images/synpic3.jpg", "question": "None at all?", "answer": "None"},
    {"image": "images/synpic3.jpg", "question": "No rationale for this?", "answer": "liver"},
]
RAD_TEST = [
    {"image": "images/synpic9.jpg", "question": "What modality?", "answer": "CT"},
    {"image": "images/synpic9.jpg", "question": "Air?", "answer": " Yes "},
    {"image": "images/synpic9.jpg", "question": "Quoted \"thing\"?\n", "answer": "naïve \u2028 text"},
]
SLAKE_TRAIN = [
    {"img_name": "xmlab1/source.jpg", "question": "What organ is this?", "answer": "Lung", "q_lang": "en", "content_type": "Organ"},
    {"img_name": "xmlab1/source.jpg", "question": "什么器官？", "answer": "肺", "q_lang": "zh", "content_type": "Organ"},
    {"img_name": "xmlab2/source.jpg", "question": "How many kidneys?", "answer": 2, "q_lang": "en", "content_type": "Quantity"},
    {"img_name": "xmlab2/source.jpg", "question": "Healthy?", "answer": True, "q_lang": "en"},
]
SLAKE_TEST = [
    {"img_name": "xmlab7/source.jpg", "question": "Plane?", "answer": "Axial", "q_lang": "en", "content_type": "Plane"},
    {"img_name": "xmlab7/source.jpg", "question": "平面？", "answer": "横断面", "q_lang": "zh"},
    {"img_name": "xmlab7/source.jpg", "question": "Normal?", "answer": "NO", "q_lang": "en"},
    {"img_name": "xmlab8/source.jpg", "question": "Nothing given?", "answer": None, "q_lang": "en"},
    {"img_name": "xmlab8/source.jpg", "question": "No answer key?", "q_lang": "en"},
    {"question": "No image?", "answer": "x", "q_lang": "en"},
]
PATH_TRAIN = [
    {"image": "images/train_0001.jpg", "problem": "what is present?", "solution": "necrosis"},
    {"image": "images/train_0001.jpg", "problem": "what is present ?", "solution": "Necrosis"},
    {"image": "images/train_0002.jpg", "problem": "where are the cells?", "solution": "in the a , b"},
    {"image": "", "problem": "no image", "solution": "x"},
]
PATH_TEST = [
    {"image": "images/test_0001.jpg", "problem": "what is shown?", "solution": "bone"},
    {"image": "images/test_0001.jpg", "problem": "is it bone?", "solution": "yes"},
    {"image": "images/test_0002.jpg", "problem": "nothing"},
]
MT_RAD_TRAIN = {
    "0": {"image": "synpic1.jpg", "question": "where is  the mass?", "answer": "left lower lobe", "solution": "First, a film.\nThen a mass."},
    "1": {"image": "x/y\\synpic1.jpg", "question": "Where is the mass?", "answer": "LEFT lower lobe", "solution": "A second one, same key but for the blank."},
    "1b": {"image": "synpic1.jpg", "question": "WHERE is the mass?", "answer": "LEFT lower  lobe", "solution": "Dropped as a duplicate."},
    "2": {"img_name": "", "image": "synpic2.jpg", "question": "How many lesions?", "answer": 1, "choices": ["3", "2"], "solution": "Two."},
    "3": {"image": "synpic2.jpg", "question": "How many lesions?", "answer": 2, "choices": ["3", "2"], "solution": "Index out of range, so the number itself."},
    "4": {"image": "synpic2.jpg", "question": "what is that ?", "answer": "a cyst, simple", "solution": "Cyst."},
    "5": {"image": "synpic1.jpg", "question": "Is it normal?", "answer": 0, "choices": ["Yes", "No"], "solution": "Closed."},
    "6": {"image": "synpic3.jpg", "question": "Which organ?", "answer": "überleitung;µ", "solution": None},
    "7": {"image": "synpic3.jpg", "question": "None at all?", "answer": None},
    "8": {"image": "synpic3.jpg", "question": "Unknown question?", "answer": "x", "solution": "y"},
    "9": {"question": "no image", "answer": "x"},
    "10": {"image": "synpic3.jpg", "answer": "x"},
    "11": "not an object",
}
MT_RAD_TEST = [
    {"image": "synpic9.jpg", "question": "What modality?", "answer": "CT", "solution": "Slices."},
    {"image": "synpic9.jpg", "question": "What modality?", "answer": "MR", "solution": "Same question: dropped."},
    {"image": "synpic9.jpg", "question": "what modality?", "answer": "ct", "solution": "Other case: stays; the later one counts in the evaluation."},
]
MT_SLAKE_TRAIN = [
    {"img_name": "xmlab1/source.jpg", "question": "What organ is this ?", "answer": "lung", "solution": "Lung fields."},
    {"img_name": "imgs/xmlab2/source.jpg", "question": "How many kidneys?", "answer": "2", "solution": "Two kidneys."},
    {"image": "xmlab2_source.jpg", "question": "Healthy?", "answer": True, "solution": "A boolean."},
    {"img_name": "xmlab1/source.jpg", "question": ["a", "list's"], "answer": {"k": [1, None]}, "solution": False},
]
MT_SLAKE_TEST = [{"img_name": "xmlab7/source.jpg", "question": "Plane?", "answer": "Axial", "solution": "Axial slices.\u3000"}]
MT_PATH_TRAIN = [
    {"image": "train_0001.jpg", "question": "what is present?", "answer": "necrosis", "solution": "Dead cells."},
    {"image": "train_0001.jpg", "question": "what is present ?", "answer": "necrosis", "solution": "Differs by a blank: both stay."},
    {"image": "train_0002.jpg", "question": "where are the cells ?", "answer": "in the a, b", "solution": "There."},
    {"image": "train_0001.jpg", "question": "is it?", "answer": "no", "solution": "x"},
]
MT_PATH_TEST = [{"image": "test_0001.jpg", "question": "what is shown?", "answer": "bone", "solution": "Bone."}, {"image": "test_0001.jpg", "question": "nothing", "answer": 0, "choices": [], "solution": "n"}]

INPUT = {
    "Data_RAW/vqa-rad/train.json": RAD_TRAIN,
    "Data_RAW/vqa-rad/test.json": RAD_TEST,
    "Data_RAW/slake/train.json": SLAKE_TRAIN,
    "Data_RAW/slake/test.json": SLAKE_TEST,
    "Data_RAW/pathvqa/train.json": PATH_TRAIN,
    "Data_RAW/pathvqa/test.json": PATH_TEST,
    "Medthink/R-RAD/open-end/trainset.json": MT_RAD_TRAIN,
    "Medthink/R-RAD/open-end/testset.json": MT_RAD_TEST,
    "Medthink/R-SLAKE/open-end/train.json": MT_SLAKE_TRAIN,
    "Medthink/R-SLAKE/open-end/test.json": MT_SLAKE_TEST,
    "Medthink/R-PathVQA/open-end/trainset.json": MT_PATH_TRAIN,
    "Medthink/R-PathVQA/open-end/testset.json": MT_PATH_TEST,
}
OUTPUT = [
    "Medthink/medthink_train.json",
    "Medthink/medthink_test.json",
    "Data_Preprocessed/train_open_ended.json",
    "Data_Preprocessed/test_open_ended.json",
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reference", required=True, type=Path)
    scripts = parser.parse_args().reference / "Data_code"
    shutil.rmtree(OUT, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        for name, rows in INPUT.items():
            for root in (data, OUT / "input"):
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
        for script in ("Medthink_preprocessing.py", "Preprocessing_train.py", "Preprocessing_test.py"):
            subprocess.run([sys.executable, script, "--data-dir", str(data)], cwd=scripts, check=True)
        for name in OUTPUT:
            text = (data / name).read_text(encoding="utf-8").replace(str(data), "DATA_DIR")
            path = OUT / "expected" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
