"""What is kept of a response: the input that came with it and the object that the caller saw. Stores nothing.

Ids of items begin with their kind and go on with the id of their response, so an item is found without an index.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import InvalidRequest
from ..codec import Call
from ..json_body import quote
from ..sse import parse_event
from .state import input_items

_ENCODER: Final = msgspec.json.Encoder()
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_ITEM_ID: Final = re.compile(r"[a-z]{2,4}_([0-7][0-9A-HJKMNP-TV-Z]{25})i?[0-9]{3,}")
_MESSAGE: Final = Raw(b'"message"')
_ASSISTANT: Final = Raw(b'"assistant"')
_END: Final = frozenset({"response.completed", "response.incomplete"})


class KeptResponse(Struct, frozen=True):
    """A response and the items that its request added to those of earlier responses."""

    input: list[Raw]
    response: Raw


class _Output(Struct):
    id: str
    output: list[Raw]


class _End(Struct):
    type: str
    response: Raw


class _Id(Struct):
    id: str | None = None


_KEPT: Final = msgspec.json.Decoder(KeptResponse)
_OUTPUT: Final = msgspec.json.Decoder(_Output)
_END_EVENT: Final = msgspec.json.Decoder(_End)
_NAMED: Final = msgspec.json.Decoder(_Id)


def kept_of(call: Call, response: bytes | Raw) -> KeptResponse:
    """What to keep of an answered request whose references are resolved and whose history is left out."""
    return KeptResponse(input_items(call), Raw(response))


def dump(kept: KeptResponse) -> bytes:
    """Its bytes."""
    return _ENCODER.encode(kept)


def load(content: bytes) -> KeptResponse:
    """What `dump` wrote."""
    return _KEPT.decode(content)


def response_in(end: bytes) -> Raw | None:
    """The finished response object within the last bytes of a stream; None for a stream that went wrong."""
    _, data = parse_event(end.rstrip(b"\n").rpartition(b"\n\n")[2])
    try:
        event = _END_EVENT.decode(data)
    except msgspec.MsgspecError:
        return None
    return event.response if event.type in _END else None


def size_of(kept: KeptResponse) -> int:
    """About how many bytes it takes."""
    return sum(memoryview(part).nbytes for part in (*kept.input, kept.response))


def id_of(kept: KeptResponse) -> str:
    """The response's id."""
    return _OUTPUT.decode(kept.response).id


def history_of(chain: Iterable[KeptResponse]) -> list[Raw]:
    """The items that a request going on from the last of these begins with."""
    return [item for kept in chain for item in (*kept.input, *_OUTPUT.decode(kept.response).output)]


def named_input(kept: KeptResponse) -> list[Raw]:
    """The input items, those that came without an id with one that `named_items` knows."""
    part = id_of(kept).partition("_")[2]
    return [_named(item, f"msg_{part}i{number:03d}") for number, item in enumerate(kept.input, 1)]


def named_history(chain: Iterable[KeptResponse]) -> list[Raw]:
    """`history_of`, each item with its id."""
    return [item for kept in chain for item in (*named_input(kept), *_OUTPUT.decode(kept.response).output)]


def named_items(kept: KeptResponse) -> dict[str, Raw]:
    """Every item of the response by its id: as it was answered or sent."""
    named = zip(named_input(kept), kept.input, strict=True)
    output = _OUTPUT.decode(kept.response).output
    return {_id(shown): item for shown, item in (*named, *zip(output, output, strict=True))}


def response_of_item(item_id: str) -> str | None:
    """The id of the response that an item is of; None for an id that was not given here."""
    found = _ITEM_ID.fullmatch(item_id)
    return None if found is None else f"resp_{found[1]}"


def page(items: Sequence[Raw], *, after: str | None, limit: int) -> bytes:
    """The body of a list of items, those behind the item `after`. Raises InvalidRequest for an `after` that is none."""
    names = [_id(item) for item in items]
    if after is not None and after not in names:
        raise InvalidRequest("after is not the id of an item of this list.", param="after")
    start = 0 if after is None else names.index(after) + 1
    shown = items[start : start + limit]
    first, last = (names[start], names[start + len(shown) - 1]) if shown else (None, None)
    more = start + limit < len(items)
    return _ENCODER.encode(
        {"object": "list", "data": shown, "first_id": first, "last_id": last, "has_more": more},
    )


def _named(item: Raw, own: str) -> Raw:
    """An input item as it is listed: with its type, an id, and content in parts."""
    members = {"id": Raw(quote(own)), **_FIELDS.decode(item)}
    if not _id(item):
        members["id"] = Raw(quote(own))
    members.setdefault("type", _MESSAGE)
    content = members.get("content")
    if content is not None and members["type"] == _MESSAGE and bytes(content)[:1] == b'"':
        kind = "output_text" if members.get("role") == _ASSISTANT else "input_text"
        members["content"] = Raw(_ENCODER.encode([{"type": kind, "text": content}]))
    return Raw(_ENCODER.encode(members))


def _id(item: Raw) -> str:
    return _NAMED.decode(item).id or ""
