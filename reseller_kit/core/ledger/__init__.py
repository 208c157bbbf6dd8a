"""Ledger decisions: what a grant, hold, settle, refund or correction does to wallets, lots and key windows.

Pure functions over state that the caller has locked and loaded; they decide and change that state in memory, and
the caller writes it down in the same transaction. A refused operation leaves the state as it was.
"""

from .clawback import Clawback, Clawed, claw_back, refund_target
from .corrections import DEBT, CallReversal, charged_parts, overage_parts, reverse_call
from .decide import call_txn_id, capture, place_hold, void
from .floors import Floors
from .lots import accrual, accrue, cash_of, return_cash
from .move import expire_lots, grant, move_wholesale, take_back
from .refunds import RefundRequest, consume_refund, hold_refund, release_refund
from .state import (
    NO_WINDOW,
    PAID_KINDS,
    WALLET_KINDS,
    Capture,
    Entry,
    Grant,
    Hold,
    HoldRefused,
    HoldRequest,
    HoldTerms,
    KeyWindow,
    Lot,
    LotKind,
    Posting,
    TakeBack,
    Txn,
    Wallet,
    WholesaleMove,
    available,
    burn_order,
    day_of,
    left_today,
)
from .vouchers import Redemption, Voucher, redeem, unknown_code

__all__ = [
    "DEBT",
    "NO_WINDOW",
    "PAID_KINDS",
    "WALLET_KINDS",
    "CallReversal",
    "Capture",
    "Clawback",
    "Clawed",
    "Entry",
    "Floors",
    "Grant",
    "Hold",
    "HoldRefused",
    "HoldRequest",
    "HoldTerms",
    "KeyWindow",
    "Lot",
    "LotKind",
    "Posting",
    "Redemption",
    "RefundRequest",
    "TakeBack",
    "Txn",
    "Voucher",
    "Wallet",
    "WholesaleMove",
    "accrual",
    "accrue",
    "available",
    "burn_order",
    "call_txn_id",
    "capture",
    "cash_of",
    "charged_parts",
    "claw_back",
    "consume_refund",
    "day_of",
    "expire_lots",
    "grant",
    "hold_refund",
    "left_today",
    "move_wholesale",
    "overage_parts",
    "place_hold",
    "redeem",
    "refund_target",
    "release_refund",
    "return_cash",
    "reverse_call",
    "take_back",
    "unknown_code",
    "void",
]
