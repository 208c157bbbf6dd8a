"""What of a messages request counts as input: its texts and its media. Counts no tokens itself.

Source: Anthropic API reference, "Create a Message" (content blocks).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import InvalidRequest
from ..codec import Call, Counted
from ..json_body import NULL, decode_as, is_given
from ..media import Medium
from ..texts import texts_in
from .head import Block, Message

_MAX_NESTING: Final = 4
_COUNTED: Final = ("tools", "output_config", "output_format")


class Contents(Struct, frozen=True):
    """What blocks hold beside their own text: media, and the texts of documents."""

    media: list[Medium]
    texts: list[str]


class _Source(Struct):
    type: str = ""
    data: str = ""
    content: Raw = NULL


_SOURCE: Final = msgspec.json.Decoder(_Source)
_BLOCKS: Final = msgspec.json.Decoder(list[Block])
_MESSAGES: Final = msgspec.json.Decoder(list[Message])
_RAWS: Final = msgspec.json.Decoder(list[Raw])


def contents_of(messages: list[Message]) -> Contents:
    """The media and documents of the turns.

    Raises InvalidRequest for a file that is only named by an id: ids belong to the provider's account, not to the
    customer.
    """
    found = Contents([], [])
    for index, message in enumerate(messages):
        if type(message.content) is list:
            for block in message.content:
                if block.source != NULL or bytes(block.content)[:1] == b"[" or block.type == "container_upload":
                    _add_block(block, f"messages[{index}].content", 0, found)
    return found


def counted(call: Call) -> Counted:
    """All that a model reads of a request. Raises InvalidRequest only where `decode` would have."""
    messages = decode_as(_MESSAGES, call.fields["messages"], within="messages")
    contents = contents_of(messages)
    texts = [*texts_in(call.fields["messages"]), *texts_in(call.fields.get("system", NULL))]
    for name in _COUNTED:
        value = call.fields.get(name)
        if is_given(value):
            texts.append(bytes(value or NULL).decode())
    return Counted(
        texts=[*texts, *contents.texts], media=contents.media, messages=len(messages), tools=_length(call, "tools")
    )


def _length(call: Call, name: str) -> int:
    value: Any = call.fields.get(name)
    return len(decode_as(_RAWS, value, within=name)) if is_given(value) else 0


def _add_block(block: Block, path: str, depth: int, found: Contents) -> None:
    if block.type == "container_upload":
        raise InvalidRequest("Files have to be sent inline, as base64.", param=path)
    if is_given(block.source):
        _add_source(block.type, block.source, path, depth, found)
    _add_nested(block.content, path, depth, found)


def _add_source(kind: str, raw: Raw, path: str, depth: int, found: Contents) -> None:
    if bytes(raw)[:1] != b"{":
        # Of a search result it is an address.
        return
    source = decode_as(_SOURCE, raw, within=f"{path}.source")
    if source.type == "file":
        raise InvalidRequest("Files have to be sent inline, as base64.", param=f"{path}.source")
    if source.type == "content":
        _add_nested(source.content, path, depth, found)
    elif source.type == "text":
        found.texts.append(source.data)
    else:
        data = source.data if source.type == "base64" else None
        found.media.append(Medium("image" if kind == "image" else "document", data))


def _add_nested(content: Raw, path: str, depth: int, found: Contents) -> None:
    if bytes(content)[:1] != b"[":
        return
    if depth >= _MAX_NESTING:
        raise InvalidRequest("Content is nested too deeply.", param=path)
    for block in decode_as(_BLOCKS, content, within=path):
        _add_block(block, path, depth + 1, found)
