"""What a plugin says of itself, and what it is given to work with. Loads none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from ..core.storefront import UpstreamKey
from ..payments.base import Provider
from ..upstream.base import Upstream
from ..upstream.credentials import Ceilings
from ..upstream.endpoint import Endpoint

API_VERSION: Final = 1
"""What a plugin says that it was written for; raised when something that plugins rely on goes or changes."""


class UpstreamSetup(Struct, frozen=True, kw_only=True):
    """An upstream of tenants.toml that names the plugin: where it is, its keys and what they may do.

    `dialect` is the API whose bodies and paths the product sends and whose answers it reads. `options`: the texts of
    its table `options`.
    """

    endpoint: Endpoint
    api_keys: tuple[UpstreamKey, ...]
    ceilings: Ceilings
    dialect: str
    provider: str
    options: Mapping[str, str]

    def __repr__(self) -> str:
        return f"UpstreamSetup({self.endpoint!r})"


class PaymentSetup(Struct, frozen=True, kw_only=True):
    """How a tenant is paid that names the plugin as its provider.

    `reference_key` is for `signed_order` and `order_of`. `shared`: others are paid through the account too, and what
    is not signed with this key is theirs. `environment` is sandbox, live or a loopback URL.
    """

    name: str
    api_key: str
    webhook_secret: str
    reference_key: bytes
    environment: str
    options: Mapping[str, str]
    shared: bool = False

    def __repr__(self) -> str:
        return f"PaymentSetup(name={self.name!r}, environment={self.environment!r})"


class UpstreamPlugin(Struct, frozen=True, kw_only=True):
    """A way to reach providers: what the entry point of the group `reseller_kit.upstreams` leads to.

    `options` may stand in an upstream's table of that name, `required` have to. `make` is called in each process when
    the upstream's configuration is new; it asks nothing and raises InvalidRequest for what it can't work with.
    """

    make: Callable[[UpstreamSetup], Upstream]
    options: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    api: int = API_VERSION


class PaymentPlugin(Struct, frozen=True, kw_only=True):
    """A way to be paid: what the entry point of the group `reseller_kit.payments` leads to.

    `options` and `required` as in `UpstreamPlugin`; `secrets`: which of `api_key` and `webhook_secret` it needs.
    `renews`: its providers are `Renewing` too. Without, no subscriptions are sold through it.
    """

    make: Callable[[PaymentSetup], Provider]
    options: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ("api_key", "webhook_secret")
    renews: bool = False
    api: int = API_VERSION
