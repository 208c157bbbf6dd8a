"""An account at Paddle: its credentials and where it is asked. Asks nothing itself."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from ...core.errors import InvalidRequest
from ...core.tenant import is_loopback_host

_SANDBOX: Final = "https://sandbox-api.paddle.com"
_LIVE: Final = "https://api.paddle.com"


class Account(Struct, frozen=True, kw_only=True):
    """Credentials of one account, and what a tenant says of it.

    `reference_key` signs the ids of orders that go out, so that one which comes back can be told from one that somebody
    else wrote. `checkout_url` is the page of an approved domain that opens the checkout; without it the account's own
    default payment link does. `client_token` is public: the provider's script needs it in the browser. `shared`: others
    are paid through the account too, and what is not signed with this key is theirs.
    """

    api_key: str
    webhook_secret: str
    environment: str
    reference_key: bytes
    checkout: str = "hosted"
    checkout_url: str = ""
    client_token: str = ""
    tax_category: str = "standard"
    shared: bool = False

    def __repr__(self) -> str:
        return f"Account(environment={self.environment!r})"


def base_url(environment: str) -> str:
    """Where an environment is asked: `sandbox`, `live`, or a plain http address of this machine, for tests.

    Raises InvalidRequest for anything else: an API key leaves for no other place.
    """
    if environment in {"sandbox", "live"}:
        return _LIVE if environment == "live" else _SANDBOX
    try:
        parts = urlsplit(environment)
        known = parts.scheme == "http" and is_loopback_host(parts.hostname or "") and parts.port != 0
        known = known and not (parts.username or parts.query or parts.fragment)
    except ValueError:
        known = False
    if not known:
        raise InvalidRequest(
            "The environment is neither sandbox nor live nor a loopback address.",
            param="environment",
            fix='Set environment = "sandbox" or "live".',
        )
    return environment.rstrip("/")
