"""In which API a route is asked: the caller's own where the upstream serves it, else the one to translate into."""

from __future__ import annotations

from ...core.apis import Api
from ...core.storefront import UpstreamConfig


def api_for(caller: Api, config: UpstreamConfig) -> Api | None:
    """The API to ask an upstream in; None if it serves none that generates."""
    served = config.apis
    if caller in served:
        return caller
    return served[0] if served else None


def maker_of(config: UpstreamConfig) -> str:
    """Who can read the signatures that an upstream gives: its provider, or itself where that is unknown."""
    return config.provider or config.name
