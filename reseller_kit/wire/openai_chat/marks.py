"""Marked signatures in a chat request that is passed on as it is: the provider of a chat API can read none of them."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from ..json_body import decode_as
from ..signatures import MARK

_MARK: Final = MARK.encode()
_MESSAGES: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_ENCODER: Final = msgspec.json.Encoder()
_DETAILS: Final = "reasoning_details"


def without_marked(messages: Raw) -> Raw:
    """The messages without `reasoning_details` that hold a marked signature; untouched where there is none.

    Such an answer came in translation; where the next request is not translated, its upstream would refuse them.
    """
    if _MARK not in bytes(messages):
        return messages
    found = decode_as(_MESSAGES, messages, within="messages")
    return Raw(_ENCODER.encode([_unmarked(message) for message in found]))


def _unmarked(message: dict[str, Raw]) -> dict[str, Raw]:
    details = message.get(_DETAILS)
    if details is None or _MARK not in bytes(details):
        return message
    return {name: value for name, value in message.items() if name != _DETAILS}
