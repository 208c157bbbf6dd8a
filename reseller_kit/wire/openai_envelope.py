"""What surrounds the choices of an answer or a stream's chunk: what of it is kept, and in which form."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
from msgspec import Raw

from .json_body import NULL, is_given

_MAX_REASON_CHARACTERS: Final = 300
_MAX_STRING_BYTES: Final = 128
_MEMBERS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_ENCODER: Final = msgspec.json.Encoder()
_ANY: Final = msgspec.json.Decoder()
_HIDDEN_MEMBERS: Final = ("usage", "error")


def created_or_now(created: Raw) -> bytes:
    """The upstream's Unix time as JSON, or the time now if it gave no whole number of seconds."""
    given = bytes(created)
    return given if given.isdigit() and len(given) <= 12 else b"%d" % time.time()


def string_member(prefix: bytes, value: Raw) -> bytes:
    """`prefix` (`,"name":`) and the value, if it is a short string, else nothing."""
    if value == NULL:
        return b""
    given = bytes(value)
    return prefix + given if is_short_string(given) else b""


def is_short_string(value: bytes) -> bool:
    """Whether a JSON value can only be a string, and one short enough to pass on."""
    return 2 <= len(value) <= _MAX_STRING_BYTES and value.startswith(b'"') and value.endswith(b'"')


def choices_without_usage(choices: Raw) -> bytes:
    """The raw choices without what some upstreams put into them and the caller is not to see: usage, an error."""
    members = _MEMBERS.decode(choices)
    if not any(name in choice for choice in members for name in _HIDDEN_MEMBERS):
        return bytes(choices)
    return _ENCODER.encode(
        [{name: value for name, value in choice.items() if name not in _HIDDEN_MEMBERS} for choice in members]
    )


def describe_error(error: Raw) -> str:
    """An upstream's error object in one line, for logs and usage records; never for the caller."""
    if not is_given(error):
        return ""
    try:
        found: Any = _ANY.decode(error)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        found = "undecodable"
    if isinstance(found, dict):
        found = " ".join(str(found[name]) for name in ("code", "type", "message") if found.get(name) is not None)
    return str(found)[:_MAX_REASON_CHARACTERS]
