"""The audit's checks of revenue shares and payouts as statements. Runs none of them."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from . import tables as t
from .operator_audit import Check, Rows, of_tenant

_CODES_OF_CALLS: Final = ("call", "accrual")

a, e, h, o, p, u, w, x = (
    t.account.c,
    t.entry.c,
    t.hold.c,
    t.lot.c,
    t.payout.c,
    t.usage_record.c,
    t.archived_usage.c,
    t.txn.c,
)


def share_checks(tenant_id: int | None, first_id: str = "") -> list[Check]:
    """A share is its lots' accrued cash less its calls' wholesale, and what was paid in or out; payouts are posted.

    Of calls with ids before `first_id` there is only what their archives say.
    """
    shares = a.kind == "reseller_accrual"
    cash = _posted(x.code == "accrual")
    accrued = _total(select(func.sum(o.accrued_nano)).where(o.tenant_id == a.tenant_id))
    live = select(func.sum(u.wholesale_nano)).join(t.hold, h.request_id == u.id)
    charged = _total(live.where(h.reseller_wallet_id == a.id, u.id >= first_id))
    charged += _total(select(func.sum(w.wholesale_nano)).where(w.reseller_wallet_id == a.id))
    due = accrued - charged + _posted(x.code.not_in(_CODES_OF_CALLS))
    lots = select(o.id.label("ref"), o.accrued_nano.label("found"), o.cash_nano.label("expected"))
    credited = select(a.id.label("ref"), cash.label("found"), accrued.label("expected"))
    balances = select(a.id.label("ref"), a.balance_nano.label("found"), due.label("expected"))
    paying = exists().where(e.txn_id == p.txn_id, e.account_id == a.id, shares, e.amount_nano == -p.amount_nano)
    is_posted = p.state.in_(("approved", "paid"))
    amiss = or_(and_(is_posted, ~paying), and_(~is_posted, p.txn_id.is_not(None)))
    return [
        _check(
            "accrued_beyond_cash",
            5,
            "{found} accrued of a lot behind which there are {expected}.",
            of_tenant(lots.where(or_(o.accrued_nano < 0, o.accrued_nano > o.cash_nano)), t.lot, tenant_id),
        ),
        _check(
            "share_differs_from_lots",
            2,
            "The reseller was credited with {found} of customers' cash, the lots say {expected}.",
            of_tenant(credited.where(shares, cash != accrued), t.account, tenant_id),
        ),
        _check(
            "share_differs",
            2,
            "The share is {found}; its lots' cash, calls, deposits and payouts come to {expected}.",
            of_tenant(balances.where(shares, a.balance_nano != due), t.account, tenant_id),
        ),
        _check(
            "payout_differs",
            1,
            "The payout's state and amount are not those of what was posted.",
            of_tenant(select(p.id.label("ref")).where(amiss), t.payout, tenant_id),
        ),
        _check(
            "payout_unknown",
            1,
            "It pays out what nobody asked for.",
            of_tenant(
                select(x.id.label("ref")).where(x.code == "payout", ~exists().where(p.txn_id == x.id)), t.txn, tenant_id
            ),
        ),
    ]


def _check(code: str, invariant: int, message: str, statement: Rows) -> Check:
    return Check(code=code, invariant=invariant, message=message, statement=statement)


def _posted(codes: ColumnElement[bool]) -> ColumnElement[Any]:
    """What the entries of such transactions on the account at hand sum to."""
    return _total(select(func.sum(e.amount_nano)).join(t.txn, x.id == e.txn_id).where(e.account_id == a.id, codes))


def _total(sums: Rows) -> ColumnElement[Any]:
    return func.coalesce(sums.correlate(t.account).scalar_subquery(), 0)
