"""Requests in the intermediate form as generateContent requests. Refuses what this API can't hold.

Source: Gemini API reference, "Generating content". The rules are the table in docs/translation-gemini.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from ..codec import Sending
from ..conversation import (
    Conversation,
    OutputFormat,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolNames,
    Turn,
    budget_of,
    effort_of,
)
from ..custom_tools import as_function
from .models import Model, model_of
from .written_turns import write_turns

_ENCODER: Final = msgspec.json.Encoder()
_MOST_STOPS: Final = 5
_HIGHEST_TEMPERATURE: Final = 2.0
_JSON: Final = "application/json"
_JSON_ONLY: Final = "Answer with one JSON object and nothing else: no words around it, no code fence."
_BY_SCHEMA: Final = _JSON_ONLY + "\nIt has to match this JSON Schema:\n"
_UNKNOWN: Final = ("user", "verbosity")
_CHOSEN: Final = ("frequency_penalty", "presence_penalty", "thinking", "output_format")
"""Members that depend on the model."""


def from_conversation(conversation: Conversation, sending: Sending) -> bytes:
    """The body to send upstream. Raises InvalidRequest for contents that no model of this API reads."""
    model = model_of(sending.model)
    names = ToolNames(tool.name for tool in conversation.tools)
    config = _config(conversation, sending, model)
    system, turns = _parted(conversation.turns)
    if conversation.output_format is not None and not _takes_format(conversation, model):
        system.append(_in_words(conversation.output_format))
    body: dict[str, Any] = {"contents": write_turns(turns, sending.maker, names)}
    words = [{"text": text} for text in system if text]
    if words:
        body["systemInstruction"] = {"parts": words}
    if conversation.tools:
        body["tools"] = [{"functionDeclarations": _declared(conversation, names)}]
        if conversation.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": _calling(conversation.tool_choice, names)}
    if config:
        body["generationConfig"] = config
    return _ENCODER.encode(body)


def not_carried(conversation: Conversation, sending: Sending) -> tuple[str, ...]:
    """What `from_conversation` leaves out of a request, in the form's own words."""
    model = model_of(sending.model)
    lost = [name for name in _UNKNOWN if getattr(conversation, name) is not None]
    if conversation.parallel_tool_calls is False and conversation.tools:
        lost.append("parallel_tool_calls")
    if not model.penalties:
        lost += [name for name in ("frequency_penalty", "presence_penalty") if getattr(conversation, name) is not None]
    if conversation.thinking is not None and not _thinking(conversation.thinking, model) and _matters(conversation):
        lost.append("thinking")
    if conversation.output_format is not None and not _takes_format(conversation, model):
        lost.append("output_format")
    return tuple(lost)


def cut_here(conversation: Conversation, _sending: Sending) -> tuple[str, ...]:
    """The stop sequences beyond what this API takes."""
    return conversation.stop[_MOST_STOPS:]


def _matters(conversation: Conversation) -> bool:
    """Whether leaving out the wish for thought changes anything."""
    wanted = conversation.thinking
    return wanted is not None and (effort_of(wanted) not in {None, "none"} or wanted.visible)


def _parted(turns: tuple[Turn, ...]) -> tuple[list[str], list[Turn]]:
    """The system's words before the first turn of another, and the other turns; where there are none, the words."""
    first = next((index for index, turn in enumerate(turns) if turn.role != "system"), len(turns))
    system = [part for turn in turns[:first] for part in turn.parts if isinstance(part, Text)]
    if first == len(turns):
        return [], [Turn(role="user", parts=tuple(system))]
    return [part.text for part in system], list(turns[first:])


def _config(conversation: Conversation, sending: Sending, model: Model) -> dict[str, Any]:
    limits = [limit for limit in (conversation.output_limit, sending.output_limit) if limit is not None]
    temperature = conversation.temperature
    found: dict[str, Any] = {
        "maxOutputTokens": min(limits, default=None),
        "temperature": None if temperature is None else min(temperature, _HIGHEST_TEMPERATURE),
        "topP": conversation.top_p,
        "topK": conversation.top_k,
        "seed": conversation.seed,
        "stopSequences": list(conversation.stop[:_MOST_STOPS]) or None,
    }
    if model.penalties:
        found["frequencyPenalty"] = conversation.frequency_penalty
        found["presencePenalty"] = conversation.presence_penalty
    if conversation.thinking is not None:
        found["thinkingConfig"] = _thinking(conversation.thinking, model) or None
    wanted = conversation.output_format
    if wanted is not None and wanted.kind != "text" and _takes_format(conversation, model):
        found["responseMimeType"] = _JSON
        found["responseJsonSchema"] = wanted.schema if wanted.kind == "schema" else None
    return {name: value for name, value in found.items() if value is not None}


def _takes_format(conversation: Conversation, model: Model) -> bool:
    wanted = conversation.output_format
    return wanted is None or wanted.kind == "text" or not conversation.tools or model.schema_with_tools


def _in_words(wanted: OutputFormat) -> str:
    """What a format asks for, to a model that can't be held to it."""
    if wanted.kind != "schema" or wanted.schema is None:
        return _JSON_ONLY
    return _BY_SCHEMA + bytes(wanted.schema).decode()


def _thinking(wanted: Thinking, model: Model) -> dict[str, Any]:
    """Empty where there is nothing to say, or for a model that takes no such setting."""
    made: dict[str, Any] = {}
    effort, budget = effort_of(wanted), budget_of(wanted)
    if model.levels is not None and effort is not None:
        made["thinkingLevel"] = model.levels[effort].upper()
    if model.budgets is not None and budget is not None:
        least, most = model.budgets
        made["thinkingBudget"] = 0 if budget == 0 and model.silent else max(least, min(budget, most))
    if wanted.visible and (model.levels is not None or model.budgets is not None):
        made["includeThoughts"] = True
    return made


def _declared(conversation: Conversation, names: ToolNames) -> list[dict[str, Any]]:
    choice = conversation.tool_choice
    wanted = set(choice.names) if choice is not None and choice.mode == "auto" else set()
    return [_function(tool, names) for tool in conversation.tools if not wanted or tool.name in wanted]


def _function(tool: Tool, names: ToolNames) -> dict[str, Any]:
    tool = as_function(tool)
    found: Mapping[str, str | Raw | None] = {
        "name": names.fit(tool.name),
        # The API refuses a function without any.
        "description": tool.description or tool.name,
        "parametersJsonSchema": tool.parameters,
    }
    return {name: value for name, value in found.items() if value is not None}


def _calling(choice: ToolChoice, names: ToolNames) -> dict[str, Any]:
    if choice.mode in {"auto", "none"}:
        return {"mode": choice.mode.upper()}
    allowed = [names.fit(name) for name in choice.names]
    return {"mode": "ANY", **({"allowedFunctionNames": allowed} if allowed else {})}
