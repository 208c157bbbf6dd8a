"""What surrounds the choices of an answer or a stream's chunk, and what of the choices is kept, in which form."""

from __future__ import annotations

import time
from typing import Final

from msgspec import Raw

from ..json_body import NULL
from ..known import CallId, Known, Shape, names

_TIERS: Final = frozenset({b'"auto"', b'"default"', b'"flex"', b'"priority"', b'"scale"', b'"standard"'})
_TOKEN: Final[Shape] = {**names("token logprob bytes"), "top_logprobs": names("token logprob bytes")}
_CITATION: Final[Shape] = names("start_index end_index url title content")
_CALLED: Final[Shape] = names("name arguments")
_MESSAGE: Final[Shape] = {
    **names("role content refusal reasoning reasoning_content reasoning_details thinking_blocks images"),
    "annotations": {"type": None, "url_citation": _CITATION},
    "audio": names("id data transcript expires_at"),
    "function_call": _CALLED,
    "tool_calls": {
        **names("index type"),
        "id": CallId("call_"),
        "function": _CALLED,
        "custom": names("name input"),
        # Google's signatures, without which the next turn is refused there.
        "extra_content": None,
    },
}
_CHOICES: Final = Known(
    {
        **names("index finish_reason"),
        "message": _MESSAGE,
        "delta": _MESSAGE,
        "logprobs": {"content": _TOKEN, "refusal": _TOKEN},
    }
)


NO_FINGERPRINT: Final = b'"system_fingerprint":null'
"""It would tell one upstream from another; a client that checks what it gets misses the member."""


def created_or_now(created: Raw) -> bytes:
    """The upstream's Unix time as JSON, or the time now if it gave no whole number of seconds."""
    given = bytes(created)
    return given if given.isdigit() and len(given) <= 12 else b"%d" % time.time()


def is_known_tier(tier: Raw) -> bool:
    """Whether a service tier is one of the reference's; others are names of somebody's own."""
    return bytes(tier) in _TIERS


def tier_member(tier: Raw) -> bytes:
    """The member that tells the service tier, where that is a known one."""
    return b',"service_tier":' + bytes(tier) if tier != NULL and is_known_tier(tier) else b""


def own_choices(choices: Raw) -> Raw:
    """The raw choices as the caller may see them: the reference's members and the known names of reasoning.

    Usage and errors that some upstreams put into them are taken out like all that is not known.
    """
    return _CHOICES.only(choices)
