"""Which top-level members of a chat request may travel. Source: OpenAI API reference, "Create chat completion"."""

from __future__ import annotations

from typing import Final

from ..members import REFUSED, members

METERED: Final = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "modalities",
        "model",
        "n",
        "service_tier",
        "stream",
        "stream_options",
        "tools",
    }
)
"""Members that decide the charge."""

_DOCUMENTED: Final = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "metadata",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "stop",
        "store",
        "temperature",
        "tool_choice",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
    }
)

NAMES: Final = members(metered=METERED, documented=_DOCUMENTED, refused=REFUSED)
