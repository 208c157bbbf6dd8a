"""The ledger's transactions: group-committed holds, settles, grants and deposits on either database."""

from .cold import ClawBack, HoldRefund, RedeemVoucher, ResolveRefund, ReverseCall
from .items import (
    AccrueCash,
    Checkpoint,
    ExpireLots,
    GrantCredit,
    Idempotency,
    Item,
    MoveWholesale,
    Outcome,
    PayOut,
    PlaceHold,
    Posted,
    Settle,
    Settled,
    TakeCredit,
    UsageRow,
)
from .store import LostLease
from .writer import LedgerWriter, is_away, new_owner, open_writer

__all__ = [
    "AccrueCash",
    "Checkpoint",
    "ClawBack",
    "ExpireLots",
    "GrantCredit",
    "HoldRefund",
    "Idempotency",
    "Item",
    "LedgerWriter",
    "LostLease",
    "MoveWholesale",
    "Outcome",
    "PayOut",
    "PlaceHold",
    "Posted",
    "RedeemVoucher",
    "ResolveRefund",
    "ReverseCall",
    "Settle",
    "Settled",
    "TakeCredit",
    "UsageRow",
    "is_away",
    "new_owner",
    "open_writer",
]
