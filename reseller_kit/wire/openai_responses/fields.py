"""Which top-level members of a Responses request may travel. Looks at names only, but for those that say nothing."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from ...core.errors import InvalidRequest
from .. import members
from ..json_body import is_given

METERED: Final = frozenset(
    {
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "model",
        "previous_response_id",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "tool_choice",
        "tools",
    }
)
"""Members that decide the charge, or whose another spelling a lenient upstream could take for them."""

DOCUMENTED: Final = METERED | {
    "context_management",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
}

REFUSED: Final[dict[str, str]] = {
    **dict.fromkeys(members.REFUSED - METERED, "can't be used here."),
    "background": "can't be used here: the answer has to be waited for. Stream it instead.",
    "background_options": "can't be used here: the answer has to be waited for. Stream it instead.",
    "conversation": "can't be used here. Send the earlier items as input, or previous_response_id.",
    "prompt": "can't be used here: prompt templates belong to an account elsewhere. Send their text instead.",
    "messages": "belongs to chat completions; here it is input.",
    "max_tokens": "has to be spelt 'max_output_tokens'.",
    "max_completion_tokens": "has to be spelt 'max_output_tokens'.",
    "n": "can't be used here: a response has one answer.",
    "moderation": "can't be used here.",
    "access_programs": "can't be used here.",
}
"""Members that must not travel, and what to say of them."""
_NOTHING: Final = frozenset({b"false", b"null", b"{}", b"[]"})


def refuse_unknown(fields: dict[str, Raw]) -> None:
    """Raises InvalidRequest, with the name as `param`, for a member that must not travel."""
    if fields.keys() <= DOCUMENTED:
        return
    for name in fields.keys() - DOCUMENTED:
        plain = _plain(name)
        reason = _REFUSED_PLAIN.get(plain)
        if reason is not None and (bytes(fields[name]) not in _NOTHING or plain not in _HARMLESS_PLAIN):
            raise InvalidRequest(f"{name[:80]!r} {reason}", param=name[:200])
        if plain in _METERED_PLAIN:
            raise InvalidRequest(f"{name[:80]!r} has to be spelt {_METERED_PLAIN[plain]!r}.", param=name[:200])


def without_empty(fields: dict[str, Raw]) -> dict[str, Raw]:
    """The members but for those that are refused unless they say nothing."""
    return {name: value for name, value in fields.items() if name not in _HARMLESS or is_given(value)}


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


_HARMLESS: Final = frozenset({"background", "conversation", "prompt", "moderation", "background_options"})
"""Refused only when they say something: clients send them empty as well."""
_HARMLESS_PLAIN: Final = frozenset(map(_plain, _HARMLESS))
_REFUSED_PLAIN: Final = {_plain(name): reason for name, reason in REFUSED.items()}
_METERED_PLAIN: Final = {_plain(name): name for name in METERED}
