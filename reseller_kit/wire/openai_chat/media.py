"""Finds the images, recordings and files of a chat and what they can come to. Opens none of them.

The figures are bounds for the hold, and estimates for a call without a report; what is charged is what the upstream
reports. See `wire.media`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import InvalidRequest
from ..json_body import decode_as
from ..media import Medium, payload, token_bound

_DECODER: Final = msgspec.json.Decoder()


class Media(Struct, frozen=True):
    """What was found: characters of inline data, tokens they may come to at most, and whether there is audio."""

    characters: int = 0
    tokens: int = 0
    has_audio: bool = False


MEDIA_TYPES: Final = frozenset({"file", "image_url", "input_audio", "video_url"})
"""Content parts that are not counted by their characters."""
NO_MEDIA: Final = Media()


def measure(messages: Raw) -> Media:
    """The media in the messages of a request.

    Raises InvalidRequest for a file that is only named by an id: ids belong to the provider's account, not to the
    customer.
    """
    media = media_in(decode_as(_DECODER, messages, within="messages"))
    return Media(
        characters=sum(medium.characters for medium in media),
        tokens=sum(map(token_bound, media)),
        has_audio=any(medium.kind == "audio" for medium in media),
    )


def media_in(messages: Any) -> list[Medium]:
    """The media in decoded messages."""
    found = map(_medium_of, _parts(messages))
    return [medium for medium in found if medium is not None]


def _parts(messages: Any) -> Iterator[dict[str, Any]]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            yield from (part for part in content if isinstance(part, dict))


def _medium_of(part: dict[str, Any]) -> Medium | None:
    kind = part.get("type")
    if kind == "image_url":
        return Medium("image", payload(_address(part, "image_url")))
    if kind == "input_audio":
        return Medium("audio", _member(part, "input_audio", "data"))
    if kind == "video_url":
        return Medium("video", payload(_address(part, "video_url")))
    if kind == "file":
        if _member(part, "file", "file_id"):
            raise InvalidRequest("Files have to be sent inline, as file_data.", param="messages")
        return Medium("document", payload(_member(part, "file", "file_data")))
    return None


def _member(part: dict[str, Any], name: str, member: str) -> str:
    inner = part.get(name)
    value = inner.get(member) if isinstance(inner, dict) else None
    return value if isinstance(value, str) else ""


def _address(part: dict[str, Any], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else _member(part, name, "url")
