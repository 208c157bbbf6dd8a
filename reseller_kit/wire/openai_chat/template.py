"""Forms of streamed events: recognises an event by the bytes around its text. Knows no member's meaning.

An event that differs from one seen before only in its text (and its padding) means the same but for the text. So what
was sent for the first is sent for the other, with the new text in its place, and nothing else of it is decoded.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from ..json_body import is_short_string
from ..texts import string_or_empty

_STRING: Final = msgspec.json.Decoder(str)
_STRINGS: Final = msgspec.json.Decoder(list[str])
_NO_STRING: Final = (msgspec.MsgspecError, UnicodeError)
_NEVER: Final = b"\n\n"
"""No block contains it."""


class Template(Struct, frozen=True):
    """An event cut open at its text and its padding, and what was sent for it, cut likewise.

    `middle`: between text and padding; empty without padding. `end`: the tail and the blank line after it. `seam`: from
    one text to the next, where two such events follow each other.
    """

    head: bytes
    middle: bytes
    tail: bytes
    end: bytes
    seam: bytes
    sent_head: bytes
    sent_middle: bytes
    sent_end: bytes
    sent_seam: bytes
    head_bytes: int
    tail_bytes: int
    end_bytes: int


class Run(Struct, frozen=True):
    """Events of one form in a row: their texts, and what is sent for them."""

    texts: list[str]
    sent: bytes


def _template(head: bytes, middle: bytes, tail: bytes, sent: tuple[bytes, bytes, bytes]) -> Template:
    end = tail + b"\n\n"
    sent_head, sent_middle, sent_end = sent
    return Template(
        head=head,
        middle=middle,
        tail=tail,
        end=end,
        seam=end + head,
        sent_head=sent_head,
        sent_middle=sent_middle,
        sent_end=sent_end,
        sent_seam=sent_end + sent_head,
        head_bytes=len(head),
        tail_bytes=len(tail),
        end_bytes=len(end),
    )


NO_TEMPLATE: Final = _template(_NEVER, b"", _NEVER, (b"", b"", b""))
"""Fits nothing."""


def template_of(block: bytes, sent: bytes, text: bytes, pad: bytes) -> Template | None:
    """The form of an event whose raw text is `text` and raw padding `pad` (empty if it has none).

    None if one of them can't be told from the bytes around it.
    """
    if block.count(text) != 1 or sent.count(text) != 1:
        return None
    head, _, tail = block.partition(text)
    sent_head, _, sent_end = sent.partition(text)
    if not pad:
        return _template(head, b"", tail, (sent_head, b"", sent_end))
    if block.count(pad) != 1 or sent.count(pad) != 1 or pad not in tail:
        return None
    middle, _, tail = tail.partition(pad)
    sent_middle, _, sent_end = sent_end.partition(pad)
    return _template(head, middle, tail, (sent_head, sent_middle, sent_end))


def match_template(template: Template, block: bytes) -> tuple[str, bytes] | None:
    """The text of an event of this form and what is sent for it; None if it is of another, or its text is empty."""
    if not (block.startswith(template.head) and block.endswith(template.tail)):
        return None
    raw, pad = block[template.head_bytes : -template.tail_bytes], b""
    if template.middle:
        raw, _, pad = raw.partition(template.middle)
        if not is_short_string(pad) or not _is_string(pad):
            return None
    text = string_or_empty(raw)
    if not text:
        return None
    return text, b"".join((template.sent_head, raw, template.sent_middle, pad, template.sent_end))


def run_of(template: Template, blocks: list[bytes], start: int) -> Run | None:
    """The events of this form from `start` up to the last of it; None if another form is among them.

    All are cut alike, and decoded and compared together, which is quicker than to look at each: the same bytes around
    the texts and as many strings as events mean that each is of the form. Only for a form without padding.
    """
    head, tail, stop = template.head, template.tail, len(blocks)
    while stop > start and not (blocks[stop - 1].endswith(tail) and blocks[stop - 1].startswith(head)):
        stop -= 1
    run, head_bytes, tail_bytes = blocks[start:stop], template.head_bytes, template.tail_bytes
    # Not by a split at what is between two texts: that looks it over again for each place (CPython's two-way search).
    raws = [block[head_bytes:-tail_bytes] for block in run]
    if b"%b%b%b" % (head, template.seam.join(raws), tail) != b"\n\n".join(run):
        return None
    try:
        # No string goes on over the end of a line, so none can reach into the next event.
        texts = _STRINGS.decode(b"[%b]" % b",\n".join(raws))
    except _NO_STRING:
        return None
    if len(texts) != len(raws) or not all(texts):
        return None
    return Run(texts, b"%b%b%b" % (template.sent_head, template.sent_seam.join(raws), template.sent_end))


def _is_string(raw: bytes) -> bool:
    try:
        _STRING.decode(raw)
    except _NO_STRING:
        return False
    return True
