"""The input items of a Responses request as the meter sees them: media, ids, signatures. Opens no medium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import InvalidRequest
from ..json_body import decode_as
from ..media import Medium, payload, token_bound
from ..openai_chat.media import NO_MEDIA, Media
from ..signatures import MARK, is_marked, unmark
from .tools import Tool, is_own

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder()
_ITEMS: Final = msgspec.json.Decoder(str | list[dict[str, Raw]])
_MEMBERS: Final = ("content", "output")
_FILES: Final = frozenset({"computer_screenshot", "input_file", "input_image"})
_HINTS: Final = (b"input_image", b"input_file", b"input_audio", b"computer_screenshot", b"\\u")
"""Without any of these bytes there are no media; escapes could hide them."""
_STRING: Final = msgspec.json.Decoder(str)
_OWN_REASONING_ID: Final = b'"rs_'


class Item(Struct):
    """One item, as far as the meter has to know it; `tools`: such as are offered within the input."""

    type: str | None = None
    id: str | None = None
    role: str | None = None
    tools: list[Tool] | None = None

    @property
    def is_reference(self) -> bool:
        """Whether it only names an earlier item; its type may be left away."""
        return self.type == "item_reference" or (self.type is None and self.role is None and self.id is not None)


_TYPED: Final = msgspec.json.Decoder(str | list[Item])


def items_of(given: Raw) -> list[Item]:
    """The items of the input; a bare text is a message.

    Raises InvalidRequest for anything else, and for tools among them that run elsewhere.
    """
    items: str | list[Item] = decode_as(_TYPED, given, within="input")
    if isinstance(items, str):
        return [Item(role="user")]
    for index, item in enumerate(items):
        for tool in item.tools or ():
            if not is_own(tool):
                raise InvalidRequest(
                    f"A tool of type {tool.type[:40]!r} can't be used here: only tools that you run yourself can.",
                    param=f"input[{index}].tools",
                )
    return items


def measure(given: Raw) -> Media:
    """The media within the input and what they can come to.

    Raises InvalidRequest for a file that is only named by an id: ids belong to the provider's account, not to the
    customer.
    """
    media = media_in(given)
    if not media:
        return NO_MEDIA
    return Media(
        characters=sum(medium.characters for medium in media),
        tokens=sum(map(token_bound, media)),
        has_audio=any(medium.kind == "audio" for medium in media),
    )


def media_in(given: Raw) -> list[Medium]:
    """The media within the input."""
    if not any(hint in bytes(given) for hint in _HINTS):
        return []
    items = decode_as(_ITEMS, given, within="input")
    found = [] if isinstance(items, str) else [_medium_of(part) for part in _parts(items)]
    return [medium for medium in found if medium is not None]


def _parts(items: list[dict[str, Raw]]) -> Iterator[dict[str, Any]]:
    for item in items:
        for member in _MEMBERS:
            value = item.get(member)
            if value is None:
                continue
            found = decode_as(_DECODER, value, within="input")
            for part in found if isinstance(found, list) else [found]:
                if isinstance(part, dict):
                    yield part


def _medium_of(part: dict[str, Any]) -> Medium | None:
    kind = part.get("type")
    if not isinstance(kind, str):
        return None
    if kind in _FILES and part.get("file_id"):
        raise InvalidRequest("Files have to be sent inline, as file_data or a data URL.", param="input")
    if kind in ("input_image", "computer_screenshot"):
        return Medium("image", payload(_text(part.get("image_url"))))
    if kind == "input_audio":
        audio = part.get("input_audio")
        return Medium("audio", _text(audio.get("data")) if isinstance(audio, dict) else "")
    if kind == "input_file":
        data = _text(part.get("file_data"))
        return Medium("document", (payload(data) or data) if data else payload(_text(part.get("file_url"))))
    return None


def _text(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("url")
    return value if isinstance(value, str) else ""


def for_maker(given: Raw, maker: str) -> Raw:
    """The input as this maker takes it: of marked signatures only its own, and signed thoughts without an id.

    The maker compares an id with what it signed, and ids that callers see are not the maker's.
    """
    text = bytes(given)
    if MARK.encode() not in text and _OWN_REASONING_ID not in text:
        return given
    items = decode_as(_ITEMS, given, within="input")
    if isinstance(items, str):
        return given
    return Raw(_ENCODER.encode([kept for item in items if (kept := _item_for(item, maker)) is not None]))


def _item_for(item: dict[str, Raw], maker: str) -> dict[str, Raw] | None:
    signature = _string_of(item, "encrypted_content")
    if not signature:
        return item
    if _string_of(item, "type") == "reasoning":
        item = {name: value for name, value in item.items() if name != "id"}
    if not is_marked(signature):
        return item
    own = unmark(signature, maker)
    return None if own is None else {**item, "encrypted_content": Raw(_ENCODER.encode(own))}


def _string_of(item: dict[str, Raw], name: str) -> str:
    value = item.get(name)
    try:
        return "" if value is None else _STRING.decode(value)
    except (msgspec.MsgspecError, UnicodeError):
        return ""
