"""Bodies of the Tinker API in binary form, by the official SDK.

wire_fixtures.py          writes ../fixtures/tinker-wire.json: bytes (base64) and the values in them
wire_fixtures.py FILE     reads a request that we encoded (raw or zstd) and prints its values as JSON
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import tinker.types as types
import zstandard
from tinker.proto import tinker_public_pb2 as pb
from tinker.proto.request_conv import forward_backward_request_to_proto
from tinker.proto.response_conv import deserialize_sample_response
from tinker.types.forward_backward_input import ForwardBackwardInput
from tinker.types.forward_backward_request import ForwardBackwardRequest

DTYPES = {pb.DTYPE_FLOAT32: ("float32", np.float32), pb.DTYPE_INT64: ("int64", np.int64)}


def values_of(body: bytes) -> dict:
    """A ForwardBackwardRequest as plain values."""
    message = pb.ForwardBackwardRequest()
    message.ParseFromString(body)
    data = []
    for datum in message.data:
        chunks = []
        for chunk in datum.model_input:
            if chunk.WhichOneof("chunk") == "encoded_text":
                tokens = np.frombuffer(chunk.encoded_text.tokens, dtype=np.int32).tolist()
                chunks.append({"kind": "text", "tokens": tokens})
            else:
                image = chunk.image
                chunks.append({
                    "kind": "image",
                    "data": base64.b64encode(image.data).decode(),
                    "format": image.format,
                    "expectedTokens": image.expected_tokens,
                })
        inputs = {}
        for name, tensor in datum.loss_fn_inputs.items():
            dtype, numpy_type = DTYPES[tensor.dtype]
            data_of = np.frombuffer(tensor.dense, dtype=numpy_type).tolist()
            inputs[name] = {"dtype": dtype, "data": data_of, "shape": list(tensor.shape)}
        data.append({"chunks": chunks, "inputs": inputs})
    return {
        "modelId": message.model_id,
        "seqId": message.seq_id,
        "forwardOnly": message.forward_only,
        "lossName": message.loss_fn,
        "lossConfig": dict(message.loss_fn_config),
        "lossConfigV2": {key: value.number for key, value in message.loss_fn_config_v2.items()},
        "data": data,
    }


def request() -> bytes:
    image = types.ImageChunk(data=bytes(range(40)), format="png", expected_tokens=6)
    text = lambda *tokens: types.EncodedTextChunk(tokens=list(tokens))  # noqa: E731

    def tensor(values: list, dtype: str) -> types.TensorData:
        return types.TensorData(data=values, dtype=dtype, shape=[len(values)])

    data = [
        types.Datum(
            model_input=types.ModelInput(chunks=[text(5, 151643, 7)]),
            loss_fn_inputs={
                "target_tokens": tensor([151643, 7, 9], "int64"),
                "weights": tensor([0.0, 1.0, 1.0], "float32"),
                "advantages": tensor([0.0, -0.75, 2.5], "float32"),
                "logprobs": tensor([0.0, -1.5, -0.125], "float32"),
            },
        ),
        types.Datum(
            model_input=types.ModelInput(chunks=[text(1), image, text(2, 3)]),
            loss_fn_inputs={"target_tokens": tensor([4] * 9, "int64"), "weights": tensor([0.5] * 9, "float32")},
        ),
    ]
    inner = ForwardBackwardInput(
        data=data, loss_fn="ppo", loss_fn_config={"clip_low_threshold": 0.8, "clip_high_threshold": 1.25}
    )
    message = forward_backward_request_to_proto(
        ForwardBackwardRequest(forward_backward_input=inner, model_id="model_1", seq_id=300)
    )
    message.forward_only = True
    return message.SerializeToString()


def pass_output() -> tuple[bytes, dict]:
    rows = {"logprobs": [[-1.5, -0.25], [], [-3.0]], "elementwise_loss": [[1.5, 0.5], [], [0.0]]}
    message = pb.ForwardBackwardOutput(loss_fn_output_type="scalar")
    message.metrics["loss:sum"] = 2.5
    record = message.loss_fn_outputs.add()
    record.num_datums = 3
    for name, arrays in rows.items():
        arrays = [np.asarray(a, dtype=np.float32) for a in arrays]
        offsets = np.cumsum([0, *(a.nbytes for a in arrays)], dtype=np.int64)
        record.fields[name].CopyFrom(
            pb.BatchedTensor(data=b"".join(a.tobytes() for a in arrays), offsets=offsets.tobytes(), dtype=pb.DTYPE_FLOAT32)
        )
    half = np.asarray([1.5, -2.0, 0.25], dtype=np.float32).view(np.uint32) >> 16
    record.fields["half"].CopyFrom(
        pb.BatchedTensor(
            data=half.astype(np.uint16).tobytes(),
            offsets=np.asarray([0, 2, 4, 6], dtype=np.int64).tobytes(),
            dtype=pb.DTYPE_BFLOAT16,
        )
    )
    rows["half"] = [[1.5], [-2.0], [0.25]]
    values = [{name: {"data": rows[name][i]} for name in rows} for i in range(3)]
    return message.SerializeToString(), {"loss_fn_outputs": values, "metrics": {"loss:sum": 2.5}}


def sample_response() -> tuple[bytes, dict]:
    message = pb.SampleResponse()
    sequences = [("stop", [3, 151645], [-0.5, -2.0]), ("length", [1, 2, 3], [-1.0, -1.25, 0.0])]
    for reason, tokens, logprobs in sequences:
        message.sequences.append(
            pb.SampledSequence(
                stop_reason=pb.STOP_REASON_STOP if reason == "stop" else pb.STOP_REASON_LENGTH,
                tokens=np.asarray(tokens, dtype=np.int32).tobytes(),
                logprobs=np.asarray(logprobs, dtype=np.float32).tobytes(),
            )
        )
    message.prompt_logprobs = np.asarray([np.nan, -0.5], dtype=np.float32).tobytes()
    body = message.SerializeToString()
    decoded = deserialize_sample_response(body)
    assert [s.tokens for s in decoded.sequences] == [tokens for _, tokens, _ in sequences]
    return body, {
        "sequences": [{"stop_reason": r, "tokens": t, "logprobs": p} for r, t, p in sequences],
        "prompt_logprobs": [None, -0.5],
    }


def main() -> None:
    if len(sys.argv) > 1:
        body = Path(sys.argv[1]).read_bytes()
        if body[:4] == b"\x28\xb5\x2f\xfd":
            body = zstandard.ZstdDecompressor().decompress(body, max_output_size=1 << 30)
        print(json.dumps(values_of(body)))
        return
    encode = lambda body: base64.b64encode(body).decode()  # noqa: E731
    body = request()
    out, out_values = pass_output()
    sample, sample_values = sample_response()
    fixture = {
        "request": {"bytes": encode(body), "values": values_of(body)},
        "passOutput": {"bytes": encode(out), "values": out_values},
        "sample": {"bytes": encode(sample), "values": sample_values},
    }
    path = Path(__file__).parent.parent / "fixtures" / "tinker-wire.json"
    path.write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
