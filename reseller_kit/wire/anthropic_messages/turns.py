"""Turns of the intermediate form as messages with content blocks. The rules are in docs/translation-messages.md."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw

from ...core.errors import InvalidRequest
from ..conversation import CacheHint, Media, Part, Reasoning, Text, ToolCall, ToolNames, ToolResult, Turn, fit_id
from ..custom_tools import wrap
from ..signatures import unmark

_IMAGES: Final = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
_PDF: Final = "application/pdf"
_OPENING: Final = "(The conversation begins.)"
_JSON_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_HINTS: Final[dict[CacheHint, dict[str, str]]] = {
    "5m": {"type": "ephemeral"},
    "1h": {"type": "ephemeral", "ttl": "1h"},
}


def with_cache(block: dict[str, Any], hint: CacheHint | None) -> dict[str, Any]:
    """The block with a cache hint, if there is one."""
    return block if hint is None else {**block, "cache_control": _HINTS[hint]}


def text_blocks(parts: Iterable[Text]) -> list[dict[str, Any]]:
    """Blocks of text; empty ones, which the API refuses, are left out."""
    return [with_cache({"type": "text", "text": part.text}, part.cache) for part in parts if part.text]


def write_turns(turns: Iterable[Turn], maker: str, names: ToolNames) -> list[dict[str, Any]]:
    """Messages that begin with a user's and take turns; system turns in between become words of the user.

    Raises InvalidRequest for media that this API has no block for.
    """
    messages: list[dict[str, Any]] = []
    for turn in turns:
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = _blocks(turn, maker, names)
        if not blocks:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    if not messages or messages[0]["role"] == "assistant":
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": _OPENING}]})
    for message in messages:
        # Stable: results of tools first, the rest as it came.
        message["content"].sort(key=_comes_later)
    _trim_last(messages[-1])
    return messages


def _comes_later(block: dict[str, Any]) -> bool:
    return bool(block["type"] != "tool_result")


def _trim_last(message: dict[str, Any]) -> None:
    """An answer that is to be continued may not end in white space."""
    last = message["content"][-1]
    if message["role"] == "assistant" and last["type"] == "text":
        last["text"] = last["text"].rstrip() or "."


def _blocks(turn: Turn, maker: str, names: ToolNames) -> list[dict[str, Any]]:
    if turn.role == "system":
        words = [part for part in turn.parts if isinstance(part, Text)]
        return [{**block, "text": f"<system>\n{block['text']}\n</system>"} for block in text_blocks(words)]
    return [block for part in turn.parts if (block := _block(part, turn, maker, names)) is not None]


def _block(part: Part, turn: Turn, maker: str, names: ToolNames) -> dict[str, Any] | None:
    if isinstance(part, Text):
        return with_cache({"type": "text", "text": part.text}, part.cache) if part.text else None
    if isinstance(part, Media):
        if turn.role == "assistant":
            raise InvalidRequest(f"This model can't be shown its own {part.kind}s again.", param="messages")
        return _media(part)
    if isinstance(part, Reasoning):
        return _thought(part, maker)
    if isinstance(part, ToolCall):
        call = {"type": "tool_use", "id": fit_id(part.id), "name": names.fit(part.name), "input": _input(part)}
        return with_cache(call, part.cache)
    return _result(part)


def _thought(part: Reasoning, maker: str) -> dict[str, Any] | None:
    """A thought goes back only to the one who signed it; without a signature this API takes none."""
    original = unmark(part.signature, maker) if part.signature else None
    if not original:
        return None
    if part.redacted:
        return {"type": "redacted_thinking", "data": original}
    return {"type": "thinking", "thinking": part.text, "signature": original}


def _input(call: ToolCall) -> Any:
    """A tool's input is an object here; free text and what is no object are wrapped."""
    if call.custom:
        return Raw(wrap(call.arguments).encode())
    if not call.arguments.strip():
        return {}
    try:
        return _JSON_OBJECT.decode(call.arguments)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return Raw(wrap(call.arguments).encode())


def _result(part: ToolResult) -> dict[str, Any]:
    content = [
        _media(piece) if isinstance(piece, Media) else {"type": "text", "text": piece.text}
        for piece in part.content
        if isinstance(piece, Media) or piece.text
    ]
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": fit_id(part.call_id)}
    if content:
        result["content"] = content
    if part.is_error:
        result["is_error"] = True
    return with_cache(result, part.cache)


def _media(part: Media) -> dict[str, Any]:
    if part.kind not in {"image", "document"}:
        raise InvalidRequest(f"This model takes no {part.kind} input.", param="messages")
    block: dict[str, Any] = {"type": part.kind, "source": _source(part)}
    if part.kind == "document" and part.name:
        block["title"] = part.name[:255]
    return with_cache(block, part.cache)


def _source(part: Media) -> dict[str, Any]:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    media_type = (
        (part.media_type or (_PDF if part.kind == "document" else "")).lower().replace("image/jpg", "image/jpeg")
    )
    if (part.kind == "image" and media_type in _IMAGES) or media_type == _PDF:
        return {"type": "base64", "media_type": media_type, "data": part.data or ""}
    if part.kind == "document" and media_type.startswith(("text/", "application/json")):
        return {"type": "text", "media_type": "text/plain", "data": _plain(part.data or "")}
    raise InvalidRequest(f"This model takes no {part.kind} of the type {media_type[:80]!r}.", param="messages")


def _plain(data: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise InvalidRequest("A text file has to be UTF-8 in base64.", param="messages") from None
