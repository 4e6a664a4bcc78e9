"""A Parquet file as the Hugging Face hub has them: images as {bytes, path} structs, two row groups, snappy and zstd."""
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

OUT = Path(__file__).parent / "fixtures" / "import"
OUT.mkdir(parents=True, exist_ok=True)


def png(colour):
    out = io.BytesIO()
    Image.new("RGB", (12, 8), colour).save(out, "PNG")
    return out.getvalue()


rows = [
    {"image": {"bytes": png((200, 10, 10)), "path": "one.png"}, "question": "Which colour?", "answer": "Red", "label": 1},
    {"image": {"bytes": png((10, 200, 10)), "path": None}, "question": "Which colour?", "answer": "grün", "label": 2},
    {"image": {"bytes": b"no image", "path": "three.png"}, "question": "Which colour?", "answer": "none", "label": 3},
    {"image": {"bytes": png((10, 10, 200)), "path": "four.png"}, "question": "", "answer": "Blue", "label": 4},
    {"image": None, "question": "No picture?", "answer": "Yes", "label": 5},
]
table = pa.Table.from_pylist(rows, schema=pa.schema([("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])), ("question", pa.string()), ("answer", pa.string()), ("label", pa.int64())]))
pq.write_table(table, OUT / "hub.parquet", row_group_size=3)
pq.write_table(pa.table({"picture": [png((1, 2, 3)), png((4, 5, 6))], "q": ["A?", "B?"], "n": pa.array([7, 8], pa.int64())}), OUT / "bytes.parquet", compression="zstd")
