"""What tells a conversation from others: how its client names it, else how its prompt begins. Hashes and keeps nothing.

A provider keeps the prompt cache of a conversation where it was answered, and each turn begins with the turns before
it: what is read here stays the same from one turn to the next.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from .codec import Api, Call

_SESSION_HEADERS: Final = frozenset(
    {
        b"conversation-id",
        b"conversation_id",
        b"session-id",
        b"session_id",
        b"thread-id",
        b"x-claude-code-session-id",
        b"x-conversation-id",
        b"x-opencode-session",
        b"x-session-affinity",
        b"x-session-id",
    }
)
"""As Codex, Claude Code, OpenCode and gateways' clients send them."""
_MAX_NAME_BYTES: Final = 512
_MAX_RULES_BYTES: Final = 1024
_MAX_HEAD_BYTES: Final = 4096
_TURNS: Final[dict[Api, str]] = {
    "chat": "messages",
    "messages": "messages",
    "responses": "input",
    "generate_content": "contents",
}
_RULES: Final[dict[Api, tuple[str, ...]]] = {
    "chat": (),
    "messages": ("system",),
    "responses": ("instructions",),
    "generate_content": ("systemInstruction", "system_instruction"),
}
_TEXTS: Final = ("content", "parts", "text")
_text = msgspec.json.Decoder(str).decode
_metadata = msgspec.json.Decoder(dict[str, Any]).decode
_decode_at = json.JSONDecoder().raw_decode
_blanks = re.compile(r"[ \t\r\n,]*").match
_SHORT: Final = '"([^"]{0,1000}+)"'
_plain = re.compile(
    rf'\[(?:\{{"role": ?"(?:system|developer)", ?"content": ?{_SHORT}\}}, ?)?'
    rf'\{{"role": ?"user", ?"content": ?{_SHORT}\}}([],])'
).match
"""How most prompts begin: at most a short system message and a short one of the user's. Where neither has an escape,
these are what `_opening` finds, in one step."""


def session_of(named: Mapping[bytes, bytes]) -> str:
    """What the client calls its session in a header, by their names in small letters; empty where it does not."""
    if _SESSION_HEADERS.isdisjoint(named):
        return ""
    for name, value in named.items():
        if name in _SESSION_HEADERS and value:
            return value[:_MAX_NAME_BYTES].decode("latin-1")
    return ""


class ConversationName(Struct, frozen=True):
    """A few kilobytes at most. `named`: by its client, not told from how it begins. `goes_on`: it has turns already."""

    text: str
    named: bool = False
    goes_on: bool = False


def conversation_name(call: Call, session: str) -> ConversationName:
    """The conversation as its client names it, else the beginning of its prompt.

    `session`: of `session_of`. Raises nothing.
    """
    fields, api = call.fields, call.api
    if "prompt_cache_key" in fields and (named := _string(fields["prompt_cache_key"])):
        return ConversationName("key:" + named[:_MAX_NAME_BYTES], named=True)
    if session:
        return ConversationName("session:" + session, named=True)
    if "metadata" in fields and (user := _user_of(fields["metadata"])):
        return ConversationName("user:" + user[:_MAX_NAME_BYTES], named=True)
    text = "head:"
    for name in _RULES[api]:
        if name in fields:
            text += _slice(fields[name], _MAX_RULES_BYTES)
    turns = fields.get(_TURNS[api])
    if turns is None:
        return ConversationName(text)
    head = _slice(turns, _MAX_HEAD_BYTES)
    plain = _plain(head)
    if plain is not None:
        rules, asked, behind = plain.groups("")
        if "\\" not in rules and "\\" not in asked:
            return ConversationName(text + rules + asked, goes_on=behind == ",")
    opening, goes_on = _opening(head)
    return ConversationName(text + opening, goes_on=goes_on)


def _opening(turns: str) -> tuple[str, bool]:
    """The text of the turns up to the first of the user's, as far as they are looked at, and whether any follow it."""
    if not turns.startswith("["):
        return turns.strip('"'), False
    texts: list[str] = []
    place = 1
    try:
        while True:
            turn, place = _decode_at(turns, _behind_blanks(turns, place))
            _add_texts(turn, texts)
            if isinstance(turn, dict) and turn.get("role", "user") == "user":
                return "".join(texts), not turns.startswith("]", _behind_blanks(turns, place))
    except (ValueError, RecursionError):
        # A turn that is longer than what is looked at, or the end.
        return "".join([*texts, turns[place:]]), False


def _behind_blanks(turns: str, place: int) -> int:
    blanks = _blanks(turns, place)
    return blanks.end() if blanks else place


def _add_texts(item: Any, texts: list[str]) -> None:
    """Add the text of a turn, whichever way its client wraps it."""
    if isinstance(item, str):
        texts.append(item)
    elif isinstance(item, dict):
        for name in _TEXTS:
            if name in item:
                _add_texts(item[name], texts)
    elif isinstance(item, list):
        for part in item:
            _add_texts(part, texts)


def _slice(raw: Raw, most: int) -> str:
    return (bytes(raw) if len(raw) <= most else bytes(memoryview(raw)[:most])).decode("utf-8", "ignore")


def _string(raw: Raw) -> str:
    try:
        return _text(raw)
    except msgspec.MsgspecError:
        return ""


def _user_of(raw: Raw) -> str:
    try:
        user = _metadata(raw).get("user_id")
    except (msgspec.MsgspecError, RecursionError):
        return ""
    return user if isinstance(user, str) else ""
