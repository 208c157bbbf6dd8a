"""`POST /v1/audio/speech`. Source: OpenAI API reference, "Create speech".

The answer is the sound itself, which says nothing of its use: speech is charged by the characters of its text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from ...core.errors import InvalidRequest, UpstreamFailed
from ...core.usage import Usage
from ..json_body import decode_as
from ..media_usage import speech_usage
from ..task import Prices, Task, TaskAnswer
from .common import ModelName, encoder, read_fields, refuse

MAX_CHARACTERS: Final = 100_000
_FIELDS: Final = ("model", "input", "voice", "instructions", "response_format", "speed", "stream_format", "stream")
_SOUND: Final = ("audio/", "application/octet-stream")


class _Head(Struct):
    model: ModelName
    input: Annotated[str, Meta(min_length=1, max_length=MAX_CHARACTERS)]
    stream_format: str | None = None


_HEAD: Final = msgspec.json.Decoder(_Head)


def decode(body: bytes) -> Task:
    """Read a request. Raises InvalidRequest."""
    fields = read_fields(body, _FIELDS)
    refuse(fields, "stream", "Speech is not streamed as events here; leave `stream` out.")
    head = decode_as(_HEAD, body)
    if head.stream_format not in {None, "audio"}:
        raise InvalidRequest('Only the stream format "audio" is offered here.', param="stream_format")
    return Task(
        api="speech",
        model=head.model,
        encode=encoder(fields),
        read=_reader(head.input),
        estimate=_estimator(head.input),
        accept="*/*",
        units={"characters": len(head.input)},
    )


def _reader(text: str) -> Callable[[bytes, str, Prices, str], TaskAnswer]:
    def read(body: bytes, content_type: str, prices: Prices, _request_id: str) -> TaskAnswer:
        kind = content_type.partition(";")[0].strip().lower()
        if not body or not kind.startswith(_SOUND):
            raise UpstreamFailed(f"an answer without sound: {kind[:60]!r}", upstream_status=200)
        return TaskAnswer(usage=speech_usage(text, prices=prices), body=lambda _usage: body, content_type=kind)

    return read


def _estimator(text: str) -> Callable[[Prices, Callable[[str], int]], Usage]:
    def estimate(_prices: Prices, _count: Callable[[str], int]) -> Usage:
        return Usage(characters=len(text))

    return estimate
