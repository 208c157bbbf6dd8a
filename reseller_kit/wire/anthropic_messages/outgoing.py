"""Requests in the intermediate form as messages requests. Refuses what this API can't hold.

Source: Anthropic API reference, "Create a Message". The rules are the table in docs/translation-messages.md.
"""

from __future__ import annotations

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
from .request import LEAST_BUDGET
from .turns import text_blocks, with_cache, write_turns

_ENCODER: Final = msgspec.json.Encoder()
_NO_PARAMETERS: Final = Raw(b'{"type":"object","properties":{}}')
_JSON_ONLY: Final = "Answer with one JSON object and nothing else: no words around it, no code fence."
_UNKNOWN: Final = ("frequency_penalty", "presence_penalty", "seed", "verbosity")
_CHOSEN: Final = ("temperature", "top_p", "top_k", "thinking", "tool_choice", "user")
"""Members that depend on the model or on each other."""
_CHOICES: Final = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}
_MOST_USER_CHARACTERS: Final = 256


def from_conversation(conversation: Conversation, sending: Sending) -> bytes:
    """The body to send upstream. Raises InvalidRequest for contents that no model of this API reads."""
    return _ENCODER.encode(_written(conversation, sending))


def not_carried(conversation: Conversation, sending: Sending) -> tuple[str, ...]:
    """What `from_conversation` leaves out of a request, in the form's own words."""
    names = [name for name in _UNKNOWN if getattr(conversation, name) is not None]
    chosen = [name for name in _CHOSEN if getattr(conversation, name) not in {None, ()}]
    if not chosen:
        return tuple(names)
    written = _written(conversation, sending)
    return (*names, *[name for name in chosen if not _is_in(written, name, conversation)])


def _is_in(written: dict[str, Any], name: str, conversation: Conversation) -> bool:
    match name:
        case "user":
            return "metadata" in written
        case "tool_choice":
            forced = conversation.tool_choice is not None and conversation.tool_choice.mode in {"required", "named"}
            return not forced or _is_forced(written.get("tool_choice"))
        case "thinking":
            return "thinking" in written or "effort" in written.get("output_config", {})
        case _:
            return name in written


def cut_here(conversation: Conversation, _sending: Sending) -> tuple[str, ...]:
    """The stop sequences of white space alone, which this API refuses."""
    return tuple(stop for stop in conversation.stop if not stop.strip())


def _written(conversation: Conversation, sending: Sending) -> dict[str, Any]:
    model = model_of(sending.model)
    names = ToolNames(tool.name for tool in conversation.tools)
    limit = _limit(conversation, sending)
    body: dict[str, Any] = {"model": sending.model, "max_tokens": limit}
    system, turns = _parted(conversation.turns)
    if conversation.output_format is not None and conversation.output_format.kind == "json":
        system.append(Text(text=_JSON_ONLY))
    body["messages"] = write_turns(turns, sending.maker, names)
    if system:
        body["system"] = text_blocks(system)
    choice = _tool_choice(conversation, model, names)
    if conversation.tools:
        body["tools"] = _tools(conversation, names)
        if choice is not None:
            body["tool_choice"] = choice
    config = _output_config(conversation.output_format)
    thinks = _add_thinking(body, config, conversation, model, limit, forced=_is_forced(choice))
    if config:
        body["output_config"] = config
    if model.sampling and not thinks:
        _add_sampling(body, conversation)
    if stops := [stop for stop in conversation.stop if stop.strip()]:
        body["stop_sequences"] = stops
    if conversation.user and len(conversation.user) <= _MOST_USER_CHARACTERS:
        body["metadata"] = {"user_id": conversation.user}
    if conversation.stream:
        body["stream"] = True
    return body


def _limit(conversation: Conversation, sending: Sending) -> int:
    named = [limit for limit in (conversation.output_limit, sending.output_limit) if limit is not None]
    return min(named, default=sending.room)


def _parted(turns: tuple[Turn, ...]) -> tuple[list[Text], list[Turn]]:
    """The system's words before the first turn of another, and the other turns; where there are none, the words."""
    first = next((index for index, turn in enumerate(turns) if turn.role != "system"), len(turns))
    system = [part for turn in turns[:first] for part in turn.parts if isinstance(part, Text)]
    if first == len(turns):
        return [], [Turn(role="user", parts=tuple(system))]
    return system, list(turns[first:])


def _tools(conversation: Conversation, names: ToolNames) -> list[dict[str, Any]]:
    choice = conversation.tool_choice
    wanted = set(choice.names) if choice is not None and choice.mode != "named" else set()
    return [_tool(tool, names) for tool in conversation.tools if not wanted or tool.name in wanted]


def _tool(tool: Tool, names: ToolNames) -> dict[str, Any]:
    tool = as_function(tool)
    described: dict[str, Any] = {"name": names.fit(tool.name), "input_schema": tool.parameters or _NO_PARAMETERS}
    if tool.description:
        described["description"] = tool.description
    if tool.strict:
        described["strict"] = True
    return with_cache(described, tool.cache)


def _tool_choice(conversation: Conversation, model: Model, names: ToolNames) -> dict[str, Any] | None:
    choice = conversation.tool_choice or ToolChoice(mode="auto")
    alone = conversation.parallel_tool_calls is False and choice.mode != "none"
    if conversation.tool_choice is None and not alone:
        return None
    kind = _CHOICES[choice.mode]
    if kind == "tool" and len(choice.names) != 1:
        kind = "any"
    if kind in {"any", "tool"} and not model.forced:
        kind = "auto"
    chosen: dict[str, Any] = {"type": kind}
    if kind == "tool":
        chosen["name"] = names.fit(choice.names[0])
    if alone:
        chosen["disable_parallel_tool_use"] = True
    return chosen


def _is_forced(choice: dict[str, Any] | None) -> bool:
    return choice is not None and choice["type"] in {"any", "tool"}


def _output_config(wanted: OutputFormat | None) -> dict[str, Any]:
    if wanted is None or wanted.kind != "schema" or wanted.schema is None:
        return {}
    return {"format": {"type": "json_schema", "schema": wanted.schema}}


def _add_thinking(
    body: dict[str, Any], config: dict[str, Any], conversation: Conversation, model: Model, limit: int, *, forced: bool
) -> bool:
    """Set how much to think; whether that rules sampling out. A forced choice of tools rules out thought."""
    wanted = conversation.thinking
    if wanted is None or not model.thinks:
        return False
    effort = effort_of(wanted)
    if effort == "none":
        if model.silent is not None:
            body["thinking"] = {"type": model.silent}
        elif model.adaptive:
            config["effort"] = "low"
        return False
    if model.adaptive:
        if effort is not None:
            config["effort"] = _effort(effort, model)
        if forced:
            return False
        body["thinking"] = {"type": "adaptive", **({"display": "summarized"} if wanted.visible else {})}
        return True
    budget = _budget(wanted, limit)
    if budget < LEAST_BUDGET or forced or _lacks_thought(body["messages"]):
        return False
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    return True


def _effort(effort: str, model: Model) -> str:
    if effort == "minimal":
        return "low"
    return "high" if effort == "xhigh" and not model.xhigh else effort


def _budget(wanted: Thinking, limit: int) -> int:
    """Tokens of thought, of which a quarter of the output limit is kept free for the answer."""
    budget = budget_of(wanted)
    return min(budget if budget is not None else limit, limit * 3 // 4)


def _lacks_thought(messages: list[dict[str, Any]]) -> bool:
    """Whether the last answer called tools without a thought of this API: then an older model refuses to think on."""
    for message in reversed(messages):
        if message["role"] == "assistant":
            kinds = [block["type"] for block in message["content"]]
            return "tool_use" in kinds and kinds[0] not in {"thinking", "redacted_thinking"}
    return False


def _add_sampling(body: dict[str, Any], conversation: Conversation) -> None:
    if conversation.temperature is not None:
        body["temperature"] = min(conversation.temperature, 1.0)
    elif conversation.top_p is not None:
        body["top_p"] = conversation.top_p
    if conversation.top_k is not None:
        body["top_k"] = conversation.top_k
