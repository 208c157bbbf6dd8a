"""Bank transfer, cash, an invoice: the customer pays outside, and the reseller or operator confirms it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from typing import Final

from ..core.errors import NotFound
from ..core.payment import Adjustment, Fact, Pin
from .base import Checkout, Delivery, Purchase, RefundWanted

_LAPSES_SECONDS: Final = 14 * 86_400


class Manual:
    """Asks nobody: an order waits for a fortnight until somebody approves or rejects it."""

    name: Final = "manual"

    def pin(self, purchase: Purchase) -> Pin | None:  # noqa: ARG002
        """Somebody's word is all there is."""
        return None

    async def open_checkout(self, purchase: Purchase) -> Checkout:  # noqa: ARG002  # the Protocol's
        """See `Provider.open_checkout`."""
        return Checkout(lapses_seconds=_LAPSES_SECONDS)

    def verify(self, body: bytes, headers: Mapping[str, str], now: int) -> Delivery:  # noqa: ARG002
        """Nobody sends anything."""
        raise NotFound("There is nothing here.")

    def is_sure(self, fact: Fact) -> bool:  # noqa: ARG002  # the Protocol's
        """Nobody else is paid here."""
        return True

    async def facts(self, since: int) -> AsyncIterator[Fact]:  # noqa: ARG002
        """Nobody can be asked."""
        nothing: tuple[Fact, ...] = ()
        for one in nothing:
            yield one

    async def fact(self, payment_ref: str) -> Fact | None:  # noqa: ARG002
        """Nobody can be asked."""
        return None

    async def refund(self, wanted: RefundWanted) -> Adjustment:
        """Whoever asks for it has given the money back outside."""
        now = time.time_ns() // 1_000
        return Adjustment(
            ref=wanted.reference,
            payment_ref=wanted.payment_ref,
            kind="refund",
            status="approved",
            occurred_at=now,
            created_at=now,
            currency=wanted.currency,
            total=wanted.paid if wanted.minor is None else wanted.minor,
            reason=wanted.reason,
        )
