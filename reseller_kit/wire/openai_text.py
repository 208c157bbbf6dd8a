"""The text inside messages and deltas of OpenAI's dialect, for estimates of usage. Counts no tokens itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

_DECODER: Final = msgspec.json.Decoder()
_SKIPPED: Final = frozenset(
    {
        "b64_json",
        "cache_control",
        "data",
        "detail",
        "encrypted_content",
        "file_data",
        "file_id",
        "format",
        "id",
        "image_url",
        "index",
        "role",
        "signature",
        "tool_call_id",
        "type",
        "url",
        "video_url",
    }
)
"""Members that name or carry something other than text that a model reads or writes."""
_SPOKEN: Final = frozenset({"content", "refusal", "tool_calls", "function_call", "audio", "images"})
_REASONED: Final = ("reasoning_content", "reasoning", "reasoning_details", "thinking_blocks")
"""Names for the same reasoning; some upstreams send it under two, so only the first that is there counts."""
_EMPTY: Final = frozenset({b"null", b'""', b"[]", b"{}", b"false"})


def strings_in(value: Any) -> Iterator[str]:
    """Every text within decoded JSON, in order; identifiers, types, URLs and binary data are left out."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            stack.extend(reversed([part for key, part in item.items() if key not in _SKIPPED]))


def texts_in(value: Raw) -> list[str]:
    """Every text within raw JSON; all of it as it stands where it holds a number that no decoder takes."""
    try:
        return list(strings_in(_DECODER.decode(value)))
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return [bytes(value).decode(errors="replace")]


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


def text_of(value: Raw) -> str:
    """The text within one raw member; empty when it can't be decoded."""
    try:
        decoded = _DECODER.decode(value)
        return decoded if type(decoded) is str else "".join(strings_in(decoded))
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return ""


def _reasoning_of(message: Mapping[str, Raw]) -> list[Raw]:
    for name in _REASONED:
        value = message.get(name)
        if value is not None and bytes(value) not in _EMPTY:
            return [value]
    return []
