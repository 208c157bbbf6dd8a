"""What a call used by our own count, where its upstream has not said it. Charges nothing."""

from __future__ import annotations

from ...core.usage import Usage, without_output
from ...tokens import estimate_input
from ...wire.codec import Call
from ...wire.codecs import CODECS


def input_used(call: Call, model: str, opening: Usage | None) -> Usage:
    """The input: as the upstream said at the start of its stream, else as we count it."""
    if opening is not None and opening.total_input_tokens:
        return without_output(opening)
    return Usage(input_tokens=counted_input(call, model))


def counted_input(call: Call, model: str) -> int:
    """Tokens of the input by our own count."""
    found = CODECS[call.api].counted(call)
    return estimate_input(model, found.texts, media=found.media, messages=found.messages, tools=found.tools)
