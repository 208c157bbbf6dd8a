"""Bank transfer, cash, an invoice: the customer pays outside, and the reseller or operator confirms it."""

from __future__ import annotations

from typing import Final

from .base import Checkout, Purchase

_LAPSES_SECONDS: Final = 14 * 86_400


class Manual:
    """Asks nobody: an order waits for a fortnight until somebody approves or rejects it."""

    name: Final = "manual"

    async def open_checkout(self, purchase: Purchase) -> Checkout:  # noqa: ARG002  # the Protocol's
        """See `Provider.open_checkout`."""
        return Checkout(lapses_seconds=_LAPSES_SECONDS)
