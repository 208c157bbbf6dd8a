"""Plain answers of Responses upstreams in the intermediate form, and such answers for callers of Responses."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw

from ...core.errors import UpstreamFailed
from ...core.usage import Usage
from ..codec import Call, Reply
from ..completion import Completion, Finish
from ..conversation import Media, Reasoning, Text, ToolCall
from ..custom_tools import unwrap
from ..data_url import data_url
from ..json_body import NULL
from ..signatures import mark
from .answer import read_answer
from .envelope import Envelope, ItemIds
from .items import item_of, parts_of
from .names import CallerTools

_ENCODER: Final = msgspec.json.Encoder()


def finish_of(status: str, told: dict[str, Raw], *, called: bool, refused: bool) -> Finish:
    """Why a response ended."""
    if status == "incomplete":
        return "content_filter" if b"content_filter" in bytes(told.get("incomplete_details", NULL)) else "length"
    return "tool_calls" if called else "refusal" if refused else "stop"


def read_completion(body: bytes, reply: Reply) -> Completion:
    """The answer of a Responses upstream.

    Raises UpstreamFailed for an error inside a 200 and for anything that is not a finished response.
    """
    answer = read_answer(_NO_CALL, body, reply)
    parts: list[Text | Reasoning | ToolCall] = []
    for raw in answer.items:
        item = item_of(raw)
        if item is None:
            raise UpstreamFailed("an output item that is none", upstream_status=200)
        parts += parts_of(item, reply.maker)
    return Completion(
        parts=tuple(parts),
        finish=finish_of(
            answer.status,
            answer.upstream,
            called=any(isinstance(part, ToolCall) for part in parts),
            refused=any(isinstance(part, Text) and part.refusal for part in parts),
        ),
        usage=answer.usage,
    )


_NO_CALL: Final = Call(api="responses", model="", stream=False, fields={}, input_bound=0)


def write_completion(completion: Completion, call: Call, reply: Reply, usage: Usage) -> bytes:
    """The body of an answer for a caller of Responses, showing `usage` as what is charged."""
    writer = ItemWriter(call, reply)
    items = [writer.item(part) for part in completion.parts]
    refused = any(isinstance(part, Text) and part.refusal for part in completion.parts)
    status, incomplete = status_of(completion.finish, refused=refused)
    output = _ENCODER.encode(items)
    return Envelope(call, reply).write(status, output, usage=usage, incomplete=incomplete)


def status_of(finish: Finish, *, refused: bool) -> tuple[str, str]:
    """The status of a response and why it is incomplete, if it is. A refusal in words completes it."""
    if finish in ("length", "context_length"):
        return "incomplete", "max_output_tokens"
    if finish == "content_filter" or (finish == "refusal" and not refused):
        return "incomplete", "content_filter"
    return "completed", ""


class ItemWriter:
    """Writes parts of an answer as finished output items for a caller of Responses."""

    def __init__(self, call: Call, reply: Reply) -> None:
        self.tools = CallerTools(call)
        self.ids = ItemIds(reply)

    def item(self, part: Text | Reasoning | ToolCall | Media) -> dict[str, Any]:
        """The finished item of a part."""
        if isinstance(part, ToolCall):
            return self.call_item(part)
        if isinstance(part, Reasoning):
            return reasoning_item(self.ids.new("reasoning"), part)
        if isinstance(part, Media):
            part = Text(text=f"![image]({part.url or data_url(part, 'image/png')})")
        return message_item(self.ids.new("message"), part.text, refusal=part.refusal)

    def call_item(self, call: ToolCall, item_id: str = "", status: str = "completed") -> dict[str, Any]:
        """A call of a tool under the name that the caller gave it."""
        known = self.tools.original(call.name)
        named: dict[str, Any] = {"name": known.name} | ({"namespace": known.namespace} if known.namespace else {})
        if known.custom or call.custom:
            text = call.arguments if call.custom else unwrap(call.arguments)
            item_id = item_id or self.ids.new("custom_tool_call")
            return {
                "id": item_id,
                "type": "custom_tool_call",
                "status": status,
                "call_id": call.id,
                **named,
                "input": text,
            }
        arguments = call.arguments or ("{}" if status == "completed" else "")
        item_id = item_id or self.ids.new("function_call")
        return {
            "id": item_id,
            "type": "function_call",
            "status": status,
            "call_id": call.id,
            **named,
            "arguments": arguments,
        }


def message_item(item_id: str, text: str, *, refusal: bool, status: str = "completed") -> dict[str, Any]:
    """A message of one piece of text or refusal; of none before it begins."""
    content = [] if status == "in_progress" else [content_piece(text, refusal=refusal)]
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def content_piece(text: str, *, refusal: bool) -> dict[str, Any]:
    """The content of a message."""
    if refusal:
        return {"type": "refusal", "refusal": text}
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def reasoning_item(item_id: str, thought: Reasoning) -> dict[str, Any]:
    """Thoughts with their signature, marked with its maker."""
    summary = [{"type": "summary_text", "text": thought.text}] if thought.text else []
    item: dict[str, Any] = {"id": item_id, "type": "reasoning", "summary": summary}
    if thought.signature and thought.maker:
        item["encrypted_content"] = mark(thought.signature, thought.maker)
    return item
