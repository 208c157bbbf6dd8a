"""Requests for anything but a conversation: embeddings, images, speech, transcripts, moderation, ranking.

They are asked in OpenAI's own API alone and answered whole. A model may charge them by tokens, by units, or by both:
what its price list names is what counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from msgspec import Struct

from ..core.catalog import TOKEN_CLASSES, UNIT_CLASSES, PriceList
from ..core.errors import InvalidRequest
from ..core.usage import PRICE_CLASSES, Usage

TaskApi = Literal["embeddings", "images", "speech", "transcriptions", "moderations", "rerank"]

PATHS: Final[dict[TaskApi, str]] = {
    "embeddings": "/embeddings",
    "images": "/images/generations",
    "speech": "/audio/speech",
    "transcriptions": "/audio/transcriptions",
    "moderations": "/moderations",
    "rerank": "/rerank",
}
"""Below an upstream's base URL, and below `/v1` here."""

_FIELDS: Final = tuple(zip(PRICE_CLASSES, Usage.__struct_fields__, strict=False))


class TaskAnswer(Struct, frozen=True, kw_only=True):
    """A usable answer: the body for the caller, and all that it says of what was used, in tokens and in units.

    `usage`: None if it says nothing; the call is then charged by `Task.known`.
    """

    body: bytes
    content_type: str = "application/json"
    usage: Usage | None = None


class Task(Struct, frozen=True, kw_only=True):
    """One request. `input_bound`, `output_bound`: tokens at most; `units`: the most of each unit class.

    `known`: what the request itself says of the use, for an upstream that reports nothing. `encode`: the body to send,
    given the model's name there. `read`: the answer's body and content type → TaskAnswer, raises UpstreamFailed.
    """

    api: TaskApi
    model: str
    encode: Callable[[str], bytes]
    read: Callable[[bytes, str], TaskAnswer]
    content_type: str = "application/json"
    accept: str = "application/json"
    input_bound: int = 0
    output_bound: int = 0
    units: Mapping[str, int] = {}
    known: Usage = Usage()


def check_task_priced(task: Task, price_list: PriceList) -> None:
    """Raises InvalidRequest for a model whose prices say nothing of such a call: it would be given away."""
    prices = price_list.prices
    by_units = any(name in prices for name in task.units)
    by_tokens = (task.input_bound and "input" in prices) or (task.output_bound and "output" in prices)
    if not (by_units or by_tokens):
        raise InvalidRequest(f"The model {task.model!r} is not offered for {PATHS[task.api][1:]}.", param="model")


def priced_part(usage: Usage, price_list: PriceList) -> Usage:
    """The quantities that a price list charges for: units that it names, and tokens if it names a token price."""
    prices = price_list.prices
    tokens = any(name in prices for name in TOKEN_CLASSES)
    kept = {
        field: quantity
        for name, field in _FIELDS
        if (quantity := getattr(usage, field)) and (name in prices if name in UNIT_CLASSES else tokens)
    }
    reasoning = usage.reasoning_tokens if tokens else 0
    return Usage(**kept, reasoning_tokens=reasoning, irregular=usage.irregular)
