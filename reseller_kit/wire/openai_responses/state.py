"""What a response leaves for the next one, and how the next one takes it up. Stores nothing.

An upstream keeps nothing for a caller. What `previous_response_id` and `item_reference` name is put into the input
before the request is sent; whoever stores items keeps them by customer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct, structs

from ...core.errors import InvalidRequest
from ..codec import Call
from ..json_body import NULL, decode_as, encode_object, is_given
from .input import items_of, measure

_STRING: Final = msgspec.json.Decoder(str | None)
_RAW_ITEMS: Final = msgspec.json.Decoder(list[Raw])
_BOOL: Final = msgspec.json.Decoder(bool | None)
_ENCODER: Final = msgspec.json.Encoder()
_PREVIOUS: Final = "previous_response_id"
_FALSE: Final = Raw(b"false")


class _Message(Struct, tag="message"):
    role: str
    content: Raw


def previous_of(call: Call) -> str | None:
    """The id of the response that this request goes on from."""
    return decode_as(_STRING, call.fields.get(_PREVIOUS, NULL), within=_PREVIOUS) or None


def item_references(call: Call) -> tuple[str, ...]:
    """The ids of earlier items that the input only names."""
    return tuple(item.id or "" for item in items_of(call.fields["input"]) if item.is_reference)


def wants_store(call: Call) -> bool:
    """Whether the response shall be kept for a later request; this API's default is that it is."""
    return decode_as(_BOOL, call.fields.get("store", NULL), within="store") is not False


def input_items(call: Call) -> list[Raw]:
    """The request's own input as items; a bare text is a message of the user."""
    given = call.fields["input"]
    if bytes(given).lstrip()[:1] == b'"':
        return [Raw(_ENCODER.encode(_Message(role="user", content=given)))]
    return decode_as(_RAW_ITEMS, given, within="input")


def with_history(call: Call, history: Sequence[Raw], references: Mapping[str, Raw] | None = None) -> Call:
    """The request with the items of earlier responses before its own, and with named items in their places.

    Raises InvalidRequest for a name that `references` lacks. The bound of the input grows with what is put in. The
    answer goes on to show what the request named.
    """
    found = references or {}
    items = list(history)
    for item, raw in zip(items_of(call.fields["input"]), input_items(call), strict=True):
        if not item.is_reference:
            items.append(raw)
        elif item.id is not None and item.id in found:
            items.append(found[item.id])
        else:
            raise InvalidRequest(f"No item {(item.id or '')[:80]!r} is kept here.", param="input")
    fields = {name: value for name, value in call.fields.items() if name != _PREVIOUS}
    fields["input"] = Raw(_ENCODER.encode(items))
    media = measure(fields["input"])
    return structs.replace(
        call,
        fields=fields,
        input_bound=len(encode_object(fields)) - media.characters + media.tokens,
        media_tokens=media.tokens,
        needs=("input_audio",) if media.has_audio else (),
        shown={**call.shown, **{name: call.fields[name] for name in (_PREVIOUS,) if name in call.fields}},
    )


def not_stored(call: Call) -> Call:
    """The request, whose answer says that it is not kept."""
    return structs.replace(call, shown={**call.shown, "store": _FALSE})


def names_store(call: Call) -> bool:
    """Whether the caller asks outright that the response be kept."""
    return is_given(call.fields.get("store")) and wants_store(call)


def size_of(call: Call) -> int:
    """Bytes of the request's members."""
    return sum(memoryview(value).nbytes for value in call.fields.values())


def names_earlier_items(call: Call) -> bool:
    """Whether the request can't be sent before `with_history` has completed it."""
    return is_given(call.fields.get(_PREVIOUS)) or bool(item_references(call))
