"""embedContent and batchEmbedContents as an embeddings task, and its answers in this API's shape.

Source: Gemini API reference, "Embeddings".
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from ...core.errors import InvalidRequest, UpstreamFailed
from ...core.usage import Usage
from ..json_body import decode_as, parse_object
from ..task import Prices, Task, TaskAnswer
from ..tasks import embeddings, gemini_embeddings
from .contents import Content

_Dimensions = Annotated[int, Meta(ge=1, le=100_000)]


class _Wanted(Struct, rename="camel"):
    """What to embed. The type of task and the title are hints that no other API takes."""

    content: Content
    task_type: str | None = None
    task_type_: str | None = field(name="task_type", default=None)
    title: str | None = None
    output_dimensionality: _Dimensions | None = None
    output_dimensionality_: _Dimensions | None = field(name="output_dimensionality", default=None)

    @property
    def dimensions(self) -> int | None:
        """How many numbers are wanted."""
        return self.output_dimensionality or self.output_dimensionality_

    @property
    def hints(self) -> dict[str, str]:
        """Those that were given."""
        given = {"taskType": self.task_type or self.task_type_, "title": self.title}
        return {name: value for name, value in given.items() if value is not None}


class _Batch(Struct):
    requests: Annotated[list[_Wanted], Meta(min_length=1, max_length=embeddings.MAX_INPUTS)]


class _Vector(Struct):
    embedding: list[float]
    index: int = 0


class _Vectors(Struct):
    data: list[_Vector]


_WANTED: Final = msgspec.json.Decoder(_Wanted)
_BATCH: Final = msgspec.json.Decoder(_Batch)
_VECTORS: Final = msgspec.json.Decoder(_Vectors)
_ENCODER: Final = msgspec.json.Encoder()


def decode_one(body: bytes, *, model: str) -> Task:
    """A request to embedContent. Raises InvalidRequest for anything but text."""
    parse_object(body)
    return _task([decode_as(_WANTED, body)], model, "content", batch=False)


def decode_batch(body: bytes, *, model: str) -> Task:
    """A request to batchEmbedContents. Raises InvalidRequest for anything but texts that want the same dimensions."""
    parse_object(body)
    wanted = decode_as(_BATCH, body).requests
    if len({one.dimensions for one in wanted}) > 1:
        raise InvalidRequest("All requests of a batch have to want the same outputDimensionality.", param="requests")
    return _task(wanted, model, "requests", batch=True)


def _task(wanted: list[_Wanted], model: str, param: str, *, batch: bool) -> Task:
    dimensions = wanted[0].dimensions
    document: dict[str, Any] = {
        "model": model,
        "input": [_text_of(one.content, param) for one in wanted],
        "encoding_format": "float",
        **({"dimensions": dimensions} if dimensions is not None else {}),
    }
    task = embeddings.decode(_ENCODER.encode(document))
    own = gemini_embeddings.form(document["input"], dimensions, packed=False, hints=[one.hints for one in wanted])

    def read(body: bytes, content_type: str, prices: Prices, request_id: str) -> TaskAnswer:
        answer = task.read(body, content_type, prices, request_id)
        vectors = _vectors_of(answer, len(wanted))
        found = {"embeddings": vectors} if batch else {"embedding": vectors[0]}

        def write(usage: Usage) -> bytes:
            return _ENCODER.encode({**found, "usageMetadata": {"promptTokenCount": usage.total_input_tokens}})

        return replace(answer, body=write)

    return replace(task, read=read, gemini=own)


def _text_of(content: Content, param: str) -> str:
    texts = [part.text for part in content.held if part.text is not None]
    if len(texts) != len(content.held) or not any(texts):
        raise InvalidRequest("Only text can be embedded here.", param=param)
    return "\n".join(texts)


def _vectors_of(answer: TaskAnswer, count: int) -> list[dict[str, list[float]]]:
    """The vectors in the order of what was asked. Raises UpstreamFailed."""
    try:
        found = _VECTORS.decode(answer.body(Usage())).data
    except msgspec.MsgspecError as error:
        raise UpstreamFailed(f"not a list of embeddings: {error}", upstream_status=200) from None
    if len(found) != count:
        raise UpstreamFailed("another number of embeddings than was asked for", upstream_status=200)
    return [{"values": vector.embedding} for vector in sorted(found, key=lambda vector: vector.index)]
