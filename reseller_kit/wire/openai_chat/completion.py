"""What chat upstreams answer, in the intermediate form, and whole answers for chat callers."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from ...core.errors import UpstreamFailed
from ...core.usage import Usage
from ..codec import Call, Reply
from ..completion import Completion, Finish
from ..conversation import Media, Reasoning, Text, ToolCall
from ..data_url import data_url
from ..json_body import NULL, is_given, quote
from ..signatures import mark
from ..upstream_message import failed
from .envelope import NO_FINGERPRINT
from .names import CallerTools, is_legacy
from .usage import read_usage, usage_body

_ENCODER: Final = msgspec.json.Encoder()
_FINISHES: Final[dict[str, Finish]] = {
    "stop": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "refusal",
}
_FINISH_REASONS: Final[dict[Finish, str]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "stop",
    "context_length": "length",
}


class CalledFunction(Struct):
    """A function's name and arguments; some upstreams send the latter as an object."""

    name: str | None = None
    arguments: Any = None


class CalledCustom(Struct):
    """A custom tool's name and its free text."""

    name: str | None = None
    input: str | None = None


class CalledTool(Struct):
    """A tool call of an answer, or a piece of one in a stream."""

    index: int | None = None
    id: str | None = None
    function: CalledFunction | None = None
    custom: CalledCustom | None = None


class Said(Struct):
    """A message of an answer, or a delta of a stream: what the model wrote."""

    content: Any = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[CalledTool] | None = None
    function_call: CalledFunction | None = None


class _Choice(Struct):
    message: Said | None = None
    finish_reason: str | None = None
    usage: Raw = NULL
    error: Raw = NULL


class _Answer(Struct):
    choices: list[_Choice] | None = None
    usage: Raw = NULL
    error: Raw = NULL


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def read_completion(body: bytes, reply: Reply) -> Completion:
    """The answer of a chat upstream; its first choice, for no more are asked for.

    Raises UpstreamFailed for an error inside a 200 and for anything that is no completion.
    """
    try:
        if not body.isascii():
            body.decode()
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise UpstreamFailed(f"not a completion: {error}", upstream_status=200) from None
    choice = next(iter(answer.choices or ()), None)
    fault = answer.error if choice is None or not is_given(choice.error) else choice.error
    if is_given(fault):
        raise failed(fault, "an error in a 200")
    if choice is None or choice.message is None:
        raise UpstreamFailed("an answer without choices or messages", upstream_status=200)
    said = choice.message
    calls = _calls_of(said, reply)
    return Completion(
        parts=(*_texts_of(said), *calls),
        finish=finish_of(choice.finish_reason, called=bool(calls), refused=bool(said.refusal)),
        usage=next((usage for report in (answer.usage, choice.usage) if (usage := read_usage(report))), None),
    )


def finish_of(reason: str | None, *, called: bool, refused: bool) -> Finish:
    """Why an answer ended; several upstreams say `stop` where the model waits for its tools."""
    finish = _FINISHES.get(reason or "stop", "stop")
    if finish == "stop" and called:
        return "tool_calls"
    return "refusal" if finish == "stop" and refused else finish


def spoken(said: Said) -> tuple[str, str]:
    """Thoughts and words of a message or delta, in whichever of their forms they come."""
    thoughts = said.reasoning_content or said.reasoning or ""
    if isinstance(said.content, str):
        return thoughts, said.content
    words = ""
    for part in said.content if isinstance(said.content, list) else ():
        if isinstance(part, dict):
            thoughts += _text_within(part.get("thinking"))
            words += _text_within(part.get("text"))
    return thoughts, words


def _text_within(value: Any) -> str:
    if isinstance(value, list):
        return "".join(_text_within(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""


def arguments_text(arguments: Any) -> str:
    """Arguments as JSON text, whether they came so or as an object."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else _ENCODER.encode(arguments).decode()


def own_call_id(reply: Reply, index: int) -> str:
    """An id for a call that the upstream gave none."""
    return f"call_{reply.request_id.rpartition('_')[2][-40:]}_{index}"


def _texts_of(said: Said) -> list[Text | Reasoning]:
    thoughts, words = spoken(said)
    parts: list[Text | Reasoning] = [Reasoning(text=thoughts)] if thoughts else []
    if words:
        parts.append(Text(text=words))
    if said.refusal:
        parts.append(Text(text=said.refusal, refusal=True))
    return parts


def _calls_of(said: Said, reply: Reply) -> list[ToolCall]:
    calls = []
    for index, called in enumerate(said.tool_calls or ()):
        call_id = called.id or own_call_id(reply, index)
        if called.custom is not None and called.custom.name:
            text = called.custom.input or ""
            calls.append(ToolCall(id=call_id, name=called.custom.name, arguments=text, custom=True))
        elif called.function is not None and called.function.name:
            arguments = arguments_text(called.function.arguments)
            calls.append(ToolCall(id=call_id, name=called.function.name, arguments=arguments))
    if said.function_call is not None and said.function_call.name:
        arguments = arguments_text(said.function_call.arguments)
        calls.append(ToolCall(id=own_call_id(reply, 0), name=said.function_call.name, arguments=arguments))
    return calls


def response_id(reply: Reply) -> bytes:
    """The answer's own id, as a JSON string."""
    return quote("chatcmpl-" + reply.request_id.partition("_")[2])


def finish_reason(finish: Finish, *, called: bool, refused: bool, legacy: bool) -> str:
    """Why the answer ended, in this dialect. A refusal in words needs no filter beside it."""
    if called and finish in ("stop", "tool_calls"):
        return "function_call" if legacy else "tool_calls"
    if finish == "refusal" and refused:
        return "stop"
    return "stop" if finish == "tool_calls" else _FINISH_REASONS[finish]


def reasoning_detail(text: str, signature: str, maker: str, *, redacted: bool) -> dict[str, str]:
    """A signed thought for the caller to send back with the next turn."""
    if redacted:
        return {"type": "reasoning.encrypted", "data": mark(signature, maker)}
    return {"type": "reasoning.text", "text": text, "signature": mark(signature, maker)}


def call_detail(call_id: str, signature: str, maker: str) -> dict[str, str]:
    """The signature of a tool call for the caller to send back with the next turn."""
    return {"type": "reasoning.encrypted", "id": call_id, "data": mark(signature, maker)}


def write_completion(completion: Completion, call: Call, reply: Reply, usage: Usage) -> bytes:
    """The body of an answer for a chat caller, showing `usage` as what is charged."""
    tools, legacy = CallerTools(call), is_legacy(call)
    message = _message(completion, tools, legacy=legacy)
    reason = finish_reason(
        completion.finish,
        called="tool_calls" in message or "function_call" in message,
        refused=message["refusal"] is not None,
        legacy=legacy,
    )
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return b'{"id":%b,"object":"chat.completion","created":%d,"model":%b,"choices":[%b],"usage":%b,%b}' % (
        response_id(reply),
        time.time(),
        quote(reply.model),
        _ENCODER.encode(choice),
        usage_body(usage),
        NO_FINGERPRINT,
    )


def _message(completion: Completion, tools: CallerTools, *, legacy: bool) -> dict[str, Any]:
    texts = [part for part in completion.parts if isinstance(part, Text)]
    thoughts = [part for part in completion.parts if isinstance(part, Reasoning)]
    calls = [part for part in completion.parts if isinstance(part, ToolCall)]
    media = [part for part in completion.parts if isinstance(part, Media)]
    words = "".join(part.text for part in texts if not part.refusal)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": words if words or not (calls or media) else None,
        "refusal": "".join(part.text for part in texts if part.refusal) or None,
    }
    shown = "\n\n".join(part.text for part in thoughts if part.text)
    if shown:
        message["reasoning_content"] = shown
    details = _details_of(thoughts, calls)
    if details:
        message["reasoning_details"] = details
    if calls and legacy:
        message["function_call"] = tools.written(calls[0])["function"]
    elif calls:
        message["tool_calls"] = [tools.written(call) for call in calls]
    if media:
        message["images"] = [_image(part) for part in media if part.kind == "image"]
    return message


def _details_of(thoughts: list[Reasoning], calls: list[ToolCall]) -> list[dict[str, str]]:
    return [
        reasoning_detail(part.text, part.signature, part.maker, redacted=part.redacted)
        for part in thoughts
        if part.signature and part.maker
    ] + [call_detail(call.id, call.signature, call.maker) for call in calls if call.signature and call.maker]


def _image(media: Media) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": media.url or data_url(media, "image/png")}}
