"""`POST /v1/moderations`. Source: OpenAI API reference, "Create moderation"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import InvalidRequest, UpstreamFailed
from ...core.usage import Usage
from ..json_body import decode_as, is_given, quote
from ..media_usage import counted_by, moderation_usage
from ..task import Prices, Task, TaskAnswer
from ..texts import strings_in
from .common import ModelName, encoder, read_fields, read_json

_FIELDS: Final = ("model", "input")
_NOTHING: Final = Usage()


class _Head(Struct):
    model: ModelName


class _Answer(Struct):
    results: list[Raw]


_HEAD: Final = msgspec.json.Decoder(_Head)
_ANSWER: Final = msgspec.json.Decoder(_Answer)
_ANY: Final = msgspec.json.Decoder()


def decode(body: bytes) -> Task:
    """Read a request. Raises InvalidRequest."""
    fields = read_fields(body, _FIELDS)
    head = decode_as(_HEAD, body)
    given = fields.get("input")
    if given is None or not is_given(given):
        raise InvalidRequest("input: what is to be judged is missing.", param="input")
    if bytes(given)[:1] not in {b'"', b"["}:
        raise InvalidRequest("input: expected a text or a list.", param="input")
    return Task(
        api="moderations",
        model=head.model,
        encode=encoder(fields),
        read=_reader(head.model),
        estimate=_estimator(given),
        inputs=max(1, bytes(given).count(b",")),
        input_bound=len(given),
        units={"request": 1},
    )


def _reader(model: str) -> Callable[[bytes, str, Prices, str], TaskAnswer]:
    def read(body: bytes, _content_type: str, prices: Prices, request_id: str) -> TaskAnswer:
        answer = read_json(_ANSWER, body)
        if not answer.results:
            raise UpstreamFailed("an answer without results", upstream_status=200)
        name = quote("modr-" + request_id.partition("_")[2])
        sent = b'{"id":%b,"model":%b,"results":[%b]}' % (name, quote(model), b",".join(map(bytes, answer.results)))
        # No answer reports tokens: where they are charged they are counted here.
        by = counted_by("moderations", prices)
        usage = None if by.tokens else moderation_usage(prices=prices, tokens=0)
        return TaskAnswer(usage=usage, body=lambda _usage: sent)

    return read


def _estimator(given: Raw) -> Callable[[Prices, Callable[[str], int]], Usage]:
    def estimate(prices: Prices, count: Callable[[str], int]) -> Usage:
        texts = strings_in(decode_as(_ANY, given, within="input"))
        return moderation_usage(prices=prices, tokens=sum(map(count, texts))) or _NOTHING

    return estimate
