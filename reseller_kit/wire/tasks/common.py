"""What the tasks' requests and answers have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Raw

from ...core.errors import InvalidRequest, UpstreamFailed
from ..json_body import encode_object, is_given, parse_object, quote
from ..members import REFUSED
from ..upstream_message import describe_error
from ..verdict import verdict_within

_T = TypeVar("_T")
ModelName = Annotated[str, Meta(min_length=1, max_length=200)]
BYTES_PER_TOKEN: Final = 1
"""A token of text is at least one byte."""


def read_fields(body: bytes, allowed: Iterable[str]) -> dict[str, Raw]:
    """The top level of a request: what steers routing or billing elsewhere is refused, other unknown members travel.

    Raises InvalidRequest.
    """
    fields = parse_object(body)
    known = frozenset(allowed)
    for name in fields.keys() - known:
        if name in REFUSED or name.casefold() in known:
            raise InvalidRequest(f"{name[:80]!r} can't be used here.", param=name[:200])
    return fields


def refuse(fields: Mapping[str, Raw], name: str, why: str) -> None:
    """Raises InvalidRequest if this member was given with anything but null or false."""
    value = fields.get(name)
    if value is not None and is_given(value) and bytes(value) != b"false":
        raise InvalidRequest(why, param=name)


def encoder(fields: Mapping[str, Raw], **replaced: bytes) -> Callable[[str], bytes]:
    """The body to send for a model's name there: the caller's with other members replaced."""

    def encode(model: str) -> bytes:
        members = {**fields, **{name: Raw(value) for name, value in replaced.items()}, "model": Raw(quote(model))}
        return encode_object(members)

    return encode


def read_json(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    """An upstream's answer. Raises UpstreamFailed for an error in a 200 and for what is not of that shape."""
    try:
        if not body.isascii():
            body.decode()
        head = _HEAD.decode(body)
        if is_given(head.get("error")):
            reason, verdict = describe_error(head["error"]), verdict_within(bytes(head["error"]))
            raise UpstreamFailed(f"error in a 200: {reason}", upstream_status=200, verdict=verdict)
        return decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise UpstreamFailed(f"not such an answer: {error}", upstream_status=200) from None


_HEAD: Final = msgspec.json.Decoder(dict[str, Raw])
