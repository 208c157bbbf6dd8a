"""The APIs that generate, and which of them an upstream serves. Knows no wire format."""

from __future__ import annotations

from collections.abc import Container
from typing import Final, Literal

Api = Literal["chat", "responses", "messages", "generate_content"]
"""OpenAI's chat completions and Responses, Anthropic's messages, Gemini's generateContent."""
_OF_DIALECT: Final[dict[str, tuple[Api, ...]]] = {
    "openai": ("chat", "responses"),
    "anthropic": ("messages",),
    "gemini": ("generate_content",),
}
"""The APIs of a dialect that generate; the first is what others are translated into."""
_SERVE_ALL: Final = frozenset({"openai"})
"""Providers known to serve every API of their dialect. Of others that speak OpenAI's, chat alone is taken for granted:
their Responses, where there are any, differ too much. An upstream's `api` setting says it outright."""


def served_apis(dialect: str, provider: str, named: Container[str] | None) -> tuple[Api, ...]:
    """The generating APIs that an upstream serves, the preferred one first; `named`: its `api` setting."""
    native = _OF_DIALECT.get(dialect, ())
    if named:
        return tuple(api for api in native if api in named)
    return native if provider in _SERVE_ALL else native[:1]
