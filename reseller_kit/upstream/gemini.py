"""Upstreams that speak Gemini's HTTP API. Knows how credentials are shown, never what a body means or costs.

Source: Gemini API reference, "Authentication", "API versions" and "models.list".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import structs

from ..core.storefront import UpstreamKey
from .credentials import Ceilings, Headers
from .endpoint import Endpoint
from .keyed import KeyedUpstream

_VERSION: Final = "/v1beta"
_VERSIONS: Final = (_VERSION, "/v1", "/v1alpha")


class GeminiUpstream(KeyedUpstream):
    """The `gemini` dialect: `x-goog-api-key`; paths such as `/models/M:generateContent` below a base URL.

    A base URL that does not end in a version gets the one that has all that is asked for here.
    """

    def __init__(self, endpoint: Endpoint, api_keys: Sequence[UpstreamKey], ceilings: Ceilings | None = None) -> None:
        """Raises InvalidRequest when there is no key or one could not be sent in a header."""
        prefix = endpoint.prefix if endpoint.prefix.endswith(_VERSIONS) else endpoint.prefix + _VERSION
        super().__init__(
            structs.replace(endpoint, prefix=prefix),
            api_keys,
            ceilings,
            key_headers=_key_headers,
            check_path="/models",
        )


def _key_headers(api_key: str) -> Headers:
    return (("x-goog-api-key", api_key),)
