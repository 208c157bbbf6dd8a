"""Signatures of thoughts in this dialect, where they are bytes in base64. Marks those of other makers.

See `wire.signatures`. A marked signature is base64 itself, for clients decode it. Those of the dialect's own providers
travel as they are.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec
from msgspec import Raw

from .. import signatures
from ..json_body import decode_as, quote

SKIP: Final = "skip_thought_signature_validator"
"""What a history by another model bears in place of a signature. Source: Gemini API, "Thought signatures" (FAQ)."""
_MARKED: Final = base64.b64encode(signatures.MARK.encode()).decode()
_MARKED_BYTES: Final = _MARKED.encode()
_SIGNATURES: Final = ("thoughtSignature", "thought_signature")
_STRING: Final = msgspec.json.Decoder(str)
_CONTENTS: Final = msgspec.json.Decoder(list[dict[str, Raw]] | dict[str, Raw])
_PARTS: Final = msgspec.json.Decoder(list[dict[str, Raw]] | dict[str, Raw])
_ENCODER: Final = msgspec.json.Encoder()
_URL_SAFE: Final = str.maketrans("-_", "+/")


def shown(signature: str, maker: str) -> str:
    """A signature for a caller of this dialect, marked with its maker."""
    return base64.b64encode(signatures.mark(signature, maker).encode(errors="replace")).decode()


def marked(signature: str) -> str:
    """What a caller sent, as `signatures.unmark` takes it: unpacked if it was marked, else as it is."""
    if not signature.startswith(_MARKED):
        return signature
    try:
        plain = signature.translate(_URL_SAFE)
        found = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return signature
    return found if signatures.is_marked(found) else signature


def without_foreign(contents: Raw, maker: str) -> Raw:
    """The raw turns with marked signatures of `maker` as it gave them, and without those of others and their thoughts.

    A turn that had nothing else is left out. Raises InvalidRequest only where decoding the request would have.
    """
    if _MARKED_BYTES not in bytes(contents):
        return contents
    turns = decode_as(_CONTENTS, contents, within="contents")
    kept = []
    for turn in turns if isinstance(turns, list) else [turns]:
        if _MARKED_BYTES in bytes(turn.get("parts", b"")):
            given = decode_as(_PARTS, turn["parts"], within="contents[].parts")
            parts = [own for part in (given if isinstance(given, list) else [given]) if (own := _own(part, maker))]
            if not parts:
                continue
            turn["parts"] = Raw(_ENCODER.encode(parts))
        kept.append(turn)
    return Raw(_ENCODER.encode(kept))


def _own(part: dict[str, Raw], maker: str) -> dict[str, Raw]:
    """The part as `maker` gets it; empty for a thought of another's."""
    for name in _SIGNATURES:
        given = part.get(name)
        if given is None or bytes(given)[:1] != b'"':
            continue
        signature = _STRING.decode(given)
        unpacked = marked(signature)
        if unpacked == signature:
            continue
        original = signatures.unmark(unpacked, maker)
        if original:
            return {**part, name: Raw(quote(original))}
        if "functionCall" in part or "function_call" in part:
            return {**part, name: Raw(quote(SKIP))}
        return {} if "thought" in part else {other: value for other, value in part.items() if other != name}
    return part
