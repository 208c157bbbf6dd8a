"""What surrounds the choices of an answer or a stream's chunk: what of it is kept, and in which form."""

from __future__ import annotations

import time
from typing import Final

import msgspec
from msgspec import Raw

_MEMBERS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_ENCODER: Final = msgspec.json.Encoder()
_HIDDEN_MEMBERS: Final = ("usage", "error")


def created_or_now(created: Raw) -> bytes:
    """The upstream's Unix time as JSON, or the time now if it gave no whole number of seconds."""
    given = bytes(created)
    return given if given.isdigit() and len(given) <= 12 else b"%d" % time.time()


def choices_without_usage(choices: Raw) -> bytes:
    """The raw choices without what some upstreams put into them and the caller is not to see: usage, an error."""
    members = _MEMBERS.decode(choices)
    if not any(name in choice for choice in members for name in _HIDDEN_MEMBERS):
        return bytes(choices)
    return _ENCODER.encode(
        [{name: value for name, value in choice.items() if name not in _HIDDEN_MEMBERS} for choice in members]
    )
