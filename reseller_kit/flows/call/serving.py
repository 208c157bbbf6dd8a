"""In which API a route is asked: the caller's own where the upstream serves it, else the one to translate into."""

from __future__ import annotations

from typing import Final, get_args

from ...core.storefront import UpstreamConfig
from ...wire.codec import Api

_OF_DIALECT: Final[dict[str, tuple[Api, ...]]] = {
    "openai": ("chat", "responses"),
    "anthropic": ("messages",),
    "gemini": ("generate_content",),
}
"""The APIs of a dialect that generate; the first is what others are translated into."""
_SERVE_ALL: Final = frozenset({"openai"})
"""Providers known to serve every API of their dialect. Of others that speak OpenAI's, chat alone is taken for granted:
their Responses, where there are any, differ too much. An upstream's `api` setting says it outright."""
_APIS: Final = frozenset(get_args(Api))


def apis_of(config: UpstreamConfig) -> tuple[Api, ...]:
    """The generating APIs that an upstream serves, the preferred one first."""
    native = _OF_DIALECT.get(config.dialect, ())
    named = config.settings.get("api")
    if named:
        return tuple([api for api in native if api in named])
    return native if config.provider in _SERVE_ALL else native[:1]


def api_for(caller: Api, config: UpstreamConfig) -> Api | None:
    """The API to ask an upstream in; None if it serves none that generates."""
    served = apis_of(config)
    if caller in served:
        return caller
    return served[0] if served else None


def maker_of(config: UpstreamConfig) -> str:
    """Who can read the signatures that an upstream gives: its provider, or itself where that is unknown."""
    return config.provider or config.name
