"""The members of a messages request that decide its charge, and the tools and contents that cost beyond tokens.

Source: Anthropic API reference, "Create a Message", "Count tokens in a Message", and the pages of the tools.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Raw, Struct

from ...core.errors import InvalidRequest
from ..json_body import NULL
from ..members import REFUSED, members
from ..ranges import Share

MAX_OUTPUT_LIMIT: Final = 1 << 31
SEARCH_TOKENS: Final = 25_000
"""Input that the results of one web search may come to."""
SEARCHES: Final = 10
"""Searches of a request that names no `max_uses`."""

NAMES: Final = members(
    metered=(
        "context_management",
        "inference_geo",
        "max_tokens",
        "messages",
        "model",
        "service_tier",
        "speed",
        "stream",
        "system",
        "thinking",
        "tools",
    ),
    documented=(
        "cache_control",
        "compaction",
        "diagnostics",
        "metadata",
        "output_config",
        "output_format",
        "stop_sequences",
        "temperature",
        "tool_choice",
        "top_k",
        "top_p",
    ),
    refused=REFUSED
    | {
        # the account's: its files, containers, sub-accounts and credits
        "billing_policy",
        "container",
        "fallback_credit_token",
        "thread",
        "user_profile_id",
        "workspace_id",
        # work on another's machine that the meter doesn't see
        "mcp_servers",
    },
)

OF_ITS_OWN: Final = ("bash_", "browser_", "computer_", "memory_", "text_editor_")
"""Tools that the caller runs, and whose form the provider's models know by heart."""
TOOL_SEARCH: Final = "tool_search_tool_"
WEB_SEARCH: Final = "web_search_"
PLAIN_TOOLS: Final = frozenset({"", "custom"})
_STANDARD_SPEEDS: Final = frozenset({"standard"})
_STANDARD_TIERS: Final = frozenset({"auto", "standard_only"})
_STANDARD_PLACES: Final = frozenset({"global", "not_available"})


class Tool(Struct):
    """A tool's kind; `max_uses`: of one that the provider runs."""

    type: str | None = None
    max_uses: Annotated[int, Meta(ge=1, le=1_000)] | None = None


class Block(Struct):
    """A content block as far as it may cost beyond its text."""

    type: str
    source: Raw = NULL
    content: Raw = NULL


class Message(Struct):
    """One turn."""

    role: str
    content: str | list[Block]


class Head(Struct):
    """The members that steer what is charged, with their types and ranges, but for `system` and `tools`.

    These two are most of what an agent sends, and are looked at no more than they have to be.
    """

    model: Annotated[str, Meta(min_length=1, max_length=200)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=0, le=MAX_OUTPUT_LIMIT)] | None = None
    stream: bool | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    temperature: Share | None = None
    top_p: Share | None = None
    context_management: Raw = NULL
    compaction: Raw = NULL


def check_standard(head: Head) -> None:
    """Raises InvalidRequest for a tier, speed or place of inference that has a price of its own."""
    if head.service_tier is not None and head.service_tier not in _STANDARD_TIERS:
        raise InvalidRequest(
            'Only the service tiers "auto" and "standard_only" are offered here.', param="service_tier"
        )
    if head.speed is not None and head.speed not in _STANDARD_SPEEDS:
        raise InvalidRequest('Only the speed "standard" is offered here.', param="speed")
    if head.inference_geo is not None and head.inference_geo not in _STANDARD_PLACES:
        raise InvalidRequest('Only the inference_geo "global" is offered here.', param="inference_geo")
