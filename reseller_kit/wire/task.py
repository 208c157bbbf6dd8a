"""Requests for anything but a conversation: embeddings, images, speech, transcripts, moderation, ranking.

They are asked in OpenAI's own API, or in a `Form` of another dialect, and answered whole. A model may charge them by
tokens, by units, or by both: what its price list names is what counts (`media_usage.counted_by`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from msgspec import Struct

from ..core.errors import InvalidRequest
from ..core.usage import Usage
from .media_usage import counted_by

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

Prices = Mapping[str, int]


class TaskAnswer(Struct, frozen=True, kw_only=True):
    """A usable answer. `usage`: None if it does not say what its prices ask for. `body`: for the caller, showing it."""

    usage: Usage | None
    body: Callable[[Usage], bytes]
    content_type: str = "application/json"


class Form(Struct, frozen=True, kw_only=True):
    """A task in another dialect than OpenAI's: its path and body, given the model's name there.

    `restore`: the body of a good answer as OpenAI's API would have given it; raises UpstreamFailed.
    """

    path: Callable[[str], str]
    encode: Callable[[str], bytes]
    restore: Callable[[bytes], bytes]


class Task(Struct, frozen=True, kw_only=True):
    """One request.

    `input_bound`, `output_bound`: tokens at most, the latter for each of the `n` that are wanted; `inputs`: how many
    inputs share the former, each of which may fill a context. `units`: the most of the class that is not tokens.
    `encode`: the body to send, given the model's name there. `read`: (body, content type, prices, request id) → the
    answer; raises UpstreamFailed. `estimate`: what the call used, given prices and a count for texts, for an answer
    that does not say. `gemini`: how an upstream of Gemini's dialect is asked; None where it can't be.
    """

    api: TaskApi
    model: str
    encode: Callable[[str], bytes]
    read: Callable[[bytes, str, Prices, str], TaskAnswer]
    estimate: Callable[[Prices, Callable[[str], int]], Usage]
    content_type: str = "application/json"
    accept: str = "application/json"
    n: int = 1
    inputs: int = 1
    input_bound: int = 0
    output_bound: int = 0
    units: Mapping[str, int] = {}
    gemini: Form | None = None


def check_offered(task: Task, prices: Prices) -> None:
    """Raises InvalidRequest for a model whose prices say nothing of such a call: it would be given away."""
    if not counted_by(task.api, prices).offered:
        raise InvalidRequest(f"The model {task.model!r} is not offered for {PATHS[task.api][1:]}.", param="model")


def units_of(task: Task, prices: Prices) -> Mapping[str, int]:
    """The units that are held for: none where such calls are charged by tokens alone."""
    return {**task.units, "request": task.units.get("request", 1)} if counted_by(task.api, prices).unit else {}
