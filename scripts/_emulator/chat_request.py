"""OpenAI's chat request: what of it changes an answer, and what the real service refuses."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from scripts._emulator.directives import BadRequest, Counts, Directives, directives_in, tally
from scripts._emulator.turn import Tool, Turn, resolve

_ROLES: Final = ("system", "assistant", "user", "function", "tool", "developer")


class Part(msgspec.Struct):
    """A piece of a message's content."""

    type: str = ""
    text: str = ""


class ToolCall(msgspec.Struct):
    """A call that an earlier answer made."""

    id: str = ""


class Message(msgspec.Struct):
    """A message as far as it is counted and checked."""

    role: str
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @property
    def words(self) -> str:
        """All its text."""
        if isinstance(self.content, list):
            return " ".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(msgspec.Struct):
    """Options of a stream."""

    include_usage: bool = False


class ChatRequest(msgspec.Struct):
    """The fields of a chat request that change the answer; others are ignored, as an older server would."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    service_tier: str | None = None
    stop: str | list[str] | None = None

    @property
    def limit(self) -> int | None:
        """The output limit of one choice."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def turn(self) -> Turn:
        """The request in no dialect's words."""
        last = max((n for n, message in enumerate(self.messages) if message.role == "user"), default=-1)
        return Turn(
            model=self.model,
            texts=[message.words for message in self.messages],
            last_user=self.messages[last].words if last >= 0 else "",
            answered=any(message.role == "tool" for message in self.messages[last + 1 :]),
            stream=bool(self.stream),
            limit=self.limit,
            tools=[_tool(tool) for tool in self.tools or ()],
            forced=_forced(self.tool_choice),
            thinking=self.reasoning_effort not in (None, "none"),
            schema=_schema(self.response_format),
        )


_DECODER: Final = msgspec.json.Decoder(ChatRequest)


def decode(body: bytes) -> ChatRequest:
    """Read a request. Raises BadRequest."""
    try:
        request = _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise BadRequest(f"Invalid request: {error}", str(error).rpartition("$.")[2].strip("`") or None) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest("We could not parse the JSON body of your request.") from error
    if not request.messages:
        raise BadRequest("Invalid 'messages': empty array.", "messages")
    if request.stream_options is not None and not request.stream:
        raise BadRequest("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    if request.limit is not None and request.limit < 1:
        raise BadRequest("Invalid output limit: expected a value >= 1.", "max_completion_tokens")
    if request.n is not None and not 1 <= request.n <= 128:
        raise BadRequest("Invalid 'n': expected a value between 1 and 128.", "n")
    _check_messages(request.messages)
    return request


def directives_of(request: ChatRequest, base: Directives) -> Directives:
    """The directives in the last user message, on top of `base`, with what the request asks for. Raises BadRequest."""
    turn = request.turn
    return resolve(turn, base) if turn.last_user else directives_in("", base)


def count(request: ChatRequest, directives: Directives) -> Counts:
    """The tokens of a request: 3 + 4 a message + its words go in."""
    by_rule = 3 + sum(4 + len(message.words.split()) for message in request.messages)
    return tally(by_rule, request.limit, directives)


def _check_messages(messages: list[Message]) -> None:
    open_calls: set[str] = set()
    for n, message in enumerate(messages):
        if message.role not in _ROLES:
            known = ", ".join(f"'{role}'" for role in _ROLES)
            raise BadRequest(f"Invalid value: '{message.role}'. Supported values are: {known}.", f"messages[{n}].role")
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                text = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise BadRequest(f"Invalid parameter: {text}", f"messages[{n}].role")
            open_calls.discard(message.tool_call_id)
        elif open_calls:
            text = "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
            raise BadRequest(f"{text} 'tool_call_id'. Missing: {', '.join(sorted(open_calls))}", f"messages[{n}].role")
        else:
            open_calls = {call.id for call in message.tool_calls or ()}


def _tool(tool: dict[str, Any]) -> Tool:
    kind = "custom" if tool.get("type") == "custom" else "function"
    found = tool.get(kind)
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        raise BadRequest(f"Missing required parameter: 'tools[0].{kind}.name'.", f"tools[0].{kind}.name")
    return Tool(found["name"], found.get("parameters") or {}, kind == "custom")


def _forced(choice: Any) -> str | None:
    if isinstance(choice, dict):
        named = choice.get("function") or choice.get("custom")
        return str(named.get("name", "")) if isinstance(named, dict) else None
    return "" if choice == "required" else None


def _schema(wanted: dict[str, Any] | None) -> Any:
    if wanted is None or wanted.get("type") not in ("json_object", "json_schema"):
        return None
    named = wanted.get("json_schema")
    return (named.get("schema") or {"type": "object"}) if isinstance(named, dict) else {"type": "object"}
