"""The bytes of Responses answers: items, whole bodies and numbered events. Decides nothing, stores nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from scripts._emulator import exchange, signing
from scripts._emulator.answers import dated, new_id, served_tier
from scripts._emulator.directives import claimed
from scripts._emulator.exchange import Events, Said
from scripts._emulator.turn import Call

_PIECE: Final = 6
_STATUS: Final = {"length": "incomplete", "refusal": "incomplete"}
_REASONS: Final = {"length": "max_output_tokens", "refusal": "content_filter"}
_ECHOED: Final[dict[str, Any]] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_NOTHING: Final = {"image_tokens": 0, "text_tokens": 0}
_NO_IMAGES: Final = {
    "image_gen": {
        "input_tokens": 0,
        "input_tokens_details": _NOTHING,
        "output_tokens": 0,
        "output_tokens_details": _NOTHING,
        "total_tokens": 0,
    }
}
Told = tuple[str, dict[str, Any], int]


class Response(msgspec.Struct, frozen=True):
    """The items of an answer, whole."""

    output: list[dict[str, Any]]


def make(said: Said) -> Response:
    """The items of an answer under new ids."""
    answer = said.answer
    status = _STATUS.get(answer.stop, "completed")
    output: list[dict[str, Any]] = []
    if answer.thoughts:
        output.append(_reasoning(said))
    output += [_call(call) for call in answer.calls]
    if not answer.calls:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": answer.text}
        message = {"id": new_id("msg_", 48), "type": "message", "status": status, "role": "assistant"}
        output.append(message | {"content": [part]})
    return Response(output)


def body(said: Said, response: Response) -> dict[str, Any]:
    """The response when it has ended."""
    stop = said.answer.stop
    found = shell(said, _STATUS.get(stop, "completed"))
    found["output"] = response.output
    found["completed_at"] = said.created if found["status"] == "completed" else None
    if stop in _REASONS:
        found["incomplete_details"] = {"reason": _REASONS[stop]}
    if not said.answer.directives.no_usage:
        found["usage"] = usage(said, True)
    if said.answer.directives.web_search:
        found["tool_usage"] = _NO_IMAGES | {"web_search": {"num_requests": said.answer.directives.web_search}}
    return found


def shell(said: Said, status: str) -> dict[str, Any]:
    """A response without output."""
    request = said.request
    echoed = {name: request.get(name, default) for name, default in _ECHOED.items()}
    return echoed | {
        "id": said.id,
        "object": "response",
        "created_at": said.created,
        "completed_at": None,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": dated(said.turn.model),
        "output": [],
        "reasoning": {"effort": None, "summary": None} | (request.get("reasoning") or {}),
        "service_tier": "auto" if status == "in_progress" else served_tier(request.get("service_tier")),
        "text": {"format": {"type": "text"}, "verbosity": "medium"} | (request.get("text") or {}),
        "usage": None,
    }


def usage(said: Said, claims: bool) -> dict[str, Any]:  # noqa: FBT001  # see Codec.usage
    """Tokens as the service reports them: input with what was cached and written, output with reasoning."""
    counts = said.answer.counts
    shown = claimed(counts, said.answer.directives) if claims else counts
    return {
        "input_tokens": shown.input,
        "input_tokens_details": {"cached_tokens": shown.cached, "cache_write_tokens": shown.cache_write},
        "output_tokens": shown.output,
        "output_tokens_details": {"reasoning_tokens": shown.reasoning},
        "total_tokens": shown.input + shown.output,
    }


def events(said: Said, response: Response) -> Events:
    """All events of a streamed answer, each with the number of deltas that the model made in it."""
    whole = body(said, response)
    told: list[Told] = [
        ("response.created", {"response": shell(said, "in_progress")}, 0),
        ("response.in_progress", {"response": shell(said, "in_progress")}, 0),
    ]
    for index, item in enumerate(response.output):
        empty = item | {"status": "in_progress"} if item["type"] != "reasoning" else item | {"summary": []}
        fill = {"message": _message_events, "reasoning": _reasoning_events}.get(item["type"], _call_events)
        if item["type"] == "message":
            empty = empty | {"content": []}
        elif item["type"] != "reasoning":
            empty = empty | {_field(item): ""}
        told.append(("response.output_item.added", {"output_index": index, "item": empty}, 0))
        told += [(kind, {"item_id": item["id"], "output_index": index} | rest, n) for kind, rest, n in fill(said, item)]
        told.append(("response.output_item.done", {"output_index": index, "item": item}, 0))
    told.append((f"response.{whole['status']}", {"response": whole}, 0))
    return [
        (exchange.event(kind, {"sequence_number": number} | rest), deltas)
        for number, (kind, rest, deltas) in enumerate(told)
    ]


def _message_events(said: Said, item: dict[str, Any]) -> Iterator[Told]:
    part = item["content"][0]
    place = {"content_index": 0}
    yield "response.content_part.added", place | {"part": part | {"text": ""}}, 0
    for word in said.answer.words:
        yield "response.output_text.delta", place | {"delta": word, "logprobs": []}, 1
    yield "response.output_text.done", place | {"text": part["text"], "logprobs": []}, 0
    yield "response.content_part.done", place | {"part": part}, 0


def _reasoning_events(said: Said, item: dict[str, Any]) -> Iterator[Told]:
    for index, part in enumerate(item["summary"]):
        place = {"summary_index": index}
        yield "response.reasoning_summary_part.added", place | {"part": part | {"text": ""}}, 0
        for word in said.answer.thoughts:
            yield "response.reasoning_summary_text.delta", place | {"delta": word}, 1
        yield "response.reasoning_summary_text.done", place | {"text": part["text"]}, 0
        yield "response.reasoning_summary_part.done", place | {"part": part}, 0


def _call_events(_: Said, item: dict[str, Any]) -> Iterator[Told]:
    field = _field(item)
    kind = "response.function_call_arguments" if field == "arguments" else "response.custom_tool_call_input"
    text = item[field]
    for start in range(0, len(text), _PIECE):
        yield f"{kind}.delta", {"delta": text[start : start + _PIECE]}, 1
    named = {"name": item["name"]} if field == "arguments" else {}
    yield f"{kind}.done", {field: text} | named, 0


def _field(item: dict[str, Any]) -> str:
    return "arguments" if item["type"] == "function_call" else "input"


def _reasoning(said: Said) -> dict[str, Any]:
    wanted = said.request.get("reasoning") or {}
    text = "".join(said.answer.thoughts)
    shown = wanted.get("summary") or wanted.get("generate_summary")
    summary = [{"type": "summary_text", "text": text}] if shown else []
    item: dict[str, Any] = {"id": new_id("rs_", 48), "type": "reasoning", "summary": summary}
    if "reasoning.encrypted_content" in (said.request.get("include") or ()):
        item["encrypted_content"] = signing.sign(said.secret, item["id"])
    return item


def _call(call: Call) -> dict[str, Any]:
    named: dict[str, Any] = {"call_id": new_id("call_", 24), "name": call.tool.name, "status": "completed"}
    if call.tool.namespace is not None:
        named["namespace"] = call.tool.namespace
    if call.tool.custom:
        return {"id": new_id("ctc_", 48), "type": "custom_tool_call", "input": call.arguments} | named
    return {"id": new_id("fc_", 48), "type": "function_call", "arguments": call.arguments} | named
