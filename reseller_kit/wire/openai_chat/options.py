"""What a chat request asks for beside its messages, in the intermediate form: tools, format, thinking, sampling."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from ...core.errors import InvalidRequest
from ..conversation import CacheHint, Effort, OutputFormat, Thinking, Tool, ToolChoice
from ..json_body import NULL, decode_as, encode_object, is_given

_Name = Annotated[str, Meta(min_length=1, max_length=256)]

_CARRIED: Final = frozenset(
    {
        "frequency_penalty",
        "function_call",
        "functions",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "modalities",
        "model",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
        "user",
        "verbosity",
    }
)
"""Members that are carried or refused; any other that is given is left out by name."""
_NOTHING: Final = frozenset({b"false", b"{}", b"[]"})


class CacheControl(Struct):
    """A marker of Anthropic's dialect that some clients put on parts of chat messages."""

    ttl: str | None = None

    @property
    def hint(self) -> CacheHint:
        """How long to keep what ends here."""
        return "1h" if self.ttl == "1h" else "5m"


class _Function(Struct):
    name: _Name
    description: str | None = None
    parameters: Raw = NULL
    strict: bool | None = None


class _Grammar(Struct):
    definition: str = ""


class _CustomFormat(Struct):
    grammar: _Grammar | None = None


class _Custom(Struct):
    name: _Name
    description: str | None = None
    format: _CustomFormat | None = None


class _Tool(Struct):
    type: str = "function"
    function: _Function | None = None
    custom: _Custom | None = None
    cache_control: CacheControl | None = None


class _Named(Struct):
    name: _Name


class _ChosenTool(Struct):
    type: str = "function"
    function: _Named | None = None
    custom: _Named | None = None


class _AllowedTools(Struct):
    mode: Literal["auto", "required"] = "auto"
    tools: list[_ChosenTool] = msgspec.field(default_factory=list)


class _Choice(Struct):
    type: str = "function"
    function: _Named | None = None
    custom: _Named | None = None
    allowed_tools: _AllowedTools | None = None


class _Schema(Struct):
    name: str | None = None
    description: str | None = None
    schema: Raw = NULL
    strict: bool | None = None


class _Format(Struct):
    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: _Schema | None = None


class _Reasoning(Struct):
    effort: str | None = None
    max_tokens: int | None = None
    exclude: bool | None = None


class _Options(Struct):
    frequency_penalty: float | None = None
    function_call: Literal["none", "auto"] | _Named | None = None
    functions: list[_Function] | None = None
    modalities: list[str] | None = None
    n: int | None = None
    parallel_tool_calls: bool | None = None
    presence_penalty: float | None = None
    reasoning: _Reasoning | None = None
    reasoning_effort: str | None = None
    response_format: _Format | None = None
    safety_identifier: str | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    tool_choice: Literal["none", "auto", "required"] | _Choice | None = None
    tools: list[_Tool] | None = None
    top_k: int | None = None
    top_p: float | None = None
    user: str | None = None
    verbosity: str | None = None


_OPTIONS: Final = msgspec.json.Decoder(_Options)
_EFFORTS: Final[dict[str, Effort]] = {
    "none": "none",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "xhigh",
}


def read_options(fields: dict[str, Raw]) -> dict[str, Any]:
    """The members of `Conversation` that these fields give.

    Raises InvalidRequest for what no other dialect can do and whose lack the caller would not notice.
    """
    options = decode_as(_OPTIONS, encode_object({name: fields[name] for name in _WANTED if name in fields}))
    _refuse_uncarriable(options)
    stop = options.stop
    return {
        "tools": _tools_of(options),
        "tool_choice": _choice_of(options),
        "parallel_tool_calls": options.parallel_tool_calls,
        "output_format": _format_of(options.response_format),
        "thinking": _thinking_of(options),
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "frequency_penalty": options.frequency_penalty,
        "presence_penalty": options.presence_penalty,
        "seed": options.seed,
        "stop": (stop,) if isinstance(stop, str) else tuple(stop or ()),
        "user": options.user or options.safety_identifier,
        "verbosity": options.verbosity,
        "left_out": left_out(fields, _CARRIED),
    }


_WANTED: Final = _Options.__struct_fields__


def left_out(fields: dict[str, Raw], carried: frozenset[str]) -> tuple[str, ...]:
    """The names of the members that say something and that are not carried."""
    return tuple(
        sorted(
            name[:100]
            for name, value in fields.items()
            if name not in carried and is_given(value) and bytes(value) not in _NOTHING
        )
    )


def effort_named(name: str | None, param: str) -> Effort | None:
    """The effort of that name; raises InvalidRequest for one that is unknown."""
    if name is None:
        return None
    effort = _EFFORTS.get(name)
    if effort is None:
        raise InvalidRequest(f"{param}: {name[:40]!r} is not one of {', '.join(_EFFORTS)}.", param=param)
    return effort


def _refuse_uncarriable(options: _Options) -> None:
    refused = (
        ("n", (options.n or 1) > 1, "This model gives one choice to a request"),
        ("modalities", bool(set(options.modalities or ()) - {"text"}), "This model answers in text only"),
    )
    for name, given, message in refused:
        if given:
            raise InvalidRequest(f"{message}: leave {name} out.", param=name)


def _tools_of(options: _Options) -> tuple[Tool, ...]:
    tools = [_function_tool(function, None) for function in options.functions or ()]
    for index, tool in enumerate(options.tools or ()):
        hint = tool.cache_control.hint if tool.cache_control else None
        if tool.function is not None:
            tools.append(_function_tool(tool.function, hint))
        elif tool.custom is not None:
            grammar = tool.custom.format and tool.custom.format.grammar
            tools.append(
                Tool(
                    name=tool.custom.name,
                    description=tool.custom.description,
                    custom=True,
                    grammar=grammar.definition if grammar else None,
                    cache=hint,
                )
            )
        else:
            raise InvalidRequest(f"tools[{index}]: the member {tool.type[:40]!r} is missing.", param=f"tools[{index}]")
    return tuple(tools)


def _function_tool(function: _Function, cache: CacheHint | None) -> Tool:
    return Tool(
        name=function.name,
        description=function.description,
        parameters=function.parameters if is_given(function.parameters) else None,
        strict=function.strict,
        cache=cache,
    )


def _choice_of(options: _Options) -> ToolChoice | None:
    choice = options.tool_choice
    if choice is None:
        called = options.function_call
        return _named(called.name) if isinstance(called, _Named) else called and ToolChoice(mode=called)
    if isinstance(choice, str):
        return ToolChoice(mode=choice)
    if choice.allowed_tools is not None:
        names = [named.name for tool in choice.allowed_tools.tools if (named := tool.function or tool.custom)]
        return ToolChoice(mode=choice.allowed_tools.mode, names=tuple(names))
    chosen = choice.function or choice.custom
    if chosen is None:
        raise InvalidRequest("tool_choice: a function or custom tool has to be named.", param="tool_choice")
    return _named(chosen.name)


def _named(name: str) -> ToolChoice:
    return ToolChoice(mode="named", names=(name,))


def _format_of(given: _Format | None) -> OutputFormat | None:
    if given is None or given.type == "text":
        return None
    if given.type == "json_object":
        return OutputFormat(kind="json")
    schema = given.json_schema
    if schema is None or not is_given(schema.schema):
        raise InvalidRequest("response_format: json_schema.schema is missing.", param="response_format")
    return OutputFormat(
        kind="schema",
        name=schema.name,
        description=schema.description,
        schema=schema.schema,
        strict=schema.strict,
    )


def _thinking_of(options: _Options) -> Thinking | None:
    effort = effort_named(options.reasoning_effort, "reasoning_effort")
    reasoning = options.reasoning
    if reasoning is None:
        return effort and Thinking(effort=effort, visible=True)
    effort = effort or effort_named(reasoning.effort, "reasoning.effort")
    if effort is None and reasoning.max_tokens is None:
        return None
    budget = None if effort else reasoning.max_tokens
    return Thinking(effort=effort, budget=budget, visible=not reasoning.exclude)
