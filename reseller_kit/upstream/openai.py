"""Upstreams that speak OpenAI's HTTP API. Knows how credentials are shown, never what a body means or costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from ..core.storefront import UpstreamKey
from .credentials import Ceilings, Headers
from .endpoint import Endpoint
from .keyed import KeyedUpstream

_OPENROUTER: Final = "openrouter"
_ANY: Final = msgspec.json.Decoder()


class OpenAIUpstream(KeyedUpstream):
    """The `openai` dialect: `Authorization: Bearer`; paths such as `/chat/completions` below a base URL with `/v1`."""

    def __init__(
        self, endpoint: Endpoint, api_keys: Sequence[UpstreamKey], ceilings: Ceilings | None = None, provider: str = ""
    ) -> None:
        """`provider`: the catalogue's id, by which it is known how a key is checked.

        Raises InvalidRequest when there is no key or one could not be sent in a header.
        """
        # OpenRouter shows its models to anyone, and tells of a key what may still be spent on it.
        tells = provider == _OPENROUTER or endpoint.host.endswith("openrouter.ai")
        super().__init__(
            endpoint,
            api_keys,
            ceilings,
            key_headers=_key_headers,
            check_path="/key" if tells else "/models",
            judge=_left_to_spend if tells else lambda _body: "",
        )


def _key_headers(api_key: str) -> Headers:
    return (("authorization", f"Bearer {api_key}"),)


def _left_to_spend(body: bytes) -> str:
    """What is wrong with a key by OpenRouter's own account of it ("Get current API key")."""
    try:
        found: Any = _ANY.decode(body)
        left = found["data"].get("limit_remaining")
    except (msgspec.MsgspecError, RecursionError, KeyError, TypeError, AttributeError):
        return "the answer is not an account of a key"
    return "nothing is left of the key's limit" if isinstance(left, int | float) and left <= 0 else ""
