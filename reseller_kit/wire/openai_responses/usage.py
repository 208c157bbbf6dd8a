"""Usage reports of OpenAI's Responses, read into `Usage` and written back. Prices nothing.

Source: OpenAI API reference, "The response object" (usage). `input_tokens` includes cached and cache-write tokens,
`output_tokens` includes reasoning.
"""

from __future__ import annotations

from typing import Any

from msgspec import Raw

from ...core.usage import Usage
from ..openai_chat.usage import read_any_usage


def read_usage(report: bytes | Raw) -> Usage | None:
    """What an upstream says a response used, each token in exactly one class; None if this is no usable report.

    The figures bear the names that relatives of the chat API use as well, so one reader knows both. Unsound figures
    are replaced and mark the result `irregular`. Raises nothing.
    """
    return read_any_usage(report)


def usage_object(usage: Usage) -> dict[str, Any]:
    """`usage` as the `usage` member of a response, so that the caller sees what is charged.

    Audio and image tokens, which that shape has no place for, are added to the details only where there are any.
    """
    given, made = usage.total_input_tokens, usage.total_output_tokens
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens + usage.cache_write_1h_tokens,
            **_some(
                cache_write_1h_tokens=usage.cache_write_1h_tokens,
                audio_tokens=usage.input_audio_tokens,
                image_tokens=usage.input_image_tokens,
            ),
        },
        "output_tokens": made,
        "output_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            **_some(audio_tokens=usage.output_audio_tokens, image_tokens=usage.output_image_tokens),
        },
        "total_tokens": given + made,
    }


def _some(**figures: int) -> dict[str, int]:
    return {name: figure for name, figure in figures.items() if figure}
