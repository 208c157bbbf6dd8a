"""Prompt cache keys, kept apart by customer: at the upstream all customers are one account. Stores nothing."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec import Raw, structs

from .codec import Call
from .json_body import NULL, decode_as, is_given

_FIELD: Final = "prompt_cache_key"
_STRING: Final = msgspec.json.Decoder(str)
_ENCODER: Final = msgspec.json.Encoder()


def namespaced(call: Call, customer_id: str) -> Call:
    """The call with its `prompt_cache_key`, if it has one, replaced by a digest that no other customer comes to.

    For what is sent; answers show the caller's own key. Raises InvalidRequest for a key that is no string.
    """
    given = call.fields.get(_FIELD, NULL)
    if not is_given(given):
        return call
    key = decode_as(_STRING, given, within=_FIELD)
    digest = hashlib.sha256(_ENCODER.encode([customer_id, key])).hexdigest()[:40]
    return structs.replace(call, fields={**call.fields, _FIELD: Raw(_ENCODER.encode(digest))})
