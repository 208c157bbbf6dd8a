"""What callers say about themselves and their caches, kept apart by customer. Stores nothing.

At the upstream all customers are one account: one's cache key must not meet another's, and whom a customer serves is
not told. The same customer's same value becomes the same digest, so caches and abuse checks work on.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec import Raw, structs

from .codec import Api, Call
from .json_body import decode_as, encode_object, is_given

_USER: Final = "user"
_QUOTED_USER: Final = b'"user"'
_OPENAI: Final = frozenset({"prompt_cache_key", "safety_identifier", _USER})
_METADATA: Final = "metadata"
_USER_ID: Final = "user_id"
_MEMBERS: Final[dict[Api, frozenset[str]]] = {
    "chat": _OPENAI,
    "responses": _OPENAI,
    "messages": frozenset({_METADATA}),
    "generate_content": frozenset(),
}
_STRING: Final = msgspec.json.Decoder(str)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_ENCODER: Final = msgspec.json.Encoder()
_DIGEST_LENGTH: Final = 40
"""Below the 64 characters that upstreams take."""


def apart(call: Call, customer_id: str) -> Call:
    """The call as it is sent: each such value replaced by a digest that no other customer comes to.

    Answers show the caller's own. Raises InvalidRequest for a value that is no string.
    """
    members = _MEMBERS[call.api]
    if members.isdisjoint(call.fields):
        return call
    fields = call.fields.copy()
    for name in members & fields.keys():
        given = fields[name]
        if not is_given(given):
            continue
        if name == _METADATA:
            inner = decode_as(_OBJECT, given, within=name)
            if is_given(inner.get(_USER_ID)):
                inner[_USER_ID] = _digest(inner[_USER_ID], customer_id, f"{name}.{_USER_ID}")
                fields[name] = Raw(encode_object(inner))
        else:
            fields[name] = _digest(given, customer_id, name)
    return structs.replace(call, fields=fields)


def body_apart(body: bytes, customer_id: str) -> bytes:
    """The same for the JSON body of a request that is no conversation: its `user`."""
    if _QUOTED_USER not in body:
        return body
    fields = decode_as(_OBJECT, body)
    if is_given(fields.get(_USER)):
        fields[_USER] = _digest(fields[_USER], customer_id, _USER)
    return encode_object(fields)


def _digest(given: Raw, customer_id: str, name: str) -> Raw:
    value = decode_as(_STRING, given, within=name)
    if not value:
        return given
    digest = hashlib.sha256(_ENCODER.encode([customer_id, value])).hexdigest()
    return Raw(_ENCODER.encode(digest[:_DIGEST_LENGTH]))
