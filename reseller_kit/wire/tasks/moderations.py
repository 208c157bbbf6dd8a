"""`POST /v1/moderations`. Source: OpenAI API reference, "Create moderation"."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

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
_ENCODER: Final = msgspec.json.Encoder()


class _Head(Struct):
    model: ModelName


class _Result(Struct):
    """A verdict; its categories are each model's own."""

    flagged: bool = False
    categories: dict[str, Raw] | None = None
    category_scores: dict[str, Raw] | None = None
    category_applied_input_types: dict[str, Raw] | None = None


class _Answer(Struct):
    results: list[_Result]


_HEAD: Final = msgspec.json.Decoder(_Head)
_ANSWER: Final = msgspec.json.Decoder(_Answer)
_BY_CATEGORY: Final = ("categories", "category_scores", "category_applied_input_types")
_VERDICT: Final = re.compile(rb'true|false|-?[0-9][0-9.eE+-]*|\[[a-z", ]*\]')
"""What may be said of a category: whether, how surely, and by which kinds of input."""
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


def _shown(result: _Result) -> dict[str, Any]:
    """A result as the reference has it: of a category nothing is said but a verdict."""
    shown: dict[str, Any] = {"flagged": result.flagged}
    for name in _BY_CATEGORY:
        verdicts = getattr(result, name)
        if verdicts is not None:
            shown[name] = {category: value for category, value in verdicts.items() if _VERDICT.fullmatch(value)}
    return shown


def _reader(model: str) -> Callable[[bytes, str, Prices, str], TaskAnswer]:
    def read(body: bytes, _content_type: str, prices: Prices, request_id: str) -> TaskAnswer:
        answer = read_json(_ANSWER, body)
        if not answer.results:
            raise UpstreamFailed("an answer without results", upstream_status=200)
        shown = _ENCODER.encode([_shown(one) for one in answer.results])
        name = quote("modr-" + request_id.partition("_")[2])
        sent = b'{"id":%b,"model":%b,"results":%b}' % (name, quote(model), shown)
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
