"""`POST /v1/rerank`. Sources: Cohere API reference, "Rerank"; Jina API, "Reranker"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from ...core.errors import UpstreamFailed
from ...core.usage import Usage
from ..json_body import NULL, decode_as, quote
from ..media_usage import counted_by, rerank_meta_object, rerank_usage
from ..task import Prices, Task, TaskAnswer
from ..texts import strings_in
from .common import ModelName, encoder, read_fields, read_json, refuse

MAX_DOCUMENTS: Final = 10_000
_UNIT_DOCUMENTS: Final = 100
"""Documents in one search unit; source: Cohere, "How does pricing work": longer documents are cut into several."""
_UNIT_BYTES: Final = 500
_FIELDS: Final = (
    "model",
    "query",
    "documents",
    "top_n",
    "return_documents",
    "max_tokens_per_doc",
    "max_chunks_per_doc",
    "rank_fields",
    "priority",
)
_encode = msgspec.json.Encoder().encode


class _Head(Struct):
    model: ModelName
    query: Annotated[str, Meta(min_length=1)]
    documents: Annotated[list[Raw], Meta(min_length=1, max_length=MAX_DOCUMENTS)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    priority: int | None = None


class _Result(Struct, omit_defaults=True):
    index: Annotated[int, Meta(ge=0)]
    relevance_score: float
    document: Raw = NULL


class _Answer(Struct):
    results: list[_Result]
    usage: Raw = NULL
    meta: Raw = NULL


_HEAD: Final = msgspec.json.Decoder(_Head)
_ANSWER: Final = msgspec.json.Decoder(_Answer)
_ANY: Final = msgspec.json.Decoder()


def decode(body: bytes) -> Task:
    """Read a request. Raises InvalidRequest."""
    fields = read_fields(body, _FIELDS)
    refuse(fields, "priority", "Priorities are not offered here.")
    head = decode_as(_HEAD, body)
    count = len(head.documents)
    # A query is read with every document.
    size = sum(map(len, head.documents)) + count * len(head.query.encode())
    return Task(
        api="rerank",
        model=head.model,
        encode=encoder(fields),
        read=_reader(head.model, count),
        estimate=_estimator(head),
        inputs=count,
        input_bound=size,
        units={"request": max(-(-count // _UNIT_DOCUMENTS), -(-size // (_UNIT_BYTES * _UNIT_DOCUMENTS)))},
    )


def _reader(model: str, count: int) -> Callable[[bytes, str, Prices, str], TaskAnswer]:
    def read(body: bytes, _content_type: str, prices: Prices, request_id: str) -> TaskAnswer:
        answer = read_json(_ANSWER, body)
        if any(result.index >= count for result in answer.results):
            raise UpstreamFailed("a ranking of documents that nobody sent", upstream_status=200)

        def write(usage: Usage) -> bytes:
            return b'{"id":%b,"model":%b,"results":%b,"meta":%b,"usage":{"total_tokens":%d}}' % (
                quote("rerank-" + request_id.partition("_")[2]),
                quote(model),
                _encode(answer.results),
                _encode(rerank_meta_object(usage)),
                usage.total_input_tokens,
            )

        usage = rerank_usage(answer.meta, prices=prices) or rerank_usage(answer.usage, prices=prices)
        return TaskAnswer(usage=usage, body=write)

    return read


def _estimator(head: _Head) -> Callable[[Prices, Callable[[str], int]], Usage]:
    def estimate(prices: Prices, count: Callable[[str], int]) -> Usage:
        by = counted_by("rerank", prices)
        tokens = 0
        if by.tokens:
            texts = [text for document in head.documents for text in strings_in(_ANY.decode(document))]
            tokens = sum(map(count, texts)) + count(head.query) * len(head.documents)
        return Usage(input_tokens=tokens, requests=int(by.unit))

    return estimate
