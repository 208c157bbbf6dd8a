"""Conversations as bodies of chat requests, and chat requests as conversations."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from ...core.errors import InvalidRequest
from ..codec import Call, Sending
from ..conversation import (
    Conversation,
    Media,
    Reasoning,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolNames,
    ToolResult,
    Turn,
    effort_of,
    fit_id,
)
from ..custom_tools import as_function, wrap
from ..data_url import data_url
from .messages import AUDIO_TYPES, DEFAULT_DOCUMENT_TYPE, read_messages
from .options import read_options
from .request import limit_field

_ENCODER: Final = msgspec.json.Encoder()
_OPENAI: Final = "openai"
_MAX_STOPS: Final = 4
_SAMPLING: Final = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
_AUDIO_FORMATS: Final = {media_type: name for name, media_type in AUDIO_TYPES.items()} | {"audio/x-wav": "wav"}
_WANTS_THOUGHTS: Final = frozenset({"deepseek", "moonshot", "moonshotai", "zai", "z-ai", "minimax"})
"""Providers whose models go on with a tool's result only when shown what they thought before they called it."""
THINKERS: Final = re.compile(
    r"gpt-(?:[5-9]|oss)|o[1-9](?:-|$)|grok-|qwen-?3|glm-|kimi-|gemini-|claude-|deepseek-|magistral", re.IGNORECASE
)
"""Models that know `reasoning_effort`; one that doesn't may refuse the whole request for it."""
FIXED_SAMPLING: Final = re.compile(r"gpt-[5-9](?!.*chat)|o[1-9](?:-|$)", re.IGNORECASE)
"""OpenAI's models that refuse any temperature but their own."""


def to_conversation(call: Call) -> Conversation:
    """A chat request in the intermediate form. Raises InvalidRequest for what no other dialect can carry."""
    return Conversation(
        turns=read_messages(call.fields["messages"]),
        output_limit=call.output_limit,
        stream=call.stream,
        **read_options(call.fields),
    )


def from_conversation(conversation: Conversation, sending: Sending) -> bytes:
    """The body of a chat request. Raises InvalidRequest for what this dialect can't carry.

    Sampling, thinking and limits go under the names and within the bounds of the provider that is sent to.
    """
    is_openai = sending.provider == _OPENAI
    names = ToolNames(tool.name for tool in conversation.tools)
    body: dict[str, Any] = {
        "model": sending.model,
        "messages": _messages(conversation, sending, names),
        **_tools(conversation, names, is_openai=is_openai),
        **_sampling(conversation, sending),
    }
    limit = _limit(conversation.output_limit, sending.output_limit)
    if limit is not None:
        body[limit_field(sending.provider)] = limit
    body |= _output_format(conversation)
    if conversation.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return _ENCODER.encode(body)


def not_carried(conversation: Conversation, sending: Sending) -> tuple[str, ...]:
    """What `from_conversation` leaves out of a request, in the form's words."""
    is_openai, name = sending.provider == _OPENAI, sending.model.rpartition("/")[2]
    lost = ["top_k"]
    if not is_openai:
        lost.append("verbosity")
    elif FIXED_SAMPLING.match(name):
        lost += _SAMPLING
    if not THINKERS.match(name):
        lost.append("thinking")
    return tuple(member for member in lost if getattr(conversation, member) is not None)


def cut_here(conversation: Conversation, sending: Sending) -> tuple[str, ...]:
    """The stop sequences that OpenAI's models don't take: any where they reason, elsewhere those beyond four."""
    if sending.provider != _OPENAI:
        return ()
    return conversation.stop[0 if FIXED_SAMPLING.match(sending.model.rpartition("/")[2]) else _MAX_STOPS :]


def _limit(named: int | None, most: int | None) -> int | None:
    return min((limit for limit in (named, most) if limit is not None), default=None)


def _messages(conversation: Conversation, sending: Sending, names: ToolNames) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    for turn in conversation.turns:
        if turn.role == "assistant":
            messages.append(_assistant(turn, sending, names))
        elif turn.role == "system":
            messages.append({"role": "system", "content": _joined(turn.parts)})
        else:
            messages += _user_messages(turn)
    return messages


def _joined(parts: tuple[Any, ...]) -> str:
    return "\n\n".join(part.text for part in parts if isinstance(part, Text))


def _assistant(turn: Turn, sending: Sending, names: ToolNames) -> dict[str, Any]:
    spoken = [part.text for part in turn.parts if isinstance(part, Text) and not part.refusal]
    refused = [part.text for part in turn.parts if isinstance(part, Text) and part.refusal]
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    message: dict[str, Any] = {"role": "assistant", "content": "\n\n".join(spoken) if spoken or not calls else None}
    if refused:
        message["refusal"] = "\n\n".join(refused)
    if calls:
        message["tool_calls"] = [_tool_call(call, names, is_openai=sending.provider == _OPENAI) for call in calls]
        thoughts = "\n\n".join(part.text for part in turn.parts if isinstance(part, Reasoning) and part.text)
        if thoughts and sending.provider in _WANTS_THOUGHTS:
            message["reasoning_content"] = thoughts
    return message


def _tool_call(call: ToolCall, names: ToolNames, *, is_openai: bool) -> dict[str, Any]:
    if call.custom and is_openai:
        custom = {"name": names.fit(call.name), "input": call.arguments}
        return {"id": fit_id(call.id), "type": "custom", "custom": custom}
    arguments = wrap(call.arguments) if call.custom else call.arguments or "{}"
    return {
        "id": fit_id(call.id),
        "type": "function",
        "function": {"name": names.fit(call.name), "arguments": arguments},
    }


def _user_messages(turn: Turn) -> list[dict[str, Any]]:
    """The results of tools, each in a message of its own, then what the user says.

    Media within results follow in the user's message, since a result is text only.
    """
    messages: list[dict[str, Any]] = []
    shown: list[Text | Media] = []
    for part in turn.parts:
        if isinstance(part, ToolResult):
            media = [piece for piece in part.content if isinstance(piece, Media)]
            messages.append(
                {"role": "tool", "tool_call_id": fit_id(part.call_id), "content": _result_text(part, media)}
            )
            if media:
                shown += [Text(text=f"Files of the tool result {fit_id(part.call_id)}:"), *media]
        elif isinstance(part, Text | Media):
            shown.append(part)
    if shown:
        messages.append({"role": "user", "content": _user_content(shown)})
    return messages


def _result_text(result: ToolResult, media: list[Media]) -> str:
    text = _joined(result.content)
    if media and not text:
        text = "The files follow in the next message."
    return f"Error: {text}" if result.is_error and not text.lower().startswith("error") else text


def _user_content(parts: list[Text | Media]) -> str | list[dict[str, Any]]:
    if all(isinstance(part, Text) for part in parts):
        return "\n\n".join(part.text for part in parts if isinstance(part, Text))
    return [{"type": "text", "text": part.text} if isinstance(part, Text) else _media_part(part) for part in parts]


def _media_part(media: Media) -> dict[str, Any]:
    if media.kind == "image":
        image: dict[str, Any] = {"url": media.url or data_url(media, "image/png")}
        return {"type": "image_url", "image_url": image | ({"detail": media.detail} if media.detail else {})}
    if media.kind == "audio" and media.data is not None:
        return {"type": "input_audio", "input_audio": {"data": media.data, "format": _audio_format(media)}}
    if media.kind == "video":
        return {"type": "video_url", "video_url": {"url": media.url or data_url(media, "video/mp4")}}
    if media.kind == "document" and media.data is not None:
        name = media.name or "document.pdf"
        return {"type": "file", "file": {"filename": name, "file_data": data_url(media, DEFAULT_DOCUMENT_TYPE)}}
    raise InvalidRequest(f"For this model, {media.kind} files have to be sent inline as base64, not by their URL.")


def _audio_format(media: Media) -> str:
    name = _AUDIO_FORMATS.get(media.media_type or "audio/wav")
    if name is None:
        raise InvalidRequest(f"For this model, audio has to be one of {', '.join(AUDIO_TYPES)}.")
    return name


def _tools(conversation: Conversation, names: ToolNames, *, is_openai: bool) -> dict[str, Any]:
    tools, choice = conversation.tools, conversation.tool_choice
    if choice is not None and choice.names and choice.mode != "named" and not is_openai:
        # Only OpenAI takes a list of those that may be called; elsewhere the others are not offered.
        tools = tuple(tool for tool in tools if tool.name in choice.names)
        choice = ToolChoice(mode=choice.mode)
    if not tools:
        return {}
    members: dict[str, Any] = {"tools": [_tool(tool, names, is_openai=is_openai) for tool in tools]}
    if choice is not None:
        custom = {tool.name for tool in tools if tool.custom} if is_openai else set()
        members["tool_choice"] = _tool_choice(choice, names, custom)
    if conversation.parallel_tool_calls is not None:
        members["parallel_tool_calls"] = conversation.parallel_tool_calls
    return members


def _tool(tool: Tool, names: ToolNames, *, is_openai: bool) -> dict[str, Any]:
    if tool.custom and is_openai:
        return {"type": "custom", "custom": _custom_tool(tool, names)}
    tool = as_function(tool)
    function: dict[str, Any] = {"name": names.fit(tool.name)}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters is not None:
        function["parameters"] = tool.parameters
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _custom_tool(tool: Tool, names: ToolNames) -> dict[str, Any]:
    description = "\n\n".join(
        filter(None, (tool.description, tool.grammar and f"The input has to match this grammar:\n{tool.grammar}"))
    )
    return {"name": names.fit(tool.name)} | ({"description": description} if description else {})


def _tool_choice(choice: ToolChoice, names: ToolNames, custom: set[str]) -> str | dict[str, Any]:
    chosen = [_choice_of_tool(name, names, custom=name in custom) for name in choice.names]
    if choice.mode == "named" and chosen:
        return chosen[0]
    if chosen:
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": chosen}}
    return choice.mode


def _choice_of_tool(name: str, names: ToolNames, *, custom: bool) -> dict[str, Any]:
    kind = "custom" if custom else "function"
    return {"type": kind, kind: {"name": names.fit(name)}}


def _output_format(conversation: Conversation) -> dict[str, Any]:
    wanted = conversation.output_format
    if wanted is None or wanted.kind == "text":
        return {}
    if wanted.kind == "json":
        return {"response_format": {"type": "json_object"}}
    schema: dict[str, Any] = {"name": wanted.name or "answer", "schema": wanted.schema}
    if wanted.description:
        schema["description"] = wanted.description
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _sampling(conversation: Conversation, sending: Sending) -> dict[str, Any]:
    is_openai, name = sending.provider == _OPENAI, sending.model.rpartition("/")[2]
    told = conversation.stop[: len(conversation.stop) - len(cut_here(conversation, sending))]
    members: dict[str, Any] = {
        "seed": conversation.seed,
        "stop": told or None,
        "user": conversation.user,
        "verbosity": conversation.verbosity if is_openai else None,
    }
    if not (is_openai and FIXED_SAMPLING.match(name)):
        for member in _SAMPLING:
            members[member] = getattr(conversation, member)
    if conversation.thinking is not None and THINKERS.match(name):
        members["reasoning_effort"] = effort_for(conversation.thinking, name)
    return {member: value for member, value in members.items() if value is not None}


def effort_for(thinking: Thinking, model: str) -> str | None:
    """The effort in the words that this model of OpenAI's line knows; None to leave it to the model.

    `none` came with gpt-5.1 and `xhigh` with gpt-5.2; `minimal` is gpt-5's alone.
    """
    effort = effort_of(thinking)
    version = _VERSION.match(model)
    if version is None:
        known: dict[str | None, str | None] = {"xhigh": "high", "minimal": "low"}
        if effort == "none" and FIXED_SAMPLING.match(model):
            return None
        return known.get(effort, effort)
    major, minor = version.group(1), int(version.group(2) or 0)
    is_later = major > "5"
    if effort == "none" and not (is_later or minor >= 1):
        return "minimal" if major == "5" else None
    if effort == "minimal" and (is_later or minor >= 1):
        return "low"
    if effort == "xhigh" and not (is_later or minor >= 2):
        return "high"
    return effort


_VERSION: Final = re.compile(r"gpt-([5-9])(?:\.(\d))?(?!\d)", re.IGNORECASE)
