"""Usage as a message and a stream report it: `message_start` first, then what `message_delta` replaces of it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw

from ...core.usage import Usage
from ..openai_usage import read_any_usage

_REPORT: Final = msgspec.json.Decoder(dict[str, Any])
_ENCODER: Final = msgspec.json.Encoder()


def read_usage(report: Raw) -> Usage | None:
    """What a message says was used; None if this is no usable report. Raises nothing."""
    return read_any_usage(report)


class UsageLog:
    """The reports of one stream. `usage`: what they come to, None as long as there was none of use."""

    __slots__ = ("_report", "usage")

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self._report: dict[str, Any] = {}

    def add(self, report: Raw) -> Usage | None:
        """Take a report: its figures replace those before, what it leaves out stays. What all come to."""
        try:
            found = _REPORT.decode(report)
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return self.usage
        self._report.update({name: value for name, value in found.items() if value is not None})
        self.usage = read_any_usage(_ENCODER.encode(self._report)) or self.usage
        return self.usage


def usage_body(usage: Usage) -> bytes:
    """`usage` as the JSON object that a message bears."""
    return (
        b'{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,'
        b'"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d},"output_tokens":%d,'
        b'"service_tier":"standard"}'
    ) % (
        usage.input_tokens + usage.input_audio_tokens + usage.input_image_tokens,
        usage.cache_write_tokens + usage.cache_write_1h_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.cache_write_1h_tokens,
        usage.total_output_tokens,
    )
