"""Turns of the intermediate form as contents with parts. The rules are in docs/translation-gemini.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw

from ..conversation import Media, Part, Reasoning, Text, ToolCall, ToolNames, ToolResult, Turn, fit_id
from ..custom_tools import wrap
from ..signatures import unmark
from .thoughts import SKIP

_OPENING: Final = "(The conversation begins.)"
_DEFAULT_TYPES: Final = {
    "image": "image/png",
    "audio": "audio/wav",
    "document": "application/pdf",
    "video": "video/mp4",
}
_USUAL: Final = {"image/jpg": "image/jpeg", "audio/mpeg": "audio/mp3", "audio/x-wav": "audio/wav"}
_ENDS: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "mp3": "audio/mp3",
    "wav": "audio/wav",
    "mp4": "video/mp4",
    "webm": "video/webm",
}
_REMOTE_TYPES: Final = {**_DEFAULT_TYPES, "image": "image/jpeg"}
_JSON_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])


def write_turns(turns: Iterable[Turn], maker: str, names: ToolNames) -> list[dict[str, Any]]:
    """Contents that begin with a user's and take turns; system turns in between become words of the user."""
    writer = _Writer(maker, names)
    contents: list[dict[str, Any]] = []
    for turn in turns:
        role = "model" if turn.role == "assistant" else "user"
        parts = writer.parts(turn)
        if not parts:
            continue
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    if not contents or contents[0]["role"] == "model":
        contents.insert(0, {"role": "user", "parts": [{"text": _OPENING}]})
    for content in contents:
        # Stable: results of functions first, the rest as it came.
        content["parts"].sort(key=_comes_later)
        if content["role"] == "model":
            _excuse_signature(content["parts"])
    return contents


def _comes_later(part: dict[str, Any]) -> bool:
    return "functionResponse" not in part


def _excuse_signature(parts: list[dict[str, Any]]) -> None:
    """The first call of a step needs a signature; one that another model made has a word in its place."""
    first = next((part for part in parts if "functionCall" in part), None)
    if first is not None and "thoughtSignature" not in first:
        first["thoughtSignature"] = SKIP


class _Writer:
    def __init__(self, maker: str, names: ToolNames) -> None:
        self._maker, self._names = maker, names
        self._called: dict[str, str] = {}

    def parts(self, turn: Turn) -> list[dict[str, Any]]:
        """The parts of a turn; media of results follow the results."""
        if turn.role == "system":
            words = [part.text for part in turn.parts if isinstance(part, Text) and part.text]
            return [{"text": f"<system>\n{text}\n</system>"} for text in words]
        return [written for part in turn.parts for written in self._part(part)]

    def _part(self, part: Part) -> list[dict[str, Any]]:
        if isinstance(part, Text):
            return [{"text": part.text}] if part.text else []
        if isinstance(part, Media):
            return [_media(part)]
        if isinstance(part, Reasoning):
            return self._thought(part)
        return [self._call(part)] if isinstance(part, ToolCall) else self._result(part)

    def _thought(self, part: Reasoning) -> list[dict[str, Any]]:
        """A thought goes back only to the one who signed it."""
        original = unmark(part.signature, self._maker) if part.signature else None
        if not original:
            return []
        thought = {"text": part.text, "thoughtSignature": original}
        return [thought if part.redacted else {**thought, "thought": True}]

    def _call(self, part: ToolCall) -> dict[str, Any]:
        name = self._called[part.id] = self._names.fit(part.name)
        call: dict[str, Any] = {"functionCall": {"id": fit_id(part.id), "name": name, "args": _args(part)}}
        original = unmark(part.signature, self._maker) if part.signature else None
        return {**call, "thoughtSignature": original} if original else call

    def _result(self, part: ToolResult) -> list[dict[str, Any]]:
        text = "\n\n".join(piece.text for piece in part.content if isinstance(piece, Text))
        name = self._called.get(part.call_id) or self._names.fit(part.name or "unknown")
        response = {"error": text} if part.is_error else {"output": text}
        written = {"functionResponse": {"id": fit_id(part.call_id), "name": name, "response": response}}
        media = [_media(piece) for piece in part.content if isinstance(piece, Media)]
        if not media:
            return [written]
        return [written, {"text": f"What {name} ({fit_id(part.call_id)}) answered holds:"}, *media]


def _args(call: ToolCall) -> Any:
    """Arguments are an object here; free text and what is no object are wrapped."""
    if call.custom:
        return Raw(wrap(call.arguments).encode())
    return object_of(call.arguments)


def object_of(arguments: str) -> Any:
    """JSON text as an object; what is none is wrapped."""
    if not arguments.strip():
        return {}
    try:
        return _JSON_OBJECT.decode(arguments)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return Raw(wrap(arguments).encode())


def _media(part: Media) -> dict[str, Any]:
    given = _USUAL.get(part.media_type or "", part.media_type)
    if part.url is None:
        return {"inlineData": {"mimeType": given or _DEFAULT_TYPES[part.kind], "data": part.data or ""}}
    end = part.url.partition("?")[0].rpartition(".")[2].lower()
    return {"fileData": {"fileUri": part.url, "mimeType": given or _ENDS.get(end) or _REMOTE_TYPES[part.kind]}}
