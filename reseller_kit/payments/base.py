"""What a way to be paid offers. Each module beside this one is one provider."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct


class Purchase(Struct, frozen=True, kw_only=True):
    """What a customer is to pay for. `price_nano` is nano-USD before tax; `reference` is our order's id."""

    reference: str
    title: str
    price_nano: int
    email: str


class Checkout(Struct, frozen=True, kw_only=True):
    """A checkout that was opened: where the customer pays, and what the provider calls it.

    Without `url` the customer pays outside (bank transfer, cash) and somebody confirms it. `lapses_seconds` is how long
    it can be paid.
    """

    lapses_seconds: int
    url: str | None = None
    provider_ref: str | None = None
    facts: dict[str, Any] = {}


class Provider(Protocol):
    """A way to be paid."""

    @property
    def name(self) -> str:
        """Its name in tenants.toml and on orders."""

    async def open_checkout(self, purchase: Purchase) -> Checkout:
        """Begin a payment. Asked again for the same purchase it may open another one; only one is paid."""
