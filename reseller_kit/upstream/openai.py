"""Upstreams that speak OpenAI's HTTP API. Knows how credentials are shown, never what a body means or costs."""

from __future__ import annotations

from collections.abc import Sequence

from .credentials import Headers
from .endpoint import Endpoint
from .keyed import KeyedUpstream


class OpenAIUpstream(KeyedUpstream):
    """The `openai` dialect: `Authorization: Bearer`; paths such as `/chat/completions` below a base URL with `/v1`."""

    def __init__(self, endpoint: Endpoint, api_keys: Sequence[str]) -> None:
        """Raises InvalidRequest when there is no key or one could not be sent in a header."""
        super().__init__(endpoint, api_keys, key_headers=_key_headers, models_path="/models")


def _key_headers(api_key: str) -> Headers:
    return (("authorization", f"Bearer {api_key}"),)
