"""What callers say about themselves and their caches, kept apart by customer. Stores nothing.

At the upstream all customers are one account: one's cache key must not meet another's, and whom a customer serves is
not told. The same customer's same value becomes the same text, so caches and abuse checks work on. A user's begins with
the customer's pseudonym, by which the operator finds the customer of an upstream's report (`upstream whois`).
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec import Raw, structs

from .codec import Api, Call
from .json_body import decode_as, encode_object, is_given

_USER: Final = "user"
_SAFETY: Final = "safety_identifier"
_CACHE_KEY: Final = "prompt_cache_key"
_QUOTED_USER: Final = b'"user"'
_OPENAI: Final = frozenset({_CACHE_KEY, _SAFETY, _USER})
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
_USER_LENGTH: Final = 16
"""Behind a pseudonym of 35 characters: below the 64 that upstreams take."""


def says_who(call: Call) -> bool:
    """Whether a call may hold anything that has to be kept apart."""
    return not _MEMBERS[call.api].isdisjoint(call.fields)


def apart(call: Call, pseudonym: str) -> Call:
    """The call as it is sent: each such value replaced by one that no other customer comes to.

    Answers show the caller's own. Raises InvalidRequest for a value that is no string.
    """
    if not says_who(call):
        return call
    fields = call.fields.copy()
    for name in _MEMBERS[call.api] & fields.keys():
        given = fields[name]
        if not is_given(given):
            continue
        if name == _METADATA:
            inner = decode_as(_OBJECT, given, within=name)
            if is_given(inner.get(_USER_ID)):
                inner[_USER_ID] = _user(inner[_USER_ID], pseudonym, f"{name}.{_USER_ID}")
                fields[name] = Raw(encode_object(inner))
        elif name == _CACHE_KEY:
            fields[name] = _digest(given, pseudonym, name)
        else:
            fields[name] = _user(given, pseudonym, name)
    return structs.replace(call, fields=fields)


def named(call: Call, pseudonym: str, provider: str) -> Call:
    """A call that `apart` has seen, with its customer's pseudonym where it names no user.

    OpenAI's own member is for OpenAI alone: its relatives know the older one.
    """
    fields = call.fields
    if call.api == "messages":
        inner = _OBJECT.decode(fields[_METADATA]) if is_given(fields.get(_METADATA)) else {}
        if is_given(inner.get(_USER_ID)):
            return call
        metadata = Raw(encode_object({**inner, _USER_ID: _quoted(pseudonym)}))
        return structs.replace(call, fields={**fields, _METADATA: metadata})
    if call.api == "generate_content" or is_given(fields.get(_USER)) or is_given(fields.get(_SAFETY)):
        return call
    member = _SAFETY if provider == "openai" else _USER
    return structs.replace(call, fields={**fields, member: _quoted(pseudonym)})


def body_apart(body: bytes, pseudonym: str) -> bytes:
    """`apart` for the JSON body of a request that is no conversation: its `user`."""
    if _QUOTED_USER not in body:
        return body
    fields = decode_as(_OBJECT, body)
    if is_given(fields.get(_USER)):
        fields[_USER] = _user(fields[_USER], pseudonym, _USER)
    return encode_object(fields)


def body_named(body: bytes, pseudonym: str) -> bytes:
    """`named` for the JSON body of a request that is no conversation, and that `body_apart` has seen."""
    fields = _OBJECT.decode(body)
    return body if is_given(fields.get(_USER)) else encode_object({**fields, _USER: _quoted(pseudonym)})


def _digest(given: Raw, pseudonym: str, name: str) -> Raw:
    value = decode_as(_STRING, given, within=name)
    return _quoted(_hash(pseudonym, value)[:_DIGEST_LENGTH]) if value else given


def _user(given: Raw, pseudonym: str, name: str) -> Raw:
    value = decode_as(_STRING, given, within=name)
    return _quoted(f"{pseudonym}-{_hash(pseudonym, value)[:_USER_LENGTH]}") if value else given


def _hash(pseudonym: str, value: str) -> str:
    return hashlib.sha256(_ENCODER.encode([pseudonym, value])).hexdigest()


def _quoted(text: str) -> Raw:
    return Raw(_ENCODER.encode(text))
