"""How a chat stream begins: chunks that say nothing but who speaks. Writes nothing."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

_EMPTY: Final = (b"null", b'""', b"[]", b"{}")


class _Choice(Struct):
    delta: dict[str, Raw]
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice]


_CHUNK: Final = msgspec.json.Decoder(_Chunk)


def opens(_name: bytes, data: bytes) -> bool:
    """Whether an event is such a chunk."""
    try:
        choices = _CHUNK.decode(data).choices
    except msgspec.MsgspecError:
        return False
    return bool(choices) and all(choice.finish_reason is None and _names_who_speaks(choice.delta) for choice in choices)


def _names_who_speaks(delta: dict[str, Raw]) -> bool:
    return "role" in delta and all(bytes(value) in _EMPTY for name, value in delta.items() if name != "role")
