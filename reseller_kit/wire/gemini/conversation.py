"""generateContent requests into the intermediate form. Refuses what the form can't hold, or names it in `left_out`.

Source: Gemini API reference, "Generating content". The rules are the table in docs/translation-gemini.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, get_args

import msgspec
from msgspec import Meta, Raw, Struct, field

from ...core.errors import InvalidRequest
from ..codec import Call
from ..conversation import Conversation, Effort, OutputFormat, Thinking, Tool, ToolChoice
from ..json_body import NULL, decode_as, is_given
from .contents import contents_of, system_of
from .head import config_of
from .schema import json_schema
from .tools import COMPUTER, DECLARATIONS, calling_of, hosted_of, member, own_tools, tools_of
from .turns import Reader

_EFFORTS: Final[dict[str, Effort]] = {effort.upper(): effort for effort in get_args(Effort) if effort != "none"}
_MODES: Final = frozenset({"AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"})
_READ: Final = frozenset(
    {"contents", "generationConfig", "model", "serviceTier", "systemInstruction", "toolConfig"} | {"tools"}
)
"""Top-level members that are carried, or are our own affair."""
_PARAMETERS: Final = ("parametersJsonSchema", "parameters_json_schema")
_UNCARRIED: Final = ("behavior", "response", "responseJsonSchema", "response_json_schema")
_JSON: Final = "application/json"
_ENUM: Final = "text/x.enum"


class _Thinking(Struct, rename="camel"):
    include_thoughts: bool | None = None
    include_thoughts_: bool | None = field(name="include_thoughts", default=None)
    thinking_budget: Annotated[int, Meta(ge=-1)] | None = None
    thinking_budget_: Annotated[int, Meta(ge=-1)] | None = field(name="thinking_budget", default=None)
    thinking_level: str | None = None
    thinking_level_: str | None = field(name="thinking_level", default=None)

    @property
    def budget(self) -> int | None:
        """Tokens."""
        return self.thinking_budget if self.thinking_budget is not None else self.thinking_budget_

    @property
    def level(self) -> str | None:
        """The level's name."""
        return self.thinking_level or self.thinking_level_

    @property
    def visible(self) -> bool:
        """Whether the caller reads along."""
        return bool(self.include_thoughts or self.include_thoughts_)


def _optional(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind | None)


_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    "frequencyPenalty": _optional(float),
    "presencePenalty": _optional(float),
    "responseMimeType": _optional(str),
    "seed": _optional(int),
    "stopSequences": _optional(list[str]),
    "temperature": _optional(float),
    "thinkingConfig": _optional(_Thinking),
    "topK": _optional(float),
    "topP": _optional(float),
}
_CONFIG_READ: Final = _DECODERS.keys() | {
    "candidateCount",
    "maxOutputTokens",
    "responseJsonSchema",
    "responseModalities",
    "responseSchema",
}
_FALSE: Final = Raw(b"false")
_DECLARATIONS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_NAME: Final = msgspec.json.Decoder(Annotated[str, Meta(min_length=1, max_length=256)])
_TEXT: Final = msgspec.json.Decoder(str | None)
_TEXTS: Final = msgspec.json.Decoder(list[str])


def to_conversation(call: Call) -> Conversation:
    """The request in the intermediate form. Raises InvalidRequest for what another model could not make sense of."""
    fields = call.fields
    config = config_of(fields)
    _refuse_uncarriable(call)
    thinking = thinking_of(config)
    turns = Reader()
    turns.system(system_of(fields.get("systemInstruction")))
    turns.contents(contents_of(fields["contents"]))
    tools, lost_tools = _tools(fields)
    top_k = _read(config, "topK")
    return Conversation(
        turns=turns.done(),
        tools=tools,
        tool_choice=_tool_choice(fields, tools),
        output_limit=call.output_limit,
        output_format=_output_format(config),
        thinking=_thinking(thinking) if thinking is not None else None,
        temperature=_read(config, "temperature"),
        top_p=_read(config, "topP"),
        top_k=None if top_k is None else int(top_k),
        frequency_penalty=_read(config, "frequencyPenalty"),
        presence_penalty=_read(config, "presencePenalty"),
        seed=_read(config, "seed"),
        stop=tuple(_read(config, "stopSequences") or ()),
        stream=call.stream,
        left_out=(
            *(name for name in fields if name not in _READ),
            *(f"generationConfig.{name}" for name in config if name not in _CONFIG_READ and config[name] != _FALSE),
            *lost_tools,
            *turns.left_out,
        ),
    )


def thinking_of(config: Mapping[str, Raw]) -> _Thinking | None:
    """How the caller wants the model to think. Raises InvalidRequest for what is malformed."""
    found: _Thinking | None = _read(config, "thinkingConfig")
    return found


def tool_names(call: Call) -> list[str]:
    """The names of the caller's functions. Raises InvalidRequest as `to_conversation` does."""
    return [
        decode_as(_NAME, declared.get("name", NULL), within="tools") for _, declared in _declared(tools_of(call.fields))
    ]


def shows_thoughts(call: Call) -> bool:
    """Whether the caller asked to read what the model thinks. Raises InvalidRequest as `to_conversation` does."""
    thinking = thinking_of(config_of(call.fields))
    return thinking is not None and thinking.visible


def _read(config: Mapping[str, Raw], name: str) -> Any:
    value = config.get(name)
    return None if value is None else decode_as(_DECODERS[name], value, within=f"generationConfig.{name}")


def _refuse_uncarriable(call: Call) -> None:
    if call.n > 1:
        raise InvalidRequest(
            "This model gives one answer: leave candidateCount out.", param="generationConfig.candidateCount"
        )
    if any(need.startswith("output") for need in call.needs):
        raise InvalidRequest("This model answers in text alone.", param="generationConfig.responseModalities")


def _declared(tools: list[dict[str, Raw]]) -> list[tuple[str, dict[str, Raw]]]:
    found = []
    for index, tool in enumerate(tools):
        given = member(tool, DECLARATIONS)
        if is_given(given):
            at = f"tools[{index}].functionDeclarations"
            found += [(at, declared) for declared in decode_as(_DECLARATIONS, given, within=at)]
    return found


def _tools(fields: Mapping[str, Raw]) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    own = own_tools(fields)
    lost = list(hosted_of(fields))
    if any(is_given(member(tool, COMPUTER)) for tool in own):
        lost.append("tools[].computerUse")
    tools = []
    for at, declared in _declared(own):
        tools.append(
            Tool(
                name=decode_as(_NAME, declared.get("name", NULL), within=f"{at}.name"),
                description=decode_as(_TEXT, declared.get("description", NULL), within=f"{at}.description"),
                parameters=_parameters(declared, at),
            )
        )
        lost += [f"{at}.{name}" for name in _UNCARRIED if is_given(declared.get(name))]
    return tuple(tools), tuple(dict.fromkeys(lost))


def _parameters(declared: dict[str, Raw], at: str) -> Raw | None:
    schema = member(declared, _PARAMETERS)
    if is_given(schema):
        return schema
    own = declared.get("parameters", NULL)
    return json_schema(own, f"{at}.parameters") if is_given(own) else None


def _tool_choice(fields: Mapping[str, Raw], tools: tuple[Tool, ...]) -> ToolChoice | None:
    calling = calling_of(fields)
    if calling.mode is not None and calling.mode not in _MODES:
        raise InvalidRequest("A mode is AUTO, ANY, NONE or VALIDATED.", param="toolConfig.functionCallingConfig.mode")
    if not tools or (calling.mode is None and not calling.allowed):
        return None
    offered = {tool.name for tool in tools}
    if not offered.issuperset(calling.allowed):
        raise InvalidRequest(
            "A function that is allowed has to be declared.",
            param="toolConfig.functionCallingConfig.allowedFunctionNames",
        )
    if calling.mode == "ANY":
        named = len(calling.allowed) == 1
        return ToolChoice(mode="named" if named else "required", names=tuple(calling.allowed))
    return ToolChoice(mode="none") if calling.mode == "NONE" else ToolChoice(mode="auto", names=tuple(calling.allowed))


def _output_format(config: Mapping[str, Raw]) -> OutputFormat | None:
    wanted = _read(config, "responseMimeType") or "text/plain"
    if wanted == "text/plain":
        return None
    if wanted not in {_JSON, _ENUM}:
        raise InvalidRequest(f"A response's type is text/plain or {_JSON}.", param="generationConfig.responseMimeType")
    if wanted == _ENUM:
        raise InvalidRequest(
            f"This model knows no {_ENUM}. Ask for {_JSON} with a schema.", param="generationConfig.responseMimeType"
        )
    schema = config.get("responseJsonSchema")
    if schema is None and "responseSchema" in config:
        schema = json_schema(config["responseSchema"], "generationConfig.responseSchema")
    if schema is None:
        return OutputFormat(kind="json")
    return OutputFormat(kind="schema", schema=schema)


def _thinking(wanted: _Thinking) -> Thinking:
    level = (wanted.level or "").removeprefix("THINKING_LEVEL_").upper()
    if level in {"", "UNSPECIFIED"}:
        return Thinking(budget=wanted.budget, visible=wanted.visible)
    if level not in _EFFORTS:
        raise InvalidRequest(
            "A thinking level is MINIMAL, LOW, MEDIUM or HIGH.", param="generationConfig.thinkingConfig.thinkingLevel"
        )
    return Thinking(effort=_EFFORTS[level], visible=wanted.visible)
