"""Makes a recorded request fit to be kept: nobody's ids, paths or long texts, every field and type as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

LONG: Final = 200
_STAND_IN: Final = "You are a helpful agent. Answer briefly and use the tools that you are given."
_BILLING: Final = "x-anthropic-billing-header:"
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DIGEST: Final = re.compile(r"\b[0-9a-f]{64}\b")
_MOMENT: Final = re.compile(r"\b17\d{11}\b")
_TAG: Final = re.compile(r"\s*<([a-zA-Z_-]+)>")
_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "connection", "accept-encoding", "authorization", "x-api-key", "x-goog-api-key"}
)
_INSTRUCTIONS: Final = frozenset({"system", "systemInstruction", "instructions"})
_TEXTS: Final = frozenset({"text", "content", "output", "thinking", "result"})


class Anonymiser:
    """Replaces the same id by the same stand-in; one for all requests of one client's action."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._ids: dict[str, str] = {}

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Without what belongs to the connection or is secret."""
        return {name: self._ids_of(value) for name, value in headers.items() if name not in _OWN_HEADERS}

    def body(self, value: Any, key: str = "") -> Any:
        """The same document with stand-ins."""
        if isinstance(value, dict):
            inside = {"text", "parts"} if key in _INSTRUCTIONS else set()
            return {name: self.body(inner, key if name in inside else name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.body(inner, key) for inner in value]
        if not isinstance(value, str):
            return value
        if key == "description":
            return "What it is for."
        if key in _INSTRUCTIONS:
            return value if value.startswith(_BILLING) else _STAND_IN
        return self._ids_of(_short(value) if key in _TEXTS else value)

    def _ids_of(self, text: str) -> str:
        text = text.replace(self._folder, "/home/user")
        text = _UUID.sub(self._stand_in, text)
        return _MOMENT.sub("1767225600000", _DIGEST.sub("0" * 64, text))

    def _stand_in(self, match: re.Match[str]) -> str:
        number = len(self._ids) + 1
        return self._ids.setdefault(match[0], f"{number:08x}-0000-7000-8000-{number:012x}")


def _short(text: str) -> str:
    """A stand-in for another's long text; what encloses it stays."""
    tag = _TAG.match(text)
    if tag:
        return f"<{tag[1]}>\nA note of the program to the model.\n</{tag[1]}>"
    return text if len(text) <= LONG or _is_json(text) else _STAND_IN


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
