"""Conversations as bodies of Responses requests."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from ...core.errors import InvalidRequest
from .. import conversation as form
from ..codec import Sending
from ..custom_tools import as_function, wrap
from ..data_url import data_url
from ..openai_chat.conversation import FIXED_SAMPLING, THINKERS, effort_for
from ..signatures import unmark
from .request import ENCRYPTED, gives_thoughts

_ENCODER: Final = msgspec.json.Encoder()
_OPENAI: Final = "openai"


def from_conversation(conversation: form.Conversation, sending: Sending) -> bytes:
    """The body of a Responses request; nothing is kept upstream. Raises InvalidRequest for what can't be carried."""
    is_openai = sending.provider == _OPENAI
    writer = _Writer(conversation, sending, is_openai=is_openai)
    body: dict[str, Any] = {
        "model": sending.model,
        **writer.input(),
        "store": False,
        **writer.tools(),
        **_options(conversation, sending),
    }
    if gives_thoughts(sending.model):
        body["include"] = [ENCRYPTED]
    if conversation.stream:
        body["stream"] = True
    return _ENCODER.encode(body)


def cut_here(conversation: form.Conversation, _sending: Sending) -> tuple[str, ...]:
    """The API has no stop sequences."""
    return conversation.stop


def not_carried(conversation: form.Conversation, sending: Sending) -> tuple[str, ...]:
    """What `from_conversation` leaves out of a request, in the form's words."""
    name = sending.model.rpartition("/")[2]
    lost = ["frequency_penalty", "presence_penalty", "seed", "top_k"]
    if sending.provider == _OPENAI and FIXED_SAMPLING.match(name):
        lost += ["temperature", "top_p"]
    if not THINKERS.match(name):
        lost.append("thinking")
    return tuple(member for member in lost if getattr(conversation, member) is not None)


class _Writer:
    """Writes items and tools; knows which calls were of custom tools, so that their results are named alike."""

    def __init__(self, conversation: form.Conversation, sending: Sending, *, is_openai: bool) -> None:
        self._conversation = conversation
        self._maker = sending.maker
        self._is_openai = is_openai
        self._names = form.ToolNames(tool.name for tool in conversation.tools)
        self._custom_calls: set[str] = set()

    def input(self) -> dict[str, Any]:
        """Instructions, where the conversation begins with the system's words, and all other items."""
        turns = list(self._conversation.turns)
        instructions: list[str] = []
        while len(turns) > 1 and turns[0].role == "system":
            instructions.append(_joined(turns.pop(0).parts))
        items = [item for turn in turns for item in self._items(turn)]
        return ({"instructions": "\n\n".join(instructions)} if instructions else {}) | {"input": items}

    def _items(self, turn: form.Turn) -> list[dict[str, Any]]:
        if turn.role == "system":
            role = "developer" if self._is_openai else "system"
            return [{"type": "message", "role": role, "content": _joined(turn.parts)}]
        if turn.role == "assistant":
            return [item for part in turn.parts if (item := self._own_item(part)) is not None]
        results = [self._result(part) for part in turn.parts if isinstance(part, form.ToolResult)]
        said = [_input_part(part) for part in turn.parts if isinstance(part, form.Text | form.Media)]
        return results + ([{"type": "message", "role": "user", "content": said}] if said else [])

    def _own_item(self, part: form.Part) -> dict[str, Any] | None:
        if isinstance(part, form.Text):
            said = {"type": "refusal", "refusal": part.text} if part.refusal else _output_text(part.text)
            return {"type": "message", "role": "assistant", "content": [said]}
        if isinstance(part, form.Reasoning):
            signature = unmark(part.signature, self._maker) if part.signature else None
            if signature is None:
                return None
            summary = [{"type": "summary_text", "text": part.text}] if part.text else []
            return {"type": "reasoning", "summary": summary, "encrypted_content": signature}
        return self._call(part) if isinstance(part, form.ToolCall) else None

    def _call(self, call: form.ToolCall) -> dict[str, Any]:
        call_id, name = form.fit_id(call.id), self._names.fit(call.name)
        if call.custom and self._is_openai:
            self._custom_calls.add(call.id)
            return {"type": "custom_tool_call", "call_id": call_id, "name": name, "input": call.arguments}
        arguments = wrap(call.arguments) if call.custom else call.arguments or "{}"
        return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}

    def _result(self, result: form.ToolResult) -> dict[str, Any]:
        kind = "custom_tool_call_output" if result.call_id in self._custom_calls else "function_call_output"
        return {"type": kind, "call_id": form.fit_id(result.call_id), "output": _output(result)}

    def tools(self) -> dict[str, Any]:
        """The tools and which of them may be called."""
        conversation = self._conversation
        tools, choice = conversation.tools, conversation.tool_choice
        if choice is not None and choice.names and choice.mode != "named" and not self._is_openai:
            # Only OpenAI takes a list of those that may be called; elsewhere the others are not offered.
            tools = tuple(tool for tool in tools if tool.name in choice.names)
            choice = form.ToolChoice(mode=choice.mode)
        if not tools:
            return {}
        members: dict[str, Any] = {"tools": [self._tool(tool) for tool in tools]}
        if choice is not None:
            members["tool_choice"] = self._choice(choice, {tool.name for tool in tools if tool.custom})
        if conversation.parallel_tool_calls is not None:
            members["parallel_tool_calls"] = conversation.parallel_tool_calls
        return members

    def _tool(self, tool: form.Tool) -> dict[str, Any]:
        if tool.custom and self._is_openai:
            grammar = f"The input has to match this grammar:\n{tool.grammar}" if tool.grammar else None
            description = "\n\n".join(filter(None, (tool.description, grammar)))
            return {"type": "custom", "name": self._names.fit(tool.name), "description": description}
        tool = as_function(tool)
        return {
            "type": "function",
            "name": self._names.fit(tool.name),
            "description": tool.description,
            "parameters": tool.parameters or {"type": "object", "properties": {}},
            # This API's default is strict, which schemas that were not written for it do not bear.
            "strict": bool(tool.strict),
        }

    def _choice(self, choice: form.ToolChoice, custom: set[str]) -> str | dict[str, Any]:
        chosen = [
            {"type": "custom" if self._is_openai and name in custom else "function", "name": self._names.fit(name)}
            for name in choice.names
        ]
        if choice.mode == "named" and chosen:
            return chosen[0]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": chosen} if chosen else choice.mode


def _joined(parts: tuple[form.Part, ...]) -> str:
    return "\n\n".join(part.text for part in parts if isinstance(part, form.Text))


def _output_text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _output(result: form.ToolResult) -> str | list[dict[str, Any]]:
    if all(isinstance(part, form.Text) for part in result.content):
        text = _joined(result.content)
        return f"Error: {text}" if result.is_error and not text.lower().startswith("error") else text
    parts = [_input_part(part) for part in result.content]
    return [{"type": "input_text", "text": "Error:"}, *parts] if result.is_error else parts


def _input_part(part: form.Text | form.Media) -> dict[str, Any]:
    if isinstance(part, form.Text):
        return {"type": "input_text", "text": part.text}
    if part.kind == "image":
        return {
            "type": "input_image",
            "image_url": part.url or data_url(part, "image/png"),
            "detail": part.detail or "auto",
        }
    if part.kind == "document":
        if part.url:
            return {"type": "input_file", "file_url": part.url}
        name = part.name or "document.pdf"
        return {"type": "input_file", "filename": name, "file_data": data_url(part, "application/pdf")}
    raise InvalidRequest(f"This model takes no {part.kind} here.")


def _options(conversation: form.Conversation, sending: Sending) -> dict[str, Any]:
    is_openai, name = sending.provider == _OPENAI, sending.model.rpartition("/")[2]
    limits = [limit for limit in (conversation.output_limit, sending.output_limit) if limit is not None]
    members: dict[str, Any] = {
        "max_output_tokens": min(limits, default=None),
        "text": _text(conversation),
        "user": conversation.user,
    }
    if not (is_openai and FIXED_SAMPLING.match(name)):
        members |= {"temperature": conversation.temperature, "top_p": conversation.top_p}
    thinking = conversation.thinking
    if thinking is not None and THINKERS.match(name):
        reasoning = {"effort": effort_for(thinking, name), "summary": "auto" if thinking.visible else None}
        members["reasoning"] = {member: value for member, value in reasoning.items() if value is not None} or None
    return {member: value for member, value in members.items() if value is not None}


def _text(conversation: form.Conversation) -> dict[str, Any] | None:
    wanted = conversation.output_format
    text: dict[str, Any] = {}
    if wanted is not None and wanted.kind == "json":
        text["format"] = {"type": "json_object"}
    elif wanted is not None and wanted.kind == "schema":
        named = {"name": wanted.name or "answer", "schema": wanted.schema, "strict": wanted.strict}
        described = named | {"description": wanted.description}
        text["format"] = {"type": "json_schema"} | {key: value for key, value in described.items() if value is not None}
    if conversation.verbosity:
        text["verbosity"] = conversation.verbosity
    return text or None
