"""Content blocks of a messages request as parts of the intermediate form, by docs/translation-messages.md."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct, structs

from ...core.errors import InvalidRequest
from ..conversation import CacheHint, Media, MediaKind, Part, Reasoning, Text, ToolCall, ToolResult
from ..json_body import NULL, decode_as, is_given
from ..signatures import MARK
from .thoughts import OF_CALL

_MAX_NESTING: Final = 4
_BY_PROVIDER: Final = frozenset({"server_tool_use", "mcp_tool_use", "mcp_tool_listing", "fallback"})
_RESULT_OF_PROVIDER: Final = "_tool_result"


class Ephemeral(Struct):
    """A cache hint."""

    ttl: str = "5m"


class Block(Struct):
    """Any content block; which members count, its type tells."""

    type: str
    text: str = ""
    source: Raw = NULL
    title: str | None = None
    context: str | None = None
    citations: Raw = NULL
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: Raw = NULL
    tool_use_id: str = ""
    tool_name: str = ""
    content: Raw = NULL
    is_error: bool | None = None
    cache_control: Ephemeral | None = None


class _Source(Struct):
    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    content: Raw = NULL


_SOURCE: Final = msgspec.json.Decoder(_Source)
_CONTENT: Final = msgspec.json.Decoder(str | list[Block])
_STRING: Final = msgspec.json.Decoder(str)


class LeftOut:
    """Paths of what isn't carried, each once."""

    def __init__(self) -> None:
        self._paths: dict[str, None] = {}

    def add(self, path: str) -> None:
        """Name one."""
        self._paths[path] = None

    def names(self) -> tuple[str, ...]:
        """All, in order of their first mention."""
        return tuple(self._paths)


def cache_hint(hint: Ephemeral | None) -> CacheHint | None:
    """The hint in the form's words."""
    return None if hint is None else "1h" if hint.ttl == "1h" else "5m"


def read_parts(content: str | list[Block], path: str, left_out: LeftOut) -> tuple[Part, ...]:
    """The parts of one turn, tool results first.

    Raises InvalidRequest, with the block's path, for what another model could not make sense of.
    """
    if isinstance(content, str):
        return (Text(text=content),) if content else ()
    parts: list[Part] = []
    for index, block in enumerate(content):
        at = f"{path}[{index}]"
        if block.type == "redacted_thinking" and block.data.startswith(OF_CALL):
            _sign_last_call(parts, block.data.removeprefix(OF_CALL))
        else:
            parts += _read_block(block, at, left_out)
    return (
        *[part for part in parts if isinstance(part, ToolResult)],
        *[part for part in parts if not isinstance(part, ToolResult)],
    )


def _sign_last_call(parts: list[Part], signature: str) -> None:
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        if isinstance(part, ToolCall):
            parts[index] = structs.replace(part, signature=signature)
            return


def _read_block(block: Block, at: str, left_out: LeftOut) -> list[Part]:
    match block.type:
        case "thinking":
            return [Reasoning(text=block.thinking, signature=_signature(block.signature))]
        case "redacted_thinking":
            return [Reasoning(text="", signature=_signature(block.data), redacted=True)]
        case "tool_use":
            arguments = bytes(block.input).decode() if is_given(block.input) else "{}"
            return [ToolCall(id=block.id, name=block.name, arguments=arguments, cache=cache_hint(block.cache_control))]
        case "tool_result":
            content = tuple(_nested(block.content, f"{at}.content", left_out, 0))
            return [
                ToolResult(
                    call_id=block.tool_use_id,
                    content=content,
                    is_error=bool(block.is_error),
                    cache=cache_hint(block.cache_control),
                )
            ]
        case _:
            return [*_read_shown(block, at, left_out, 0)]


def _read_shown(block: Block, at: str, left_out: LeftOut, depth: int) -> list[Text | Media]:
    """Blocks that may also stand within a tool's result or a document."""
    cache = cache_hint(block.cache_control)
    if is_given(block.citations):
        left_out.add("messages[].content[].citations")
    match block.type:
        case "text":
            return [Text(text=block.text, cache=cache)] if block.text else []
        case "image":
            return [_media(block, at, cache)]
        case "document":
            return _document(block, at, left_out, depth)
        case "search_result":
            return _search_result(block, at, left_out, depth)
        case "tool_reference":
            return [Text(text=f"The tool {block.tool_name} can be called now.", cache=cache)]
        case "compaction":
            return _nested(block.content, f"{at}.content", left_out, depth)
        case _:
            return _other(block, at, left_out)


def _other(block: Block, at: str, left_out: LeftOut) -> list[Text | Media]:
    if block.type in _BY_PROVIDER or block.type.endswith(_RESULT_OF_PROVIDER):
        left_out.add(f"messages[].content[{block.type[:64]}]")
        return []
    raise InvalidRequest(f"Content of the type {block.type[:80]!r} can't be sent to this model.", param=at)


def _nested(content: Raw, at: str, left_out: LeftOut, depth: int) -> list[Text | Media]:
    if not is_given(content):
        return []
    if depth >= _MAX_NESTING:
        raise InvalidRequest("Content is nested too deeply.", param=at)
    found = decode_as(_CONTENT, content, within=at)
    if isinstance(found, str):
        return [Text(text=found)] if found else []
    parts: list[Text | Media] = []
    for index, block in enumerate(found):
        parts += _read_shown(block, f"{at}[{index}]", left_out, depth + 1)
    return parts


def _media(block: Block, at: str, cache: CacheHint | None) -> Media:
    source = decode_as(_SOURCE, block.source, within=f"{at}.source")
    kind: MediaKind = "image" if block.type == "image" else "document"
    if source.type == "base64" and source.data is not None and source.media_type is not None:
        return Media(kind=kind, media_type=source.media_type, data=source.data, name=block.title, cache=cache)
    if source.type == "url" and source.url is not None:
        return Media(kind=kind, url=source.url, name=block.title, cache=cache)
    raise InvalidRequest(
        f"A source of the type {source.type[:80]!r} can't be sent to this model.", param=f"{at}.source"
    )


def _document(block: Block, at: str, left_out: LeftOut, depth: int) -> list[Text | Media]:
    about = "\n".join(filter(None, (block.title, block.context)))
    source = decode_as(_SOURCE, block.source, within=f"{at}.source")
    cache = cache_hint(block.cache_control)
    if source.type == "text":
        return [Text(text="\n\n".join(filter(None, (about, source.data))), cache=cache)]
    before = [Text(text=about)] if about else []
    if source.type == "content":
        return [*before, *_nested(source.content, f"{at}.source.content", left_out, depth)]
    return [*([Text(text=block.context)] if block.context else []), _media(block, at, cache)]


def _search_result(block: Block, at: str, left_out: LeftOut, depth: int) -> list[Text | Media]:
    address = decode_as(_STRING, block.source, within=f"{at}.source")
    about = "\n".join(filter(None, (block.title, address)))
    return [Text(text=about), *_nested(block.content, f"{at}.content", left_out, depth)]


def _signature(signature: str) -> str | None:
    """None for a thought that was marked without having one."""
    return None if not signature or (signature.startswith(MARK) and signature.endswith(".")) else signature
