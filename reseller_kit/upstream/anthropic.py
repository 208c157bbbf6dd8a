"""Upstreams that speak Anthropic's HTTP API. Knows how credentials are shown, never what a body means or costs.

Source: Anthropic API reference, "Versions", "Beta headers" and "List models".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import structs

from ..core.storefront import UpstreamKey
from .credentials import Ceilings, Headers
from .endpoint import Endpoint
from .keyed import KeyedUpstream

API_VERSION: Final = "2023-06-01"
_VERSION: Final = "anthropic-version"
_BETA: Final = "anthropic-beta"


class AnthropicUpstream(KeyedUpstream):
    """The `anthropic` dialect: `x-api-key`; paths such as `/v1/messages` below a base URL with or without `/v1`.

    The version and betas of the caller win over those of the configuration; betas of both are asked for together.
    """

    def __init__(self, endpoint: Endpoint, api_keys: Sequence[UpstreamKey], ceilings: Ceilings | None = None) -> None:
        """Raises InvalidRequest when there is no key or one could not be sent in a header."""
        configured = dict(endpoint.headers)
        version = configured.get(_VERSION, API_VERSION)
        betas = configured.get(_BETA, "")

        def key_headers(api_key: str) -> Headers:
            return (("x-api-key", api_key), (_VERSION, version))

        def merge(headers: Headers) -> Headers:
            return tuple((name, _joined(betas, value) if name == _BETA else value) for name, value in headers)

        super().__init__(
            structs.replace(endpoint, prefix=endpoint.prefix.removesuffix("/v1")),
            api_keys,
            ceilings,
            key_headers=key_headers,
            check_path="/v1/models",
            merge=merge,
        )


def _joined(configured: str, asked: str) -> str:
    named = [name.strip() for name in f"{configured},{asked}".split(",")]
    return ",".join(dict.fromkeys(filter(None, named)))
