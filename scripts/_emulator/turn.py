"""One turn of a conversation in no dialect's words: what was asked, and what the emulator answers to it."""

from __future__ import annotations

import json
from typing import Any, Final, Literal

import msgspec

from scripts._emulator import sample
from scripts._emulator.directives import Caching, Counts, Directives, directives_in, tally
from scripts._emulator.text import words

DEFAULT_REASONING: Final = 8
REFUSAL: Final = "I can't help with that."
Stop = Literal["stop", "length", "tool", "refusal", "sequence"]


class Tool(msgspec.Struct, frozen=True):
    """A tool that the caller offers. `custom`: it takes free text, not an object. `namespace`: of a Responses tool."""

    name: str
    schema: Any = None
    custom: bool = False
    namespace: str | None = None


class Call(msgspec.Struct, frozen=True):
    """A call of a tool; `arguments` is JSON, or the text of a custom tool."""

    tool: Tool
    arguments: str


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for. `texts`: one per message, the system's first; `answered`: a tool's result came last.

    `forced`: a tool has to be called, this one or, where empty, any. `schema`: what the text has to fit.
    """

    model: str
    texts: list[str]
    last_user: str
    answered: bool = False
    stream: bool = False
    limit: int | None = None
    tools: list[Tool] = []
    forced: str | None = None
    thinking: bool = False
    schema: Any = None
    stops: list[str] = []
    caching: Caching = "implicit"

    @property
    def input_tokens(self) -> int:
        """The rule: 3, and 4 for each message, and its words."""
        return 3 + sum(4 + len(text.split()) for text in self.texts)


class Answer(msgspec.Struct, frozen=True):
    """What the emulator says: words of reasoning, then words of text or calls of tools."""

    directives: Directives
    counts: Counts
    thoughts: list[str]
    words: list[str]
    calls: list[Call]
    stop: Stop
    stop_sequence: str | None = None

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.words)


def resolve(turn: Turn, base: Directives) -> Directives:
    """The directives of a turn, with what its request asks for beside them: tools, a schema, reasoning.

    A tool is called when a directive or the request's tool choice asks for it, until its result has come.
    Raises BadRequest.
    """
    found = directives_in(turn.last_user, base)
    changes: dict[str, Any] = {}
    if turn.answered:
        changes["tool"] = 0
    elif turn.forced is not None and turn.tools:
        changes |= {"tool": max(1, found.tool), "call": turn.forced or found.call}
    if found.text is None and turn.schema is not None:
        changes["text"] = json.dumps(sample.value(turn.schema))
    if found.refuse:
        changes["text"] = REFUSAL
    if turn.thinking and found.reasoning is None:
        half = DEFAULT_REASONING if found.output is None else found.output // 2
        changes["reasoning"] = min(DEFAULT_REASONING, half)
    return msgspec.structs.replace(found, **changes) if changes else found


def compose(turn: Turn, directives: Directives) -> Answer:
    """The answer to a turn under resolved directives."""
    stop: Stop = "stop"
    sequence = next((text for text in turn.stops if text and text in (directives.text or "")), None)
    if sequence is not None and directives.text is not None:
        directives = msgspec.structs.replace(directives, text=directives.text.partition(sequence)[0])
        stop = "sequence"
    counts = tally(turn.input_tokens, turn.limit, directives, turn.caching)
    calls = calls_of(turn.tools, directives)
    said = [] if calls else words(directives.text, counts.visible)
    if counts.limited:
        stop = "length"
    elif directives.refuse:
        stop = "refusal"
    elif calls:
        stop = "tool"
    thoughts = words(None, counts.reasoning)
    return Answer(directives, counts, thoughts, said, calls, stop, sequence if stop == "sequence" else None)


def calls_of(tools: list[Tool], directives: Directives) -> list[Call]:
    """The calls that are asked for: of the tool named, else the first one offered, else of one about the weather."""
    if not directives.tool:
        return []
    tool = next((tool for tool in tools if tool.name == directives.call), tools[0] if tools else None)
    if tool is None:
        tool = Tool(directives.call or "get_weather")
    return [Call(tool, _arguments(tool, directives, number)) for number in range(directives.tool)]


def _arguments(tool: Tool, directives: Directives, number: int) -> str:
    if directives.arguments is not None:
        return directives.arguments
    if tool.custom:
        return "a plain value"
    if tool.schema is None:
        return json.dumps({"city": "Ulm", "unit": "celsius", "day": number})
    return json.dumps(sample.value(tool.schema))
