"""Ledger decisions: what a grant, hold, settle or void does to wallets, lots and key windows.

Pure functions over state that the caller has locked and loaded; they decide and change that state in memory, and
the caller writes it down in the same transaction. A refused operation leaves the state as it was.
"""

from .decide import call_txn_id, capture, place_hold, void
from .move import expire_lots, grant, move_wholesale, take_back
from .state import (
    NO_WINDOW,
    Capture,
    Entry,
    Grant,
    Hold,
    HoldRefused,
    HoldRequest,
    HoldTerms,
    KeyWindow,
    Lot,
    Posting,
    TakeBack,
    Txn,
    Wallet,
    WholesaleMove,
    available,
    burn_order,
)

__all__ = [
    "NO_WINDOW",
    "Capture",
    "Entry",
    "Grant",
    "Hold",
    "HoldRefused",
    "HoldRequest",
    "HoldTerms",
    "KeyWindow",
    "Lot",
    "Posting",
    "TakeBack",
    "Txn",
    "Wallet",
    "WholesaleMove",
    "available",
    "burn_order",
    "call_txn_id",
    "capture",
    "expire_lots",
    "grant",
    "move_wholesale",
    "place_hold",
    "take_back",
    "void",
]
