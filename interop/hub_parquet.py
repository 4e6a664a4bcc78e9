"""Small Parquet files in the hub's form (an image is a struct of bytes and path), written by pyarrow.

    python interop/hub_parquet.py

writes interop/fixtures/hub-parquet/. A picture's bytes are its name, repeated.
"""
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

OUT = Path(__file__).parent / "fixtures" / "hub-parquet"
IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
JPEG, PNG = b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"


def picture(name: str, head: bytes = JPEG) -> bytes:
    return head + f"[{name}]".encode() * 40


def write(name: str, columns: dict, rows_per_group: int = 2, **options) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), OUT / name, row_group_size=rows_per_group, **options)


def images(entries) -> pa.Array:
    return pa.array([None if entry is None else {"bytes": entry[0], "path": entry[1]} for entry in entries], IMAGE)


def main() -> None:
    # PathVQA: train_0001 and train_0002 have names at MedThink, "unknown" has none and "nameless" has no path either.
    write(
        "pathvqa-train-0.parquet",
        {
            "image": images([(picture("a"), None), (picture("a"), None), (picture("b"), "x.jpg")]),
            "question": ["what is present?", "is it bone?", "where are the cells?"],
            "answer": ["necrosis", "no", "in the a, b"],
        },
    )
    write(
        "pathvqa-train-1.parquet",
        {
            "image": images([(picture("unknown"), "folder/own.jpg"), (picture("nameless"), None)]),
            "question": ["what else?", "naïve – question?"],
            "answer": ["nothing", None],
        },
        compression="zstd",
    )
    write(
        "pathvqa-test.parquet",
        {"image": images([(picture("t"), None), (picture("t"), None)]), "question": ["what is shown?", "is it bone?"], "answer": ["bone", "yes"]},
    )
    write(
        "quilt.parquet",
        {
            "image": images([(picture("q0"), "0.jpg"), (picture("q1", PNG), "1.png"), (picture("q2"), "2.jpg"), None]),
            "question": ["What stain?", "Is it?", "What cells?", "Lost picture?"],
            "answer": ["It is H&E.", "Yes, it is.", "Lymphocytes.", "x"],
            "answer_type": ["OPEN", "CLOSED", "OPEN", "OPEN"],
            "context": ["c"] * 4,
        },
    )
    metadata = pa.array([{"content_type": "anatomy", "modality": "CT"}, {"content_type": "abnormality", "modality": "MR"}, {"content_type": "pathology", "modality": "CT"}])
    write(
        "rad.parquet",
        {
            "image": images([(picture("r0", PNG), None), (picture("r1"), None), (picture("r2"), None)]),
            "question": ["What organ?", "Is there an abnormality?", "Which pathology?"],
            "answer": ["brain", "no", "cyst"],
            "question_type": ["open", "closed", "open"],
            "metadata": metadata,
        },
        rows_per_group=100,
        compression="none",
    )


if __name__ == "__main__":
    main()
