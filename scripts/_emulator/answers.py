"""The bytes of answers: completions, event streams, errors, model lists. Decides nothing and sends nothing."""

from __future__ import annotations

import json
import re
import secrets
import time
from typing import Any, Final

import msgspec

from scripts._emulator.directives import ChatRequest, Counts, Directives

FINGERPRINT: Final = "fp_5f3a1c9e2b"
ORGANIZATION: Final = "org-emulated0upstream0account"
SERVER: Final = "openai-emulator"
DONE: Final = b"data: [DONE]\n\n"
MODEL_DATE: Final = "2025-08-07"
DEFAULT_MODELS: Final = ("gpt-5-mini", "gpt-5", "gpt-4.1-nano")

_SENTENCE: Final = "the quick brown fox jumps over a lazy dog while small clouds drift along the shore"
_VOCABULARY: Final = _SENTENCE.split()
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Payload Too Large",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
# As the real service words them: with its name, its links and the account's id, which no storefront may repeat.
_BUSY: Final = (
    f"Rate limit reached for the model in organization {ORGANIZATION} on requests per min (RPM). "
    "Visit https://platform.openai.com/account/rate-limits to learn more."
)
_BROKEN: Final = (
    "The server had an error while processing your request. Sorry about that! Please contact us through our "
    "help center at help.openai.com if the error persists."
)
_BAD_KEY: Final = "Incorrect API key provided. You can find yours at https://platform.openai.com/account/api-keys."
_ERRORS: Final[dict[int, tuple[str, str, str | None]]] = {
    401: (_BAD_KEY, "invalid_request_error", "invalid_api_key"),
    403: (f"Your organization {ORGANIZATION} may not use OpenAI's API.", "permission_error", "forbidden"),
    429: (_BUSY, "requests", "rate_limit_exceeded"),
    500: (_BROKEN, "server_error", None),
    503: ("The engine is currently overloaded, please try again later.", "service_unavailable", "overloaded"),
}
_TEXT_PIECE: Final = re.compile(r"\s*\S+\s*\Z|\s*\S+")
_JSON: Final = msgspec.json.Encoder()


def dated(model: str) -> str:
    """The name under which the service says it served: with a date, unless there is one."""
    return model if model[-1:].isdigit() and model.count("-20") else f"{model}-{MODEL_DATE}"


def new_id(prefix: str, length: int) -> str:
    """A random id of hexadecimal digits."""
    return prefix + secrets.token_hex(length // 2)


def head(status: int, content_type: str, request_id: str, *, length: int | None, extra: str = "") -> bytes:
    """Status line and headers; `length` None is a chunked body."""
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    return (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Answer')}\r\n"
        f"date: {time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime())}\r\n"
        f"content-type: {content_type}\r\n{framing}\r\nserver: {SERVER}\r\n"
        f"x-request-id: {request_id}\r\nopenai-organization: {ORGANIZATION}\r\nopenai-project: proj_emulated\r\n"
        "openai-processing-ms: 7\r\nopenai-version: 2020-10-01\r\nx-ratelimit-limit-requests: 30000\r\n"
        "x-ratelimit-remaining-requests: 29999\r\nset-cookie: __cf_bm=emulated; path=/; domain=.api.openai.com\r\n"
        f"cf-ray: 8f00000000000000-EMU\r\nstrict-transport-security: max-age=31536000\r\n{extra}\r\n"
    ).encode()


def chunk(data: bytes) -> bytes:
    """One piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def error_body(status: int, message: str = "", *, code: str | None = None, param: str | None = None) -> bytes:
    """An error object as the service writes it."""
    text, kind, known = _ERRORS.get(status, (f"The OpenAI API answered {status}.", "invalid_request_error", None))
    fields = {"message": message or text, "type": kind, "param": param, "code": code or known}
    return _JSON.encode({"error": fields})


def usage_object(counts: Counts, choices: int, directives: Directives | None = None) -> dict[str, Any]:
    """The usage of a call; with `directives`, as it is claimed to be."""
    total_in, output, cached = counts.input, counts.output * choices, counts.cached
    if directives is not None:
        total_in = total_in if directives.claim_input is None else directives.claim_input
        output = output if directives.claim_output is None else directives.claim_output
        cached = cached if directives.claim_cached is None else directives.claim_cached
    return {
        "prompt_tokens": total_in,
        "completion_tokens": output,
        "total_tokens": total_in + output,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": counts.reasoning * choices,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def completion(request: ChatRequest, directives: Directives, counts: Counts) -> bytes:
    """The body of a plain answer."""
    choices = request.n or 1
    message: dict[str, Any] = {"role": "assistant", "content": "".join(_words(directives, counts.visible))}
    if directives.show_reasoning:
        message["reasoning_content"] = "".join(_words(Directives(), counts.reasoning))
    if directives.tool:
        message["content"] = None
        message["tool_calls"] = [_tool_call(number) for number in range(directives.tool)]
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
    return _JSON.encode(body | {"service_tier": "default", "system_fingerprint": FINGERPRINT})


def events(request: ChatRequest, directives: Directives, counts: Counts) -> list[tuple[bytes, int]]:
    """All events of a streamed answer, `[DONE]` included, each with the number of deltas that the model made in it."""
    with_usage = request.stream_options is not None and request.stream_options.include_usage
    common = {
        "id": new_id("chatcmpl-", 28),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": dated(request.model),
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }
    start = b"data: " + _JSON.encode(common)[:-1] + b',"choices":['
    end = (b'],"usage":null}' if with_usage else b"]}") + b"\n\n"
    made: list[tuple[bytes, int]] = []
    deltas = _deltas(directives, counts)
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


def _deltas(directives: Directives, counts: Counts) -> list[bytes]:
    made: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
    if directives.show_reasoning:
        made += [{"reasoning_content": word} for word in _words(Directives(), counts.reasoning)]
    if directives.tool:
        for number in range(directives.tool):
            call = _tool_call(number)
            arguments = call["function"]["arguments"]
            opened = call | {"index": number, "function": call["function"] | {"arguments": ""}}
            made.append({"tool_calls": [opened]})
            made += [
                {"tool_calls": [{"index": number, "function": {"arguments": arguments[start : start + 6]}}]}
                for start in range(0, len(arguments), 6)
            ]
    else:
        made += [{"content": word} for word in _words(directives, counts.visible)]
    return [_JSON.encode(delta) for delta in made]


def _words(directives: Directives, number: int) -> list[str]:
    """One word a token; a given text comes back exactly, unless the limit cuts it."""
    if directives.text is not None:
        return _TEXT_PIECE.findall(directives.text)[:number]
    size = len(_VOCABULARY)
    return [_VOCABULARY[n % size] if n == 0 else f" {_VOCABULARY[n % size]}" for n in range(number)]


def _tool_call(number: int) -> dict[str, Any]:
    arguments = json.dumps({"city": "Ulm", "unit": "celsius", "day": number})
    return {
        "id": f"call_{number:024d}",
        "type": "function",
        "function": {"name": "get_weather", "arguments": arguments},
    }


def _finish_reason(directives: Directives, counts: Counts) -> str:
    if counts.limited:
        return "length"
    return "tool_calls" if directives.tool else "stop"
