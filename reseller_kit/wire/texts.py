"""The texts inside decoded and raw JSON, for estimates of usage. Counts no tokens itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw

_DECODER: Final = msgspec.json.Decoder()
_STRING: Final = msgspec.json.Decoder(str)
_NO_STRING: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
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


def text_of(value: Raw) -> str:
    """The text within one raw member; empty when it can't be decoded."""
    try:
        decoded = _DECODER.decode(value)
        return decoded if type(decoded) is str else "".join(strings_in(decoded))
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return ""


def string_or_empty(raw: bytes) -> str:
    """The string that `raw` is in JSON, whole and valid; empty if it is anything else."""
    try:
        return _STRING.decode(raw)
    except _NO_STRING:
        return ""
