"""Which members of what an upstream wrote may leave. Everything else tells of who wrote it, and is taken out.

Answers travel as raw bytes, so the common case has to be quick: one look that fails on a member which is not known.
What is known stays byte for byte, also where a neighbour goes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw

_OPAQUE: Final = r"^(?:(?:call|fc|ctc|toolu|srvtoolu)_)?(?:[0-9]{1,3}_)?[A-Za-z0-9]{1,64}$"
_IS_OPAQUE: Final = re.compile(_OPAQUE)
_DIGEST_LENGTH: Final = 24
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_ARRAY: Final = msgspec.json.Decoder(list[Raw])
_STRING: Final = msgspec.json.Decoder(str)
_ENCODER: Final = msgspec.json.Encoder()


class CallId:
    """Marks the id of a tool call: the caller sends it back, and its form must not tell whose it is.

    `prefix`: how the caller's API begins them.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def own(self, call_id: str) -> str:
        """An id that says nothing, the same for the same one each time: itself, where it says nothing already.

        Upstreams take any id back, as long as a call and its result have the same.
        """
        if not call_id or _IS_OPAQUE.match(call_id):
            return call_id
        digest = hashlib.sha256(call_id.encode(errors="surrogatepass")).hexdigest()
        return self.prefix + digest[:_DIGEST_LENGTH]


Shape = Mapping[str, "Shape | CallId | None"]
"""Member → what may be within its object or the objects of its array; None: any value."""


def names(text: str) -> dict[str, None]:
    """Members of any value."""
    return dict.fromkeys(text.split())


class Known:
    """The members of one kind of object; make one for a module and keep it."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._quick: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_one_or_many(shape, "Known"))

    def only(self, value: Raw) -> Raw:
        """The object, or array of objects, with known members alone. `value` has been found to be JSON."""
        try:
            self._quick.decode(value)
        except msgspec.DecodeError:
            return _cleaned(value, self._shape)
        return value


def _one_or_many(shape: Shape, name: str) -> Any:
    """The type of an object with no member but these, or an array of such; other values are nobody's name."""
    fields = [(member, _type_of(inner, f"{name}_{member}"), None) for member, inner in shape.items()]
    made = msgspec.defstruct(name, fields, forbid_unknown_fields=True)
    return made | list[made] | str | int | float | bool | None  # type: ignore[valid-type]  # made here


def _type_of(inner: Shape | CallId | None, name: str) -> Any:
    if inner is None:
        return Raw
    if isinstance(inner, CallId):
        return Annotated[str, Meta(pattern=_OPAQUE)] | None
    return _one_or_many(inner, name)


def _cleaned(value: Raw, inner: Shape | CallId | None) -> Raw:
    if inner is None:
        return value
    begin = bytes(value).lstrip()[:1]
    if isinstance(inner, CallId):
        return Raw(_ENCODER.encode(inner.own(_STRING.decode(value)))) if begin == b'"' else value
    if begin == b"[":
        return Raw(_ENCODER.encode([_cleaned(item, inner) for item in _ARRAY.decode(value)]))
    if begin != b"{":
        return value
    members = _OBJECT.decode(value)
    return Raw(
        _ENCODER.encode({name: _cleaned(member, inner[name]) for name, member in members.items() if name in inner})
    )
