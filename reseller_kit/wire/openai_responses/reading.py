"""A Responses request in the intermediate form."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from ...core.errors import InvalidRequest
from .. import conversation as form
from ..codec import Call
from ..json_body import NULL, decode_as, encode_object, is_given
from ..openai_chat.options import effort_named, left_out
from .request import ENCRYPTED
from .tools import Choice, Tool, choice_of, hosted_of, joined, name_of, tools_of
from .turns import read_input

_CARRIED: Final = frozenset(
    {
        "background",
        "conversation",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
    }
)
"""Members that are carried, refused, or our own affair; any other that is given is left out by name."""
_UNTRANSLATED: Final = frozenset(
    {"apply_patch", "computer", "computer_use_preview", "local_shell", "shell", "tool_search"}
)
"""Tools that the caller runs but that only models of this API know."""


class _Reasoning(Struct):
    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class _Format(Struct):
    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = None
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


class _Text(Struct):
    format: _Format | None = None
    verbosity: str | None = None


class _Options(Struct):
    include: list[str] | None = None
    instructions: str | None = None
    parallel_tool_calls: bool | None = None
    reasoning: _Reasoning | None = None
    safety_identifier: str | None = None
    temperature: float | None = None
    text: _Text | None = None
    top_logprobs: int | None = None
    top_p: float | None = None
    truncation: str | None = None
    user: str | None = None


_OPTIONS: Final = msgspec.json.Decoder(_Options)
_WANTED: Final = _Options.__struct_fields__


def to_conversation(call: Call) -> form.Conversation:
    """A Responses request in the intermediate form. Raises InvalidRequest for what no other dialect can carry."""
    fields = call.fields
    if is_given(fields.get("previous_response_id")):
        raise InvalidRequest(
            "Earlier responses are not kept here. Send their items as input.", param="previous_response_id"
        )
    options = decode_as(_OPTIONS, encode_object({name: fields[name] for name in _WANTED if name in fields}))
    found = read_input(fields["input"], options.instructions)
    tools, lost_tools = _read_tools([*tools_of(fields), *found.tools], choice_of(fields))
    return form.Conversation(
        turns=found.turns,
        tools=tools,
        tool_choice=_read_choice(choice_of(fields), lost_tools),
        parallel_tool_calls=options.parallel_tool_calls,
        output_limit=call.output_limit,
        output_format=_read_format(options.text.format if options.text else None),
        thinking=_read_thinking(options.reasoning),
        temperature=options.temperature,
        top_p=options.top_p,
        user=options.user or options.safety_identifier,
        verbosity=options.text.verbosity if options.text else None,
        stream=call.stream,
        left_out=(*_left_out(fields, options), *found.left_out, *lost_tools),
    )


def _left_out(fields: dict[str, Raw], options: _Options) -> tuple[str, ...]:
    harmless = _CARRIED if options.truncation == "auto" else _CARRIED | {"truncation"}
    if options.top_logprobs:
        harmless = harmless - {"top_logprobs"}
    others = [f"include: {name[:60]}" for name in options.include or () if name != ENCRYPTED]
    return (*left_out(fields, harmless), *others)


def _read_tools(offered: list[Tool], choice: str | Choice | None) -> tuple[tuple[form.Tool, ...], tuple[str, ...]]:
    """The tools that can be carried, and the paths of those that can't."""
    lost = list(hosted_of(offered, choice))
    tools: list[form.Tool] = []
    for index, tool in enumerate(offered):
        at = f"tools[{index}]"
        if tool.type == "namespace":
            tools += [_read_tool(inner, at, tool) for inner in tool.tools or ()]
        elif tool.type in ("function", "custom"):
            tools.append(_read_tool(tool, at, None))
        elif tool.type in _UNTRANSLATED:
            lost.append(f"{at} ({tool.type})")
    if lost and not tools and choice == "required":
        raise InvalidRequest(
            "tool_choice: this model can call none of the tools that are offered.", param="tool_choice"
        )
    return tuple(tools), tuple(lost)


def _read_tool(tool: Tool, at: str, namespace: Tool | None) -> form.Tool:
    custom = tool.type == "custom"
    return form.Tool(
        name=joined(namespace.name if namespace else None, name_of(tool, at)),
        description=tool.description or (namespace.description if namespace else None),
        parameters=tool.parameters if is_given(tool.parameters) else None,
        strict=tool.strict,
        custom=custom,
        grammar=tool.format.definition if custom and tool.format else None,
    )


def _read_choice(choice: str | Choice | None, lost: tuple[str, ...]) -> form.ToolChoice | None:
    if choice is None:
        return None
    if isinstance(choice, str):
        mode: Any = choice
        return form.ToolChoice(mode=mode)
    if choice.type == "allowed_tools":
        names = tuple(joined(tool.namespace, tool.name) for tool in choice.tools or () if tool.name)
        required = choice.mode == "required"
        if not names and (required or choice.tools):
            raise InvalidRequest("tool_choice: none of the allowed tools can be called here.", param="tool_choice")
        return form.ToolChoice(mode="required" if required else "auto", names=names)
    if not choice.name or any(f"({choice.type})" in path for path in lost):
        raise InvalidRequest(f"tool_choice: this model can't call {choice.type[:40]!r}.", param="tool_choice")
    return form.ToolChoice(mode="named", names=(joined(choice.namespace, choice.name),))


def _read_format(given: _Format | None) -> form.OutputFormat | None:
    if given is None or given.type == "text":
        return None
    if given.type == "json_object":
        return form.OutputFormat(kind="json")
    if not is_given(given.schema):
        raise InvalidRequest("text.format.schema is missing.", param="text.format")
    return form.OutputFormat(
        kind="schema", name=given.name, description=given.description, schema=given.schema, strict=given.strict
    )


def _read_thinking(given: _Reasoning | None) -> form.Thinking | None:
    if given is None:
        return None
    effort = effort_named(given.effort, "reasoning.effort")
    visible = (given.summary or given.generate_summary or "none") != "none"
    return form.Thinking(effort=effort, visible=visible) if effort or visible else None
