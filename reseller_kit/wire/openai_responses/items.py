"""Output items of a Responses upstream, as far as they say something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from ..conversation import Reasoning, Text, ToolCall
from ..known import CallId, Known, Shape, names

_TOKEN: Final[Shape] = {**names("token logprob bytes"), "top_logprobs": names("token logprob bytes")}
_ANNOTATION: Final[Shape] = names("type start_index end_index url title index file_id filename")
_PART: Final[Shape] = {
    **names("type text refusal transcript data input_audio"),
    "annotations": _ANNOTATION,
    "logprobs": _TOKEN,
}
TOKENS: Final = Known(_TOKEN)
ANNOTATION: Final = Known(_ANNOTATION)
PART: Final = Known(_PART)
ITEM: Final = Known(
    {
        **names("id type status role phase name namespace arguments input action actions operation output execution"),
        **names("encrypted_content queries results result tools environment max_output_length pending_safety_checks"),
        **names("acknowledged_safety_checks error revised_prompt output_format size quality background"),
        "call_id": CallId("call_"),
        "content": _PART,
        "summary": _PART,
    }
)
"""What an output item may show, of whatever type it is."""


class _Piece(Struct):
    type: str = ""
    text: str = ""
    refusal: str = ""


class OutputItem(Struct):
    """One output item of an upstream; what is not of its type keeps its default."""

    type: str = ""
    id: str | None = None
    content: list[_Piece] | None = None
    summary: list[_Piece] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str = ""
    arguments: str = ""
    input: str = ""


_ITEM: Final = msgspec.json.Decoder(OutputItem)


def item_of(raw: Raw) -> OutputItem | None:
    """An output item; None if it can't be read."""
    try:
        return _ITEM.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None


def parts_of(item: OutputItem, maker: str) -> list[Text | Reasoning | ToolCall]:
    """What an output item says in the intermediate form; nothing for one of no known type."""
    if item.type == "message":
        pieces = item.content or []
        return [
            Text(text=piece.text or piece.refusal, refusal=bool(piece.refusal))
            for piece in pieces
            if piece.text or piece.refusal
        ]
    if item.type == "reasoning":
        text = thoughts_of(item)
        signature = item.encrypted_content
        if not text and not signature:
            return []
        return [Reasoning(text=text, signature=signature, maker=maker if signature else None, redacted=not text)]
    if item.type == "function_call" and item.name:
        return [ToolCall(id=item.call_id or item.id or "", name=item.name, arguments=item.arguments)]
    if item.type == "custom_tool_call" and item.name:
        return [ToolCall(id=item.call_id or item.id or "", name=item.name, arguments=item.input, custom=True)]
    return []


def thoughts_of(item: OutputItem) -> str:
    """The readable thoughts of a reasoning item: its summary, else its text."""
    summary = [piece.text for piece in item.summary or () if piece.text]
    return "\n\n".join(summary or [piece.text for piece in item.content or () if piece.text])


def text_of_items(items: Iterable[Raw]) -> str:
    """All text within output items, for an estimate where no usage was reported."""
    return "".join(text for raw in items if (item := item_of(raw)) is not None for text in _texts(item))


def _texts(item: OutputItem) -> Iterable[str]:
    for part in parts_of(item, ""):
        if isinstance(part, ToolCall):
            yield part.name
            yield part.arguments
        else:
            yield part.text
