"""Fixtures of the reference's evaluation files, written by the reference's own code.

    python interop/reference_eval.py --reference CHECKOUT [--check FILE --gold GOLD]

CHECKOUT is a checkout of github dmis-lab/MRPO. Its parse_output, Answer_Evaluation and Reasoning_Evaluation run as they
are, with a client that answers by rule instead of calling an API. Without --check it writes
interop/fixtures/evaluation/{inference,gold,answers,reasoning}.json from completions of our own; with --check it runs
both evaluations on a file of `breakwater infer` and says whether think and answer are what parse_output finds.
"""
import argparse
import ast
import json
import os
import re
import shutil
import sys
import tempfile
import types

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "fixtures", "evaluation")
RAW = "Data_RAW"

# image, question, gold answer, completion
CASES = [
    ("vqa-rad/images/a1.png", "Which organ is shown?", "Liver", "<thinking>This is an abdominal CT. The liver fills the right side. 1. It is enlarged.</thinking><answer>the liver</answer>"),
    ("vqa-rad/images/a2.png", "How many lesions are there?", "2", "<thinking>This is a chest X-ray. Two nodules are seen.</thinking>\n<answer>two</answer>"),
    ("slake/images/xmlab7/source.jpg", "Which side is affected?", "Left lung", "<think>An opacity is seen on the right.</think> <answer>right lung</answer>"),
    ("slake/images/xmlab7/source.jpg", "Which side is affected?", "Left lung", "<think>A repeated row.</think> <answer>left</answer>"),
    ("pathvqa/images/p1.png", "What is seen?", "granuloma", "The tissue is inflamed. There are giant cells. <answer>granuloma</answer>"),
    ("pathvqa/images/p2.png", "What stain is used?", "H&E", "<thinking>The stain is pink and blue. It could be"),
    ("pathvqa/images/p3.png", "What fails here?", "necrosis", "<thinking>The judge will not answer. It breaks.</thinking><answer>necrosis</answer>"),
]
GOLD = {
    "Which organ is shown?": "The CT shows the abdomen. The liver is on the right and enlarged.",
    "How many lesions are there?": "The X-ray shows two nodules.",
    "Which side is affected?": "The CT shows an opacity in the left lung.",
    "What is seen?": "Giant cells form a granuloma.",
    "What fails here?": "Cells without nuclei show necrosis.",
}


class Client:
    def __init__(self, *_, **__):
        self.chat = types.SimpleNamespace(completions=types.SimpleNamespace(create=self.create))

    @staticmethod
    def create(model, messages, response_format=None):
        text = "".join(part["text"] for message in messages for part in ([{"type": "text", "text": message["content"]}] if isinstance(message["content"], str) else message["content"]) if part["type"] == "text")
        if "What fails here?" in text:
            raise RuntimeError("scripted failure")
        if response_format is None:
            content = "X" if "right lung" in text else "O"
        else:
            count = len(ast.literal_eval(text.rsplit("- Reasoning_Sentences: ", 1)[1].strip()))
            marks = {f"step{i + 1}": {"Alignment": int(i != 1), "Contribution": int(i == 2)} for i in range(count)}
            content = json.dumps({"Reasoning_Check": marks})
        return types.SimpleNamespace(choices=[types.SimpleNamespace(message=types.SimpleNamespace(content=content))])


def load(reference):
    for name, members in {"dotenv": {"load_dotenv": lambda *_, **__: None}, "openai": {"OpenAI": Client}}.items():
        module = types.ModuleType(name)
        module.__dict__.update(members)
        sys.modules[name] = module
    os.environ["OPENAI_API_KEY"] = "none"
    sys.path[:0] = [reference, os.path.join(reference, "Eval_code")]
    import Answer_Evaluation
    import Reasoning_Evaluation

    Answer_Evaluation.time.sleep = lambda _: None
    # inference.py imports torch and three model families; the one function that parses needs none of them.
    tree = ast.parse(open(os.path.join(reference, "inference.py"), encoding="utf-8").read())
    body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "parse_output"]
    scope = {"re": re}
    exec(compile(ast.Module(body, []), "inference.py", "exec"), scope)
    return Answer_Evaluation, Reasoning_Evaluation, scope["parse_output"]


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--reference", required=True)
    parser.add_argument("--check")
    parser.add_argument("--gold")
    args = parser.parse_args()
    answers, reasoning, parse_output = load(os.path.abspath(args.reference))
    if args.check:
        rows = json.load(open(args.check, encoding="utf-8"))
        different = [row for row in rows if row["text"] is not None and parse_output(row["text"]) != (row["think"], row["answer"])]
        with tempfile.TemporaryDirectory() as folder:
            answers.run_evaluation(args.check, os.path.join(folder, "answers.json"), "rule", max_workers=1)
            reasoning.run_evaluation(args.check, os.path.join(folder, "reasoning.json"), args.gold, "rule", max_workers=1)
        print(f"{len(different)} of {len(rows)} rows have another think or answer than parse_output finds")
        return
    folder = tempfile.mkdtemp()
    os.makedirs(OUT, exist_ok=True)
    os.chdir(folder)
    rows = []
    for image, problem, solution, text in CASES:
        path = os.path.join(RAW, image)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "wb").write(b"image")
        think, answer = parse_output(text)
        rows.append({"problem": problem, "image": path, "solution": solution, "text": text, "think": think, "answer": answer})
    gold = {(row["image"], row["problem"]): {"image_path": row["image"].replace("xmlab7/source", "xmlab7_source"), "question": row["problem"], "answer": row["solution"], "solution": GOLD[row["problem"]]} for row in rows if row["problem"] in GOLD}
    write("inference.json", rows)
    write("gold.json", list(gold.values()))
    answers.run_evaluation("inference.json", "answers.json", "rule", max_workers=1)
    reasoning.run_evaluation("inference.json", "reasoning.json", "gold.json", "rule", max_workers=1)
    for name in ["inference", "gold", "answers", "reasoning"]:
        shutil.copy(f"{name}.json", OUT)
    shutil.rmtree(folder)


main()
