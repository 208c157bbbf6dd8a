"""Marked thoughts in the raw turns of a request: those of another maker are taken out. Knows no other block.

See `wire.signatures`. A thought without a signature is marked like any other, so that it goes to nobody.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from ..json_body import NULL, decode_as, encode_object, quote
from ..signatures import MARK, unmark

OF_CALL: Final = "call:"
"""Before the mark of a signature that belongs to the tool call in front of the block."""


class _Thought(Struct):
    type: str = ""
    signature: str = ""
    data: str = ""


_THOUGHT: Final = msgspec.json.Decoder(_Thought)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_OBJECTS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_BLOCKS: Final = msgspec.json.Decoder(list[Raw])
_MEMBER: Final = {"thinking": "signature", "redacted_thinking": "data"}
_ENCODER: Final = msgspec.json.Encoder()
_MARK_BYTES: Final = MARK.encode()


def without_foreign(messages: Raw, maker: str) -> Raw:
    """The turns without marked thoughts of other makers; those of `maker` get their own signatures back.

    A turn that had nothing else is left out. Raises InvalidRequest only where decoding the request would have.
    """
    kept = []
    for message in decode_as(_OBJECTS, messages, within="messages"):
        content = message.get("content", NULL)
        if _MARK_BYTES in bytes(content) and bytes(content)[:1] == b"[":
            blocks = [block for raw in _BLOCKS.decode(content) if (block := _own(raw, maker)) is not None]
            if not blocks:
                continue
            message["content"] = Raw(_ENCODER.encode(blocks))
        kept.append(message)
    return Raw(_ENCODER.encode(kept))


def _own(raw: Raw, maker: str) -> Raw | None:
    """The block as its maker gets it; None for another's."""
    if _MARK_BYTES not in bytes(raw):
        return raw
    try:
        thought = _THOUGHT.decode(raw)
    except msgspec.ValidationError:
        return raw
    member = _MEMBER.get(thought.type)
    signature = thought.signature if member == "signature" else thought.data
    if member is None or not signature.removeprefix(OF_CALL).startswith(MARK):
        return raw
    original = unmark(signature, maker)
    if not original:
        return None
    return Raw(encode_object({**_OBJECT.decode(raw), member: Raw(quote(original))}))
