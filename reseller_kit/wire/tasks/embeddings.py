"""`POST /v1/embeddings`. Source: OpenAI API reference, "Create embeddings"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from ...core.errors import UpstreamFailed
from ...core.usage import Usage
from ..json_body import NULL, decode_as, quote
from ..known import Known, names
from ..media_usage import counted_by, embeddings_usage, embeddings_usage_object
from ..task import Prices, Task, TaskAnswer
from . import gemini_embeddings
from .common import ModelName, encoder, read_fields, read_json, refuse

MAX_INPUTS: Final = 2048
_FIELDS: Final = ("model", "input", "encoding_format", "dimensions", "user", "stream")
_encode = msgspec.json.Encoder().encode

_Token = Annotated[int, Meta(ge=0)]
_Tokens = Annotated[list[_Token], Meta(min_length=1)]


class _Head(Struct):
    model: ModelName
    dimensions: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    encoding_format: str | None = None


class _Answer(Struct):
    data: list[Raw]
    usage: Raw = NULL


_HEAD: Final = msgspec.json.Decoder(_Head)
_ANSWER: Final = msgspec.json.Decoder(_Answer)
_VECTOR: Final = Known(names("object index embedding"))
_ANY: Final = msgspec.json.Decoder()
_ONE: Final = msgspec.json.Decoder(Annotated[str, Meta(min_length=1)])
_TEXTS: Final = msgspec.json.Decoder(Annotated[list[str], Meta(min_length=1, max_length=MAX_INPUTS)])
_TOKENS: Final = msgspec.json.Decoder(_Tokens)
_TOKEN_LISTS: Final = msgspec.json.Decoder(Annotated[list[_Tokens], Meta(min_length=1, max_length=MAX_INPUTS)])


def decode(body: bytes) -> Task:
    """Read a request. Raises InvalidRequest."""
    fields = read_fields(body, _FIELDS)
    refuse(fields, "stream", "Embeddings are not streamed.")
    head = decode_as(_HEAD, body)
    texts, tokens = _inputs(fields.get("input", Raw(b"null")))
    return Task(
        api="embeddings",
        model=head.model,
        encode=encoder(fields),
        read=_reader(head.model),
        estimate=_estimator(texts, tokens),
        inputs=max(len(texts), len(tokens)),
        # A token of text is at least one byte, and so is a token that is given as a number.
        input_bound=len(fields["input"]),
        units={"request": 1},
        gemini=gemini_embeddings.form(texts, head.dimensions, packed=head.encoding_format == "base64")
        if texts
        else None,
    )


def _inputs(raw: Raw) -> tuple[list[str], list[int]]:
    """Texts, or the lengths of inputs that are given as tokens."""
    given = decode_as(_ANY, raw, within="input")
    if isinstance(given, str):
        return [decode_as(_ONE, raw, within="input")], []
    if isinstance(given, list) and given and isinstance(given[0], str):
        return decode_as(_TEXTS, raw, within="input"), []
    if isinstance(given, list) and given and isinstance(given[0], list):
        return [], [len(tokens) for tokens in decode_as(_TOKEN_LISTS, raw, within="input")]
    return [], [len(decode_as(_TOKENS, raw, within="input"))]


def _reader(model: str) -> Callable[[bytes, str, Prices, str], TaskAnswer]:
    def read(body: bytes, _content_type: str, prices: Prices, _request_id: str) -> TaskAnswer:
        answer = read_json(_ANSWER, body)
        if not answer.data:
            raise UpstreamFailed("an answer without embeddings", upstream_status=200)

        def write(usage: Usage) -> bytes:
            shown = _encode(embeddings_usage_object(usage))
            data = b",".join([bytes(_VECTOR.only(one)) for one in answer.data])
            return b'{"object":"list","data":[%b],"model":%b,"usage":%b}' % (data, quote(model), shown)

        return TaskAnswer(usage=embeddings_usage(answer.usage, prices=prices), body=write)

    return read


def _estimator(texts: list[str], tokens: list[int]) -> Callable[[Prices, Callable[[str], int]], Usage]:
    def estimate(prices: Prices, count: Callable[[str], int]) -> Usage:
        by = counted_by("embeddings", prices)
        known = sum(tokens) + sum(map(count, texts))
        return Usage(input_tokens=known if by.tokens else 0, requests=int(by.unit))

    return estimate
