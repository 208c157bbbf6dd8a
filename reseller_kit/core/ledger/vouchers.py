"""Redeeming a voucher: one grant for one customer, as often as the voucher allows. Knows no code, only its row."""

from __future__ import annotations

from msgspec import Struct

from ..errors import Conflict, NotFound
from ..times import DAY_US
from .move import grant
from .state import Grant, Posting, Wallet


class Voucher(Struct, kw_only=True):
    """A voucher as stored; `valid_days` is how long its credit lasts, `expires_at` until when it can be redeemed."""

    id: str
    tenant_id: int
    amount: int
    models: tuple[str, ...]
    valid_days: int | None
    expires_at: int | None
    max_redemptions: int
    redeemed: int
    revoked_at: int | None


class Redemption(Struct, frozen=True, kw_only=True):
    """A customer who gives a voucher's code."""

    voucher_id: str
    customer_id: str
    tenant_id: int
    wallet_id: int
    lot_id: str
    txn_id: str
    at: int


def unknown_code() -> NotFound:
    """What a code is answered with that is mistyped, revoked, expired or another storefront's: all look the same."""
    return NotFound("There is no such voucher code.", fix="Check the code for a typing error.")


def redeem(request: Redemption, voucher: Voucher | None, wallet: Wallet, *, repeated: bool) -> Posting:
    """Grant the voucher's credit; `repeated` when this customer has redeemed it before.

    Raises NotFound as `unknown_code`, and Conflict when it was redeemed by this customer or as often as it may be.
    """
    if (
        voucher is None
        or voucher.tenant_id != request.tenant_id
        or voucher.revoked_at is not None
        or (voucher.expires_at is not None and voucher.expires_at <= request.at)
    ):
        raise unknown_code()
    if repeated:
        raise Conflict("You have redeemed this voucher already.", fix="A voucher counts once for each customer.")
    if voucher.redeemed >= voucher.max_redemptions:
        raise Conflict("This voucher has been used up.", fix="Ask for another one where you got it.")
    posting = grant(
        Grant(
            lot_id=request.lot_id,
            txn_id=request.txn_id,
            tenant_id=request.tenant_id,
            wallet_id=request.wallet_id,
            kind="voucher",
            amount=voucher.amount,
            at=request.at,
            ref=voucher.id,
            expires_at=None if voucher.valid_days is None else request.at + voucher.valid_days * DAY_US,
            models=voucher.models,
        ),
        wallet,
    )
    voucher.redeemed += 1
    return posting
