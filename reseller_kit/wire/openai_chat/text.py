"""What a model wrote in messages and deltas of OpenAI's chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Raw

_SPOKEN: Final = frozenset({"content", "refusal", "tool_calls", "function_call", "audio", "images"})
_REASONED: Final = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")
"""Names for the same reasoning; some upstreams send it under two, so only the first that is there counts."""
_EMPTY: Final = frozenset({b"null", b'""', b"[]", b"{}", b"false"})


def output_of(message: Mapping[str, Raw]) -> list[Raw]:
    """The members of a message or delta that the model wrote: content, reasoning, tool calls, refusal, audio."""
    found = []
    reasoned = False
    for name, value in message.items():
        if name in _SPOKEN:
            if bytes(value) not in _EMPTY:
                found.append(value)
        elif name in _REASONED:
            reasoned = True
    return [*_reasoning_of(message), *found] if reasoned else found


def _reasoning_of(message: Mapping[str, Raw]) -> list[Raw]:
    for name in _REASONED:
        value = message.get(name)
        if value is not None and bytes(value) not in _EMPTY:
            return [value]
    return []
