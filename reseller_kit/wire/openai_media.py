"""How many input tokens the images, recordings and files of a chat can come to. Opens none of them.

The figures are bounds for the hold, not charges: what is charged is what the upstream reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from ..core.errors import InvalidRequest
from .json_body import decode_as

IMAGE_TOKENS: Final = 10_000
"""For one image of any size: above the tile and patch formulas that providers publish, but for models that weight
image tokens by a factor to charge them at a low token price; what those report beyond it is overage."""
REMOTE_TOKENS: Final = 100_000
"""For a file or video that is only named by its address."""
_AUDIO_CHARACTERS_PER_TOKEN: Final = 16
"""Base64 characters. Speech at 8 kbit/s has 1333 a second, and no model counts more than 50 tokens for one."""
_AUDIO_BASE_TOKENS: Final = 64

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
    characters = tokens = 0
    has_audio = False
    for part in _parts(decode_as(_DECODER, messages, within="messages")):
        kind = part.get("type")
        if kind == "input_audio":
            has_audio = True
        data, bound = _measure_part(kind, part)
        characters += data
        tokens += bound
    return Media(characters, tokens, has_audio)


def _parts(messages: Any) -> Iterator[dict[str, Any]]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            yield from (part for part in content if isinstance(part, dict))


def _measure_part(kind: Any, part: dict[str, Any]) -> tuple[int, int]:
    """Characters of inline data to leave out of the count, and the tokens to put in their place."""
    if kind == "image_url":
        return _inline(_address(part, "image_url")), IMAGE_TOKENS
    if kind == "input_audio":
        data = len(_member(part, "input_audio", "data"))
        return data, data // _AUDIO_CHARACTERS_PER_TOKEN + _AUDIO_BASE_TOKENS
    if kind == "video_url":
        # Inline video stays counted by its characters, which is more than any frame rate comes to.
        return 0, 0 if _inline(_address(part, "video_url")) else REMOTE_TOKENS
    if kind == "file":
        if _member(part, "file", "file_id"):
            raise InvalidRequest("Files have to be sent inline, as file_data.", param="messages")
        return 0, 0 if _inline(_member(part, "file", "file_data")) else REMOTE_TOKENS
    return 0, 0


def _member(part: dict[str, Any], name: str, member: str) -> str:
    inner = part.get(name)
    value = inner.get(member) if isinstance(inner, dict) else None
    return value if isinstance(value, str) else ""


def _address(part: dict[str, Any], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else _member(part, name, "url")


def _inline(address: str) -> int:
    return len(address) if address[:5].lower() == "data:" else 0
