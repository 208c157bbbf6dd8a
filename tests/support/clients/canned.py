"""Well-formed answers and refusals of each dialect, for a recorder that only wants to see what a client sends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

DIALECTS: Final = ("chat", "responses", "anthropic", "gemini")
GREETING: Final = "Hello from upstream."
MODEL: Final = "model-of-recorder"
SIGNATURE: Final = "c2lnbmVkIGJ5IHRoZSByZWNvcmRlcg=="
INPUT_TOKENS: Final = 41
OUTPUT_TOKENS: Final = 7
Event = tuple[str, Mapping[str, Any]]
"""A stream's event: its name (empty for none) and its JSON."""


@dataclass(frozen=True)
class Reply:
    """What the model says: a text, or calls of tools by name and arguments, perhaps after a thought."""

    text: str = GREETING
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    thought: str = ""


def plain(dialect: str, reply: Reply) -> dict[str, Any]:
    """The whole answer as one document."""
    makers = {"chat": _chat, "responses": _response, "anthropic": _message, "gemini": _candidate}
    return makers[dialect](reply)


def events(dialect: str, reply: Reply) -> list[Event]:
    """The whole answer as a stream."""
    makers = {"chat": _chat_events, "responses": _response_events, "anthropic": _message_events}
    return list(makers[dialect](reply)) if dialect in makers else [("", _candidate(reply))]


def refusal(dialect: str, status: int, code: str, message: str) -> dict[str, Any]:
    """An error's body; `code` is the dialect's own word for it."""
    if dialect == "anthropic":
        return {"type": "error", "error": {"type": code, "message": message}, "request_id": "req_recorder"}
    if dialect == "gemini":
        return {"error": {"code": status, "message": message, "status": code}}
    return {"error": {"message": message, "type": code, "param": None, "code": code}}


def error_event(dialect: str, code: str, message: str) -> Event:
    """An error in the middle of a stream."""
    if dialect == "responses":
        failed = {**_response(Reply()), "status": "failed", "output": [], "error": {"code": code, "message": message}}
        return "response.failed", {"type": "response.failed", "sequence_number": 9, "response": failed}
    return ("error" if dialect == "anthropic" else ""), refusal(dialect, 500, code, message)


def encode(found: list[Event], *, done: bool) -> bytes:
    """The bytes of a stream; `done`: OpenAI's chat ends with a word."""
    parts = [(f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n" for name, data in found]
    return "".join([*parts, "data: [DONE]\n\n" if done else ""]).encode()


def models(dialect: str) -> dict[str, Any]:
    """The list of models."""
    if dialect == "gemini":
        return {"models": [{"name": f"models/{MODEL}", "supportedGenerationMethods": ["generateContent"]}]}
    if dialect == "anthropic":
        entry = {"type": "model", "id": MODEL, "display_name": "Recorder", "created_at": "2026-01-01T00:00:00Z"}
        return {"data": [entry], "has_more": False, "first_id": MODEL, "last_id": MODEL}
    return {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1700000000, "owned_by": "rec"}]}


def _chat(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None if reply.calls else reply.text, "refusal": None}
    if reply.calls:
        message["tool_calls"] = _chat_calls(reply)
    reason = "tool_calls" if reply.calls else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    return {**_chat_head("chat.completion"), "choices": [choice], "usage": _chat_usage()}


def _chat_calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for number, (name, arguments) in enumerate(reply.calls)
    ]


def _chat_head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-recorder", "object": kind, "created": 1700000000, "model": MODEL}


def _chat_usage() -> dict[str, Any]:
    total = INPUT_TOKENS + OUTPUT_TOKENS
    return {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS, "total_tokens": total}


def _chat_events(reply: Reply) -> Iterator[Event]:
    head = _chat_head("chat.completion.chunk")

    def chunk(delta: dict[str, Any], reason: str | None = None) -> Event:
        return "", {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    calls = [{"index": number, **call} for number, call in enumerate(_chat_calls(reply))]
    yield chunk({"role": "assistant", "content": ""})
    yield chunk({"tool_calls": calls} if calls else {"content": reply.text})
    yield chunk({}, "tool_calls" if calls else "stop")
    yield "", {**head, "choices": [], "usage": _chat_usage()}


def _response(reply: Reply) -> dict[str, Any]:
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    total = INPUT_TOKENS + OUTPUT_TOKENS
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS, "total_tokens": total, **details}
    head = {"id": "resp_recorder", "object": "response", "created_at": 1700000000, "status": "completed"}
    settings = {"model": MODEL, "tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "metadata": {}}
    rest = {"error": None, "incomplete_details": None, "instructions": None, "usage": usage}
    return {**head, **settings, **rest, "output": _response_items(reply)}


def _response_items(reply: Reply) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if reply.thought:
        summary = [{"type": "summary_text", "text": reply.thought}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": SIGNATURE})
    for number, (name, arguments) in enumerate(reply.calls):
        call = {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "status": "completed"}
        items.append({**call, "name": name, "arguments": json.dumps(arguments)})
    if not reply.calls:
        part = {"type": "output_text", "text": reply.text, "annotations": []}
        head = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant"}
        items.append({**head, "content": [part]})
    return items


def _response_events(reply: Reply) -> Iterator[Event]:
    whole = _response(reply)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    steps: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.in_progress", {"response": begun}),
    ]
    for index, item in enumerate(whole["output"]):
        steps += _item_events(index, item)
    steps.append(("response.completed", {"response": whole}))
    for number, (name, data) in enumerate(steps):
        yield name, {"type": name, "sequence_number": number, **data}


def _item_events(index: int, item: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    place = {"item_id": item["id"], "output_index": index}
    opened: dict[str, Any] = {**item, "status": "in_progress"}
    inner: list[tuple[str, dict[str, Any]]] = []
    if item["type"] == "function_call":
        opened["arguments"] = ""
        inner.append(("response.function_call_arguments.delta", {**place, "delta": item["arguments"]}))
        whole = {"arguments": item["arguments"], "name": item["name"]}
        inner.append(("response.function_call_arguments.done", {**place, **whole}))
    elif item["type"] == "message":
        opened["content"] = []
        part = item["content"][0]
        inside = {**place, "content_index": 0}
        inner.append(("response.content_part.added", {**inside, "part": {**part, "text": ""}}))
        inner.append(("response.output_text.delta", {**inside, "delta": part["text"], "logprobs": []}))
        inner.append(("response.output_text.done", {**inside, "text": part["text"], "logprobs": []}))
        inner.append(("response.content_part.done", {**inside, "part": part}))
    begin = ("response.output_item.added", {"output_index": index, "item": opened})
    return [begin, *inner, ("response.output_item.done", {"output_index": index, "item": dict(item)})]


def _message(reply: Reply) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = []
    if reply.thought:
        blocks.append({"type": "thinking", "thinking": reply.thought, "signature": SIGNATURE})
    for number, (name, arguments) in enumerate(reply.calls):
        blocks.append({"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": arguments})
    if not reply.calls:
        blocks.append({"type": "text", "text": reply.text})
    head = {"id": "msg_recorder", "type": "message", "role": "assistant", "model": MODEL, "content": blocks}
    ended = {"stop_reason": "tool_use" if reply.calls else "end_turn", "stop_sequence": None}
    return {**head, **ended, "usage": _message_usage(OUTPUT_TOKENS)}


def _message_usage(output: int) -> dict[str, Any]:
    split = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    cache = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation": split}
    return {"input_tokens": INPUT_TOKENS, "output_tokens": output, **cache, "service_tier": "standard"}


def _message_events(reply: Reply) -> Iterator[Event]:
    whole = _message(reply)
    begun = {**whole, "content": [], "stop_reason": None, "usage": _message_usage(1)}
    steps: list[tuple[str, dict[str, Any]]] = [("message_start", {"message": begun}), ("ping", {})]
    for index, block in enumerate(whole["content"]):
        steps += _block_events(index, block)
    ending = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    steps.append(("message_delta", {"delta": ending, "usage": {"output_tokens": OUTPUT_TOKENS}}))
    steps.append(("message_stop", {}))
    for name, data in steps:
        yield name, {"type": name, **data}


def _block_events(index: int, block: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if block["type"] == "tool_use":
        opened: dict[str, Any] = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
    elif block["type"] == "thinking":
        opened = {"type": "thinking", "thinking": "", "signature": ""}
        deltas = [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    else:
        opened = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": block["text"]}]
    begin = ("content_block_start", {"index": index, "content_block": opened})
    inner = [("content_block_delta", {"index": index, "delta": delta}) for delta in deltas]
    return [begin, *inner, ("content_block_stop", {"index": index})]


def _candidate(reply: Reply) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": reply.thought, "thought": True}] if reply.thought else []
    signed = {"thoughtSignature": SIGNATURE} if reply.thought else {}
    parts += [{"functionCall": {"name": name, "args": arguments}, **signed} for name, arguments in reply.calls]
    if not reply.calls:
        parts.append({"text": reply.text, **signed})
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    total = INPUT_TOKENS + OUTPUT_TOKENS
    counts = {"promptTokenCount": INPUT_TOKENS, "candidatesTokenCount": OUTPUT_TOKENS, "totalTokenCount": total}
    return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": MODEL, "responseId": "recorder"}
