"""embedContent and batchEmbedContents as embeddings: what is asked of the upstream, and what the caller gets."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest, UpstreamFailed
from reseller_kit.core.usage import Usage
from reseller_kit.wire.gemini import decode_batch, decode_one
from reseller_kit.wire.task import Task
from reseller_kit.wire.tasks import embeddings as openai_embeddings

_PRICES = {"input": 1}


def wanted(*texts: str, **members: Any) -> dict[str, Any]:
    return {"content": {"parts": [{"text": text} for text in texts]}, **members}


def one(document: Any) -> Task:
    return decode_one(json.dumps(document).encode(), model="aurora-embed")


def many(*documents: Any) -> Task:
    return decode_batch(json.dumps({"requests": documents}).encode(), model="aurora-embed")


def answer(*vectors: tuple[int, Any]) -> bytes:
    data = [{"object": "embedding", "index": index, "embedding": values} for index, values in vectors]
    return json.dumps({"data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}}).encode()


def test_a_text_is_asked_for_and_shown() -> None:
    task = one(wanted("A", "B", output_dimensionality=8, taskType="RETRIEVAL_QUERY", model="models/other"))
    assert (task.api, task.model, task.inputs) == ("embeddings", "aurora-embed", 1)
    assert json.loads(task.encode("up")) == {
        "model": "up",
        "input": ["A\nB"],
        "encoding_format": "float",
        "dimensions": 8,
    }
    read = task.read(answer((0, [0.5, 1])), "application/json", _PRICES, "req_1")
    assert read.usage == Usage(input_tokens=3)
    assert json.loads(read.body(Usage(input_tokens=7))) == {
        "embedding": {"values": [0.5, 1.0]},
        "usageMetadata": {"promptTokenCount": 7},
    }


def test_an_upstream_of_the_same_api_gets_the_hints_as_well() -> None:
    form = one(wanted("A", outputDimensionality=8, task_type="RETRIEVAL_QUERY", title="T")).gemini
    assert form is not None
    assert form.path("models/odd name") == "/models/odd%20name:batchEmbedContents"
    assert json.loads(form.encode("up")) == {
        "requests": [
            {
                "model": "models/up",
                "content": {"parts": [{"text": "A"}]},
                "outputDimensionality": 8,
                "taskType": "RETRIEVAL_QUERY",
                "title": "T",
            }
        ]
    }
    answered = b'{"embeddings":[{"values":[0.5,1]}],"usageMetadata":{"promptTokenCount":3}}'
    assert json.loads(form.restore(answered)) == {
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}],
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    assert "usage" not in json.loads(form.restore(b'{"embeddings":[{"values":[]}]}'))


def test_an_openai_caller_gets_numbers_as_it_wants_them() -> None:
    body = b'{"model":"m","input":["A"],"encoding_format":"base64"}'
    form = openai_embeddings.decode(body).gemini
    assert form is not None
    (vector,) = json.loads(form.restore(b'{"embeddings":[{"values":[0.5,1]}]}'))["data"]
    assert struct.unpack("<2f", base64.b64decode(vector["embedding"])) == (0.5, 1.0)
    for answered in (b"", b'{"embeddings":[]}', b'{"embeddings":[{"values":[1e300]}]}', b'{"error":{"code":500}}'):
        with pytest.raises(UpstreamFailed):
            form.restore(answered)
    assert openai_embeddings.decode(b'{"model":"m","input":[1,2]}').gemini is None


def test_texts_come_back_in_their_order() -> None:
    task = many(wanted("A", outputDimensionality=2), wanted("B", output_dimensionality=2))
    assert json.loads(task.encode("up"))["input"] == ["A", "B"]
    read = task.read(answer((1, [2]), (0, [1])), "application/json", _PRICES, "req_1")
    assert json.loads(read.body(Usage(input_tokens=3)))["embeddings"] == [{"values": [1.0]}, {"values": [2.0]}]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"content": {}},
        wanted(""),
        {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}},
        wanted("A", outputDimensionality=0),
        [],
    ],
)
def test_what_is_no_text_is_refused(document: Any) -> None:
    for decode in (one, many):
        with pytest.raises(InvalidRequest):
            decode(document)


def test_one_batch_has_one_size_and_something_in_it() -> None:
    for documents in ((wanted("A", outputDimensionality=1), wanted("B")), ()):
        with pytest.raises(InvalidRequest):
            many(*documents)


@pytest.mark.parametrize("body", [b"", answer(), answer((0, "AAAA")), answer((0, [1]), (1, [1]))])
def test_what_are_no_embeddings_fails(body: bytes) -> None:
    with pytest.raises(UpstreamFailed):
        one(wanted("A")).read(body, "application/json", _PRICES, "req_1")


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for decode in (decode_one, decode_batch):
        for reading in (body, b'{"content":{"parts":[' + body + b"]}}"):
            try:
                decode(reading, model="m")
            except InvalidRequest:
                continue
