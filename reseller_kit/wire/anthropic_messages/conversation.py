"""Messages requests into the intermediate form. Refuses what the form can't hold, or names it in `left_out`.

Source: Anthropic API reference, "Create a Message". The rules are the table in docs/translation-messages.md.
"""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec
from msgspec import Raw, Struct

from ...core.errors import InvalidRequest
from ..codec import Call
from ..conversation import Conversation, Effort, OutputFormat, Role, Text, Thinking, Tool, ToolChoice, Turn
from ..json_body import NULL, decode_as, is_given
from .blocks import Block, Ephemeral, LeftOut, cache_hint, read_parts
from .head import OF_ITS_OWN, PLAIN_TOOLS

BILLING_HEADER: Final = "x-anthropic-billing-header:"
"""How a system block of Claude Code begins that is meant for the provider's books alone."""
_ROLES: Final[dict[str, Role]] = {role: role for role in get_args(Role)}
_EFFORTS: Final[dict[str, Effort]] = {
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "xhigh",
}
_READ_ELSEWHERE: Final = frozenset({"inference_geo", "max_tokens", "model", "service_tier", "speed", "stream"})


class _Message(Struct):
    role: str
    content: str | list[Block]


class _Format(Struct):
    type: str
    schema: Raw = NULL


class _OutputConfig(Struct):
    effort: str | None = None
    format: _Format | None = None


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class _ToolChoice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Metadata(Struct):
    user_id: str | None = None


class _Tool(Struct):
    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: Raw = NULL
    strict: bool | None = None
    cache_control: Ephemeral | None = None
    input_examples: Raw = NULL


def _optional(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind | None)


_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    "messages": msgspec.json.Decoder(list[_Message]),
    "metadata": _optional(_Metadata),
    "output_config": _optional(_OutputConfig),
    "output_format": _optional(_Format),
    "stop_sequences": _optional(list[str]),
    "system": _optional(str | list[Block]),
    "temperature": _optional(float),
    "thinking": _optional(_Thinking),
    "tool_choice": _optional(_ToolChoice),
    "tools": _optional(list[_Tool]),
    "top_k": _optional(int),
    "top_p": _optional(float),
}
_READ: Final = _READ_ELSEWHERE | _DECODERS.keys()


def to_conversation(call: Call) -> Conversation:
    """The request in the intermediate form. Raises InvalidRequest for what another model could not make sense of."""
    left_out = LeftOut()
    for name, value in call.fields.items():
        if name not in _READ and is_given(value):
            left_out.add(name)
    if call.output_limit == 0:
        raise InvalidRequest("max_tokens: This model has no cache to warm, so 0 can't be used.", param="max_tokens")
    tools = _tools(_read(call, "tools") or [], left_out)
    choice = _read(call, "tool_choice")
    metadata = _read(call, "metadata")
    config = _read(call, "output_config")
    return Conversation(
        turns=(*_system(_read(call, "system"), left_out), *_turns(_read(call, "messages"), left_out)),
        tools=tools,
        tool_choice=_tool_choice(choice, tools),
        parallel_tool_calls=False if choice is not None and choice.disable_parallel_tool_use else None,
        output_limit=call.output_limit,
        output_format=_output_format(_read(call, "output_format") or (config and config.format)),
        thinking=_thinking(_read(call, "thinking"), config and config.effort),
        temperature=_read(call, "temperature"),
        top_p=_read(call, "top_p"),
        top_k=_read(call, "top_k"),
        stop=tuple(_read(call, "stop_sequences") or ()),
        user=metadata and metadata.user_id,
        stream=call.stream,
        left_out=left_out.names(),
    )


def shows_thoughts(call: Call) -> bool:
    """Whether the caller asked to read what the model thinks. Raises InvalidRequest as `to_conversation` does."""
    thinking = _read(call, "thinking")
    return thinking is not None and _is_on(thinking) and thinking.display != "omitted"


def tool_names(call: Call) -> list[str]:
    """The names of the caller's tools. Raises InvalidRequest as `to_conversation` does."""
    return [tool.name for tool in _read(call, "tools") or ()]


def _read(call: Call, name: str) -> Any:
    value = call.fields.get(name)
    return None if value is None else decode_as(_DECODERS[name], value, within=name)


def _system(system: str | list[Block] | None, left_out: LeftOut) -> list[Turn]:
    if not system:
        return []
    blocks = system if isinstance(system, str) else [block for block in system if not _is_for_the_books(block)]
    parts = read_parts(blocks, "system", left_out)
    return [Turn(role="system", parts=parts)] if parts else []


def _is_for_the_books(block: Block) -> bool:
    return block.type == "text" and block.text.startswith(BILLING_HEADER)


def _turns(messages: list[_Message], left_out: LeftOut) -> list[Turn]:
    turns = []
    for index, message in enumerate(messages):
        if message.role not in _ROLES:
            raise InvalidRequest('A role is "user", "assistant" or "system".', param=f"messages[{index}].role")
        parts = read_parts(message.content, f"messages[{index}].content", left_out)
        if message.role == "system" and not all(isinstance(part, Text) for part in parts):
            raise InvalidRequest("A system message holds text.", param=f"messages[{index}].content")
        if parts:
            turns.append(Turn(role=_ROLES[message.role], parts=parts))
    if not turns:
        raise InvalidRequest("The messages hold nothing to answer.", param="messages")
    return turns


def _tools(tools: list[_Tool], left_out: LeftOut) -> tuple[Tool, ...]:
    carried = []
    for index, tool in enumerate(tools):
        if tool.type in PLAIN_TOOLS or tool.type is None:
            if not tool.name:
                raise InvalidRequest("A tool needs a name.", param=f"tools[{index}].name")
            if is_given(tool.input_examples):
                left_out.add("tools[].input_examples")
            carried.append(
                Tool(
                    name=tool.name,
                    description=tool.description,
                    parameters=tool.input_schema if is_given(tool.input_schema) else None,
                    strict=tool.strict,
                    cache=cache_hint(tool.cache_control),
                )
            )
        elif tool.type.startswith(OF_ITS_OWN):
            raise InvalidRequest(
                f"This model doesn't know tools of the type {tool.type[:80]!r}.",
                param=f"tools[{index}].type",
                fix="Describe the tool with an input_schema.",
            )
        else:
            left_out.add(f"tools[{tool.type[:64]}]")
    return tuple(carried)


def _tool_choice(choice: _ToolChoice | None, tools: tuple[Tool, ...]) -> ToolChoice | None:
    if choice is None:
        return None
    match choice.type:
        case "tool":
            if choice.name not in [tool.name for tool in tools]:
                raise InvalidRequest("The tool that is to be called is not offered to this model.", param="tool_choice")
            return ToolChoice(mode="named", names=(choice.name,))
        case "any":
            return ToolChoice(mode="required") if tools else None
        case "auto":
            return ToolChoice(mode="auto") if tools else None
        case "none":
            return ToolChoice(mode="none") if tools else None
        case _:
            raise InvalidRequest('A tool_choice is "auto", "any", "tool" or "none".', param="tool_choice.type")


def _output_format(wanted: _Format | None) -> OutputFormat | None:
    if wanted is None:
        return None
    if wanted.type != "json_schema" or not is_given(wanted.schema):
        raise InvalidRequest('An output format is of the type "json_schema" and has a schema.', param="output_config")
    return OutputFormat(kind="schema", schema=wanted.schema, strict=True)


def _is_on(thinking: _Thinking) -> bool:
    return thinking.type in {"enabled", "adaptive", "between_tools"}


def _thinking(thinking: _Thinking | None, effort: str | None) -> Thinking | None:
    if effort is not None and effort not in _EFFORTS:
        raise InvalidRequest("An effort is low, medium, high, xhigh or max.", param="output_config.effort")
    wanted = _EFFORTS[effort] if effort is not None else None
    if thinking is None:
        return Thinking(effort=wanted) if wanted is not None else None
    if thinking.type == "disabled":
        return Thinking(budget=0)
    if not _is_on(thinking):
        raise InvalidRequest('Thinking is "adaptive", "enabled", "between_tools" or "disabled".', param="thinking.type")
    visible = thinking.display != "omitted"
    if thinking.type == "enabled":
        if thinking.budget_tokens is None or thinking.budget_tokens < 0:
            raise InvalidRequest("thinking.budget_tokens: Field required.", param="thinking.budget_tokens")
        return Thinking(budget=thinking.budget_tokens, visible=visible)
    return Thinking(effort=wanted, budget=None if wanted is not None else -1, visible=visible)
