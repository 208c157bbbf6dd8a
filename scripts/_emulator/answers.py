"""The bytes of OpenAI's chat answers and model lists. Decides nothing and sends nothing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from scripts._emulator.chat_request import ChatRequest
from scripts._emulator.directives import Counts, Directives, claimed
from scripts._emulator.text import words
from scripts._emulator.turn import Call, calls_of

FINGERPRINT: Final = "fp_5f3a1c9e2b"
DONE: Final = b"data: [DONE]\n\n"
MODEL_DATE: Final = "2025-08-07"
DEFAULT_MODELS: Final = ("gpt-5-mini", "gpt-5", "gpt-4.1-nano")

_JSON: Final = msgspec.json.Encoder()


def dated(model: str) -> str:
    """The name under which the service says it served: with a date, unless there is one."""
    return model if model[-1:].isdigit() and model.count("-20") else f"{model}-{MODEL_DATE}"


def new_id(prefix: str, length: int) -> str:
    """A random id of hexadecimal digits."""
    return prefix + secrets.token_hex(length // 2)


def served_tier(wanted: str | None) -> str:
    """The tier that a request was served in; none and `auto` are the project's own."""
    return "default" if wanted in (None, "auto") else str(wanted)


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def usage_object(counts: Counts, choices: int, directives: Directives | None = None) -> dict[str, Any]:
    """The usage of a call; with `directives`, as it is claimed to be."""
    shown = counts if directives is None else claimed(counts, directives)
    total_in, cached = shown.input, shown.cached
    output = shown.output if directives is not None and directives.claim_output is not None else shown.output * choices
    inward: dict[str, int] = {"cached_tokens": cached, "audio_tokens": counts.input_audio}
    if counts.cache_write:
        inward["cache_write_tokens"] = counts.cache_write
    if counts.input_image:
        inward["image_tokens"] = counts.input_image
    return {
        "prompt_tokens": total_in,
        "completion_tokens": output,
        "total_tokens": total_in + output,
        "prompt_tokens_details": inward,
        "completion_tokens_details": {
            "reasoning_tokens": counts.reasoning * choices,
            "audio_tokens": counts.output_audio * choices,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def completion(request: ChatRequest, directives: Directives, counts: Counts) -> bytes:
    """The body of a plain answer."""
    choices = request.n or 1
    message: dict[str, Any] = {"role": "assistant", "content": "".join(words(directives.text, counts.visible))}
    if directives.show_reasoning:
        message["reasoning_content"] = "".join(words(None, counts.reasoning))
    if directives.tool:
        message["content"] = None
        message["tool_calls"] = [_call(call) for call in calls_of(request.turn.tools, directives)]
    message |= {"refusal": None, "annotations": []}
    finish = _finish_reason(directives, counts)
    body: dict[str, Any] = {
        "id": new_id("chatcmpl-", 28),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": dated(request.model),
        "choices": [
            {"index": index, "message": message, "logprobs": None, "finish_reason": finish} for index in range(choices)
        ],
    }
    if not directives.no_usage:
        body["usage"] = usage_object(counts, choices, directives)
    return _JSON.encode(body | {"service_tier": served_tier(request.service_tier), "system_fingerprint": FINGERPRINT})


def events(request: ChatRequest, directives: Directives, counts: Counts) -> list[tuple[bytes, int]]:
    """All events of a streamed answer, `[DONE]` included, each with the number of deltas that the model made in it."""
    with_usage = request.stream_options is not None and request.stream_options.include_usage
    common = {
        "id": new_id("chatcmpl-", 28),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": dated(request.model),
        "service_tier": served_tier(request.service_tier),
        "system_fingerprint": FINGERPRINT,
    }
    start = b"data: " + _JSON.encode(common)[:-1] + b',"choices":['
    end = (b'],"usage":null}' if with_usage else b"]}") + b"\n\n"
    made: list[tuple[bytes, int]] = []
    deltas = _deltas(request, directives, counts)
    finish = _finish_reason(directives, counts)
    for index in range(request.n or 1):
        opening = b'{"index":%d,"delta":' % index
        for position, delta in enumerate(deltas):
            event = b"".join((start, opening, delta, b',"logprobs":null,"finish_reason":null}', end))
            made.append((event, min(position, 1)))
        last = b'{},"logprobs":null,"finish_reason":%b}' % _JSON.encode(finish)
        made.append((b"".join((start, opening, last, end)), 0))
    if with_usage and not directives.no_usage:
        usage = _JSON.encode(usage_object(counts, request.n or 1, directives))
        made.append((b'%b],"usage":%b}\n\n' % (start, usage), 0))
    made.append((DONE, 0))
    return made


def models(names: tuple[str, ...]) -> bytes:
    """The list of models."""
    return _JSON.encode({"object": "list", "data": [model_object(name) for name in names]})


def model_object(name: str) -> dict[str, Any]:
    """One model."""
    return {"id": name, "object": "model", "created": 1754425777, "owned_by": "openai"}


def _deltas(request: ChatRequest, directives: Directives, counts: Counts) -> list[bytes]:
    made: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
    if directives.show_reasoning:
        made += [{"reasoning_content": word} for word in words(None, counts.reasoning)]
    if directives.tool:
        for number, call in enumerate(calls_of(request.turn.tools, directives)):
            made += _call_deltas(call, number)
    else:
        made += [{"content": word} for word in words(directives.text, counts.visible)]
    return [_JSON.encode(delta) for delta in made]


def _call(call: Call) -> dict[str, Any]:
    opened: dict[str, Any] = {"id": new_id("call_", 24)}
    if call.tool.custom:
        return opened | {"type": "custom", "custom": {"name": call.tool.name, "input": call.arguments}}
    return opened | {"type": "function", "function": {"name": call.tool.name, "arguments": call.arguments}}


def _call_deltas(call: Call, number: int) -> Iterator[dict[str, Any]]:
    whole = _call(call)
    kind, field = ("custom", "input") if call.tool.custom else ("function", "arguments")
    yield {"tool_calls": [{"index": number} | whole | {kind: whole[kind] | {field: ""}}]}
    for start in range(0, len(call.arguments), 6):
        piece = call.arguments[start : start + 6]
        yield {"tool_calls": [{"index": number, kind: {field: piece}}]}


def _finish_reason(directives: Directives, counts: Counts) -> str:
    if counts.limited:
        return "length"
    if directives.refuse:
        return "content_filter"
    return "tool_calls" if directives.tool else "stop"
