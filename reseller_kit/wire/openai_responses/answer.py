"""Plain answers to Responses requests: checked, metered, and rewritten to the storefront's names.

Output items travel as they are but for their ids and for members that are not known; so does what surrounds them.
Source: OpenAI API reference, "The response object".
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import UpstreamFailed
from ...core.usage import Usage
from ..codec import Call, Reply
from ..json_body import NULL, is_given
from ..upstream_message import failed
from .envelope import Envelope, ItemIds
from .items import ITEM, text_of_items
from .usage import read_usage

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_ITEMS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_STRING: Final = msgspec.json.Decoder(str)
_ENCODER: Final = msgspec.json.Encoder()
_GOOD: Final = frozenset({"completed", "incomplete"})


class Answer(Struct, frozen=True, kw_only=True):
    """A usable response. `items`: its output as the caller sees it, to be kept for a later request."""

    usage: Usage | None
    items: tuple[Raw, ...]
    status: str
    upstream: dict[str, Raw]
    envelope: Envelope

    @property
    def delivered(self) -> bool:
        """Whether any item came."""
        return bool(self.items)

    def estimate_text(self) -> str:
        """All text that the model wrote, for an estimate where no usage was reported."""
        return text_of_items(self.items)

    def body(self, usage: Usage) -> bytes:
        """The JSON body for the caller, showing `usage` as what is charged."""
        return self.envelope.write(self.status, join_items(self.items), upstream=self.upstream, usage=usage)


def read_answer(call: Call, body: bytes, reply: Reply) -> Answer:
    """Read the body of a 200.

    Raises UpstreamFailed for an error inside a 200 and for anything that is not a finished response.
    """
    told = response_of(body)
    error = told.get("error", NULL)
    status = string_of(told.get("status"))
    if is_given(error):
        raise failed(error, "an error in a 200")
    if status not in _GOOD:
        raise UpstreamFailed(f"a response that is {status[:40] or 'of no status'}", upstream_status=200)
    return Answer(
        usage=read_usage(told["usage"]) if "usage" in told else None,
        items=own_items(told.get("output", NULL), ItemIds(reply)),
        status=status,
        upstream=told,
        envelope=Envelope(call, reply),
    )


def response_of(body: bytes | Raw) -> dict[str, Raw]:
    """The members of a response object. Raises UpstreamFailed if it is none."""
    try:
        if not bytes(body).isascii():
            bytes(body).decode()
        return _FIELDS.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise UpstreamFailed(f"not a response: {error}", upstream_status=200) from None


def own_items(output: Raw, ids: ItemIds) -> tuple[Raw, ...]:
    """Output items with ids of ours. Raises UpstreamFailed for what is no list of items."""
    if not is_given(output):
        return ()
    try:
        items = _ITEMS.decode(output)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise UpstreamFailed(f"not a list of items: {error}", upstream_status=200) from None
    return tuple(own_item(item, ids) for item in items)


def own_item(item: dict[str, Raw], ids: ItemIds) -> Raw:
    """One output item with an id of ours, and known members alone."""
    kind, upstream_id = string_of(item.get("type")), string_of(item.get("id"))
    own = ids.of(upstream_id, kind) if upstream_id else ids.new(kind)
    members = {"id": own, **{name: value for name, value in item.items() if name != "id"}}
    return ITEM.only(Raw(_ENCODER.encode(members)))


def join_items(items: tuple[Raw, ...]) -> bytes:
    """Items as a JSON array."""
    return b"[%b]" % b",".join(map(bytes, items))


def string_of(value: Raw | None) -> str:
    """A raw member that is a string; empty if it is anything else."""
    try:
        return "" if value is None else _STRING.decode(value)
    except (msgspec.MsgspecError, UnicodeError):
        return ""
