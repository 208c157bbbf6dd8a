"""Plain answers between this API's messages and the intermediate form."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import UpstreamFailed
from ...core.usage import Usage
from ..codec import Call, Reply
from ..completion import Completion, Finish
from ..conversation import Media, Reasoning, Text, ToolCall, ToolNames, fit_id
from ..custom_tools import wrap
from ..json_body import NULL, is_given, quote
from ..signatures import mark
from .answer import message_id, read_message
from .conversation import shows_thoughts, tool_names
from .thoughts import OF_CALL
from .usage import read_usage, usage_object

_FINISHES: Final[dict[str, Finish]] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_length",
}
_REASONS: Final[dict[Finish, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    "context_length": "model_context_window_exceeded",
}
_LOST: Final = "[Here the model gave {kind} that this API can't show.]"
_ENCODER: Final = msgspec.json.Encoder()
_STRING: Final = msgspec.json.Decoder(str | None)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_MALFORMED: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)


class AnswerBlock(Struct):
    """A block of an answer; which members count, its type tells."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: Raw = NULL


_BLOCK: Final = msgspec.json.Decoder(AnswerBlock)


def read_completion(body: bytes, reply: Reply) -> Completion:
    """Read the body of a 200. Raises UpstreamFailed for an error inside it and for anything but a message."""
    message = read_message(body)
    try:
        blocks = [_BLOCK.decode(raw) for raw in message.content or ()]
        finish, stop_sequence = read_finish(message.stop_reason), _STRING.decode(message.stop_sequence)
    except _MALFORMED as error:
        raise UpstreamFailed(f"not a message: {error}", upstream_status=200) from None
    parts = [part for block in blocks if (part := _part(block, reply.maker)) is not None]
    return Completion(parts=tuple(parts), finish=finish, stop_sequence=stop_sequence, usage=read_usage(message.usage))


def read_finish(reason: Raw) -> Finish:
    """Why the model stopped, in the form's words; an unknown reason is an ordinary end. Raises a msgspec error."""
    return _FINISHES.get(_STRING.decode(reason) or "", "stop")


def stop_reason(finish: Finish, stop_sequence: str | None, *, called: bool) -> str:
    """The reason as this API names it; `called`: the answer holds tool calls, which some upstreams call an end."""
    if finish == "stop":
        return "stop_sequence" if stop_sequence is not None else "tool_use" if called else "end_turn"
    return _REASONS[finish]


def _part(block: AnswerBlock, maker: str) -> Text | Reasoning | ToolCall | None:
    match block.type:
        case "text":
            return Text(text=block.text)
        case "thinking":
            return Reasoning(text=block.thinking, signature=block.signature or None, maker=maker)
        case "redacted_thinking":
            return Reasoning(text="", signature=block.data, maker=maker, redacted=True)
        case "tool_use":
            arguments = bytes(block.input).decode() if is_given(block.input) else "{}"
            return ToolCall(id=block.id, name=block.name, arguments=arguments)
        case _:
            return None


def write_completion(completion: Completion, call: Call, reply: Reply, usage: Usage) -> bytes:
    """The JSON body for the caller, showing `usage` as what is charged."""
    names = ToolNames(tool_names(call))
    shown = shows_thoughts(call)
    blocks: list[dict[str, Any]] = []
    for part in completion.parts:
        blocks += _blocks(part, names, reply.maker, shown=shown)
    called = any(isinstance(part, ToolCall) for part in completion.parts)
    reason = stop_reason(completion.finish, completion.stop_sequence, called=called)
    return (
        b'{"id":%b,"type":"message","role":"assistant","model":%b,"content":%b,"stop_reason":"%b","stop_sequence":%b,'
        b'"usage":%b}'
    ) % (
        quote(message_id(reply.request_id)),
        quote(reply.model),
        _ENCODER.encode(blocks),
        reason.encode(),
        _ENCODER.encode(completion.stop_sequence),
        _ENCODER.encode(usage_object(usage)),
    )


def _blocks(
    part: Text | Reasoning | ToolCall | Media, names: ToolNames, maker: str, *, shown: bool
) -> list[dict[str, Any]]:
    if isinstance(part, Text):
        return [{"type": "text", "text": part.text}] if part.text else []
    if isinstance(part, Reasoning):
        return [thought(part.text, part.signature, part.maker or maker, redacted=part.redacted)] if shown else []
    if isinstance(part, ToolCall):
        name = names.original(part.name)
        used = {"type": "tool_use", "id": fit_id(part.id), "name": name, "input": _input(part.arguments)}
        return [used, *call_signature(part.signature, part.maker or maker)]
    return [{"type": "text", "text": _LOST.format(kind=f"{part.kind} content")}]


def thought(text: str, signature: str | None, maker: str, *, redacted: bool) -> dict[str, Any]:
    """A block of thought, marked with its maker, so that it goes back to no other."""
    marked = mark(signature or "", maker)
    if redacted:
        return {"type": "redacted_thinking", "data": marked}
    return {"type": "thinking", "thinking": text, "signature": marked}


def call_signature(signature: str | None, maker: str) -> list[dict[str, Any]]:
    """What keeps the signature of the tool call before it, for which this API has no member."""
    return [{"type": "redacted_thinking", "data": OF_CALL + mark(signature, maker)}] if signature else []


def _input(arguments: str) -> Any:
    if not arguments.strip():
        return {}
    try:
        return _OBJECT.decode(arguments)
    except _MALFORMED:
        return Raw(wrap(arguments).encode())
