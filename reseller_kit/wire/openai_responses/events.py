"""Events of a stream of Responses: which there are, and what of them is read.

Source: OpenAI API reference, "Streaming events" of Responses.
"""

from __future__ import annotations

from typing import Final

from msgspec import Raw, Struct

from ..json_body import NULL

PASSED: Final = frozenset(
    {
        "response.audio.done",
        "response.audio.transcript.delta",
        "response.audio.transcript.done",
        "response.compaction.compacting",
        "response.content_part.added",
        "response.content_part.done",
        "response.custom_tool_call_input.delta",
        "response.custom_tool_call_input.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_text.annotation.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_text.delta",
        "response.reasoning_text.done",
        "response.refusal.delta",
        "response.refusal.done",
        "response.shell_call_command.added",
        "response.shell_call_command.delta",
        "response.shell_call_command.done",
    }
)
"""Events about a piece of an item; `delta` in them is text that the model wrote."""
OPENING: Final = frozenset({"response.created", "response.in_progress", "response.queued"})
ITEM_EVENTS: Final = frozenset({"response.output_item.added", "response.output_item.done"})
GOOD_ENDS: Final = {"response.completed": "completed", "response.incomplete": "incomplete"}
BAD_ENDS: Final = frozenset({"response.failed", "response.cancelled", "error"})
CALLS: Final = frozenset({"function_call", "custom_tool_call"})


def opens(name: bytes, _data: bytes) -> bool:
    """Whether an event of a caller's stream only says that an answer begins."""
    return name.decode("latin-1") in OPENING


class Piece(Struct, forbid_unknown_fields=True):
    """A piece of an item, with all the members that such an event may show."""

    type: str
    sequence_number: int | None = None
    item_id: str | None = None
    delta: Raw = NULL
    annotation: Raw = NULL
    annotation_index: Raw = NULL
    arguments: Raw = NULL
    command: Raw = NULL
    command_index: Raw = NULL
    content_index: Raw = NULL
    input: Raw = NULL
    logprobs: Raw = NULL
    name: Raw = NULL
    obfuscation: Raw = NULL
    output_index: Raw = NULL
    part: Raw = NULL
    refusal: Raw = NULL
    status: Raw = NULL
    summary_index: Raw = NULL
    text: Raw = NULL


class Event(Struct):
    """Any other event, as far as it is read."""

    type: str = ""
    sequence_number: int | None = None
    output_index: int = 0
    item: Raw = NULL
    response: Raw = NULL
    error: Raw = NULL
