"""The intermediate form of a request: what every dialect can say, in none of their words. Decodes and sends nothing.

A request is brought into this form only when the upstream that serves its model speaks another dialect than the caller.
Each codec has `to_conversation` (its dialect → this form) and `from_conversation` (this form → its dialect). What a
codec can't carry it refuses with InvalidRequest, or leaves out and names in `Conversation.left_out`, never silently;
`docs/translation.md` is the table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Raw, Struct

Role = Literal["system", "user", "assistant"]
MediaKind = Literal["image", "audio", "document", "video"]
CacheHint = Literal["5m", "1h"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]

MAX_NAME: Final = 64
"""Characters of a tool's name or a call's id that every dialect takes."""
_SAFE: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


class Text(Struct, frozen=True, kw_only=True):
    """Text of any role; `refusal`: the assistant's words of declining."""

    text: str
    refusal: bool = False
    cache: CacheHint | None = None


class Media(Struct, frozen=True, kw_only=True):
    """An image, sound, document or film, either as base64 `data` with its `media_type` or as a `url`."""

    kind: MediaKind
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    name: str | None = None
    detail: str | None = None
    cache: CacheHint | None = None


class Reasoning(Struct, frozen=True, kw_only=True):
    """What an assistant thought. `signature` is opaque and of use to its `maker` alone (`wire.signatures`).

    `redacted`: the signature is all there is, its text was withheld by the maker.
    """

    text: str
    signature: str | None = None
    maker: str | None = None
    redacted: bool = False


class ToolCall(Struct, frozen=True, kw_only=True):
    """The assistant calls a tool. `arguments`: JSON text of an object, or free text where the tool is `custom`."""

    id: str
    name: str
    arguments: str
    custom: bool = False
    signature: str | None = None
    maker: str | None = None
    cache: CacheHint | None = None


class ToolResult(Struct, frozen=True, kw_only=True):
    """What a tool answered, in a turn of the user; `name` is that of the call where the dialect tells it."""

    call_id: str
    content: tuple[Text | Media, ...]
    name: str | None = None
    is_error: bool = False
    cache: CacheHint | None = None


Part = Text | Media | Reasoning | ToolCall | ToolResult


class Turn(Struct, frozen=True, kw_only=True):
    """One turn; within a user's turn tool results come before everything else."""

    role: Role
    parts: tuple[Part, ...]


class Tool(Struct, frozen=True, kw_only=True):
    """A tool that the caller runs. `parameters`: its JSON Schema, None for none; `custom`: takes free text instead.

    `grammar`: what the free text has to match, in the caller's words, for an upstream that can't enforce it.
    """

    name: str
    description: str | None = None
    parameters: Raw | None = None
    strict: bool | None = None
    custom: bool = False
    grammar: str | None = None
    cache: CacheHint | None = None


class ToolChoice(Struct, frozen=True, kw_only=True):
    """`auto`, `none`, `required` (any tool) or `named`; `names`: the tools that may be called, empty for all."""

    mode: Literal["auto", "none", "required", "named"]
    names: tuple[str, ...] = ()


class OutputFormat(Struct, frozen=True, kw_only=True):
    """`json`: any JSON object; `schema`: JSON that matches `schema`."""

    kind: Literal["text", "json", "schema"]
    name: str | None = None
    description: str | None = None
    schema: Raw | None = None
    strict: bool | None = None


class Thinking(Struct, frozen=True, kw_only=True):
    """How much to think: an `effort`, or a `budget` in tokens (0: not at all, -1: as the model likes).

    `visible`: whether the caller wants to read the thoughts.
    """

    effort: Effort | None = None
    budget: int | None = None
    visible: bool = False


class Conversation(Struct, frozen=True, kw_only=True):
    """One request. `output_limit`: tokens that the caller named, None for none. `stop`: sequences that end the answer.

    `user`: the caller's own id for its user. `left_out`: what of the request this form can't hold, as paths in the
    caller's dialect; shown to the caller in a header.
    """

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    output_limit: int | None = None
    output_format: OutputFormat | None = None
    thinking: Thinking | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    user: str | None = None
    verbosity: str | None = None
    stream: bool = False
    left_out: tuple[str, ...] = ()


_BUDGETS: Final[dict[Effort, int]] = {
    "none": 0,
    "minimal": 1_024,
    "low": 4_096,
    "medium": 10_240,
    "high": 24_576,
    "xhigh": 32_768,
}


def budget_of(thinking: Thinking) -> int | None:
    """Tokens of thought for an upstream that takes a budget; None where the caller left it to the model."""
    if thinking.budget is not None:
        return None if thinking.budget < 0 else thinking.budget
    return None if thinking.effort is None else _BUDGETS[thinking.effort]


def effort_of(thinking: Thinking) -> Effort | None:
    """The effort for an upstream that takes one: the least whose budget covers the caller's."""
    if thinking.effort is not None or thinking.budget is None or thinking.budget < 0:
        return thinking.effort
    budget = thinking.budget
    return next((effort for effort, tokens in _BUDGETS.items() if budget <= tokens), "xhigh")


def fit_id(call_id: str) -> str:
    """A call's id as every dialect takes it: itself, or a digest of the same length each time."""
    if 0 < len(call_id) <= MAX_NAME and _SAFE.issuperset(call_id):
        return call_id
    return "call_" + hashlib.sha256(call_id.encode(errors="surrogatepass")).hexdigest()[:32]


class ToolNames:
    """Tools' names as every upstream takes them, and back: long or odd ones are shortened with a digest."""

    def __init__(self, names: Iterable[str]) -> None:
        self._original: dict[str, str] = {}
        self._fitting: dict[str, str] = {}
        for name in names:
            fitting = _fit_name(name)
            self._fitting[name] = fitting
            self._original[fitting] = name

    def fit(self, name: str) -> str:
        """The name to send."""
        return self._fitting.get(name) or _fit_name(name)

    def original(self, name: str) -> str:
        """The caller's name of what an upstream called."""
        return self._original.get(name, name)


def _fit_name(name: str) -> str:
    if 0 < len(name) <= MAX_NAME and _SAFE.issuperset(name) and not name[0].isdigit() and name[0] != "-":
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:10]
    kept = "".join(letter if letter in _SAFE else "_" for letter in name)[: MAX_NAME - 13]
    return f"t_{kept}_{digest}"
