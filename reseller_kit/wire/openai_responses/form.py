"""The form of the pieces of one item: recognises an event by the bytes around its number, its text and its padding.

An event that differs from one seen before in these alone means the same but for its text, so nothing else of it is
decoded. See `wire.openai_template` for the same of chat streams.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Struct

from ..json_body import NULL
from .events import Piece

_STRING: Final = msgspec.json.Decoder(str)
_NUMBER: Final = b'"sequence_number":'
_DELTA: Final = b'"delta":'
_PAD: Final = re.compile(rb'"[A-Za-z0-9+/=_-]{0,64}"\}')
_NUMERAL: Final = re.compile(rb"0|[1-9][0-9]{0,14}")


class Form(Struct, frozen=True):
    """`head`, number, `middle`, text, `mark`, and the rest: padding and the end, or the end alone.

    `sent_middle`: what stands for `middle` where the event is passed on. `middle` ends and `mark` begins with the
    quotes of the text.
    """

    head: bytes
    middle: bytes
    sent_middle: bytes
    mark: bytes
    padded: bool


class Match(Struct, frozen=True):
    """An event of a known form: its number, its text, and what is passed on for it."""

    number: int
    text: str
    sent: bytes


NO_FORM: Final = Form(b"\n\n", b"", b"", b"", padded=False)
"""Fits nothing."""


def form_of(block: bytes, piece: Piece, upstream_id: bytes, own_id: bytes) -> Form:
    """The form of an event in which one raw id is replaced by another; `NO_FORM` if its parts can't be told apart."""
    number, text, pad = b"%d" % (piece.sequence_number or 0), bytes(piece.delta), bytes(piece.obfuscation)
    head, found, rest = block.partition(_NUMBER + number)
    middle, delta, tail = rest.partition(_DELTA + text)
    padded = piece.obfuscation is not NULL
    end = (pad if padded else b"") + b"}"
    if not (found and delta and text.startswith(b'"') and rest.count(_DELTA) == 1 and tail.endswith(end)):
        return NO_FORM
    if not block.startswith(b"event: ") or block.count(b"\n") != 1 or upstream_id in head or middle[:1] != b",":
        return NO_FORM
    middle += _DELTA + b'"'
    mark = b'"' + tail[: -len(end)]
    if padded and len(mark) == 1:
        return NO_FORM
    return Form(head + _NUMBER, middle, middle.replace(upstream_id, own_id), mark, padded)


def match(form: Form, block: bytes) -> Match | None:
    """The event, if it is of this form and its text is whole."""
    if not block.startswith(form.head):
        return None
    number, found, rest = block[len(form.head) :].partition(form.middle)
    if not found or _NUMERAL.fullmatch(number) is None:
        return None
    if form.padded:
        raw, found, pad = rest.partition(form.mark)
        if not found or _PAD.fullmatch(pad) is None:
            return None
    else:
        raw = rest[: -len(form.mark) - 1]
        if not rest.endswith(form.mark + b"}"):
            return None
    try:
        text = _STRING.decode(b'"%b"' % raw)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return Match(int(number), text, b"%b%b%b%b\n\n" % (form.head, number, form.sent_middle, rest))
