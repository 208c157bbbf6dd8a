"""What an item must fulfil before it is decided: it is of the present, its parts speak of one call. Changes nothing."""

from __future__ import annotations

from typing import Final

from ...core.errors import LedgerFault
from ...core.ledger import NO_WINDOW, Hold
from .items import Settle

_CLOCKS_DIFFER_US: Final = 60_000_000


def require_present(txn_id: str, at: int, now: int) -> None:
    """Raises LedgerFault for what is dated after the moment at which it is written."""
    if at > now + _CLOCKS_DIFFER_US:
        raise LedgerFault(f"{txn_id}: it is dated in the future")


def require_same_call(item: Settle, hold: Hold) -> None:
    """Raises LedgerFault when a settle, its usage record and its hold do not speak of one call and one charge."""
    charge, usage = item.capture, item.usage
    window = None if hold.window_started_at == NO_WINDOW else (hold.key_id, hold.window_started_at)
    if (
        item.wallet_id != hold.wallet_id
        or item.reseller_wallet_id != hold.reseller_wallet_id
        or item.window != window
        or usage.id != hold.request_id
        or usage.tenant_id != hold.tenant_id
        or usage.customer_id != hold.customer_id
        or usage.key_id != hold.key_id
        or usage.retail_nano != charge.retail
        or usage.wholesale_nano != charge.wholesale
        or usage.cost_nano != charge.cost
    ):
        raise LedgerFault(f"{hold.request_id}: the settle or its usage record is not that of the hold")
