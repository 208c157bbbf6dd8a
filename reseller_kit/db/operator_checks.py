"""The audit's checks as statements: each finds the rows that break an invariant of docs/proof.md. Runs none of them.

A check counts inside the database and returns offenders alone, so the ledger's size costs time but no memory. Those of
rows that every call writes are in `operator_span_checks`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, or_, select
from sqlalchemy.sql import Subquery

from . import tables as t
from .operator_audit import OPEN, WALLETS, Check, Rows, of_tenant
from .operator_checks_credit import credit_checks
from .operator_checks_orders import order_checks
from .operator_share_checks import share_checks

a, h, k, o, u, w = (
    t.account.c,
    t.hold.c,
    t.api_key.c,
    t.lot.c,
    t.usage_record.c,
    t.key_window.c,
)
Scope: TypeAlias = int | None


def checks(tenant_id: Scope, *, now: int, lease_us: int, first_id: str = "") -> list[Check]:
    """Every check that one statement can make. A lease renewed within `lease_us` before `now` is a live process.

    Calls with ids before `first_id` are archived, or about to be.
    """
    return [
        *_wallets(tenant_id, now),
        *_reservations(tenant_id),
        _dead_owners(tenant_id, now - lease_us),
        *_lots(tenant_id),
        *_references(tenant_id),
        *(_check(*found) for found in credit_checks(tenant_id, first_id)),
        *(_check(*found) for found in order_checks(tenant_id)),
        *share_checks(tenant_id),
    ]


def _check(code: str, invariant: int, message: str, statement: Rows) -> Check:
    return Check(code=code, invariant=invariant, message=message, statement=statement)


def _wallets(tenant_id: Scope, now: int) -> list[Check]:
    remaining = _sums(select(o.wallet_id.label("key"), func.sum(o.remaining_nano).label("total")).group_by(o.wallet_id))
    from_lots = _total(remaining) - a.debt_nano
    free = exists().where(
        o.wallet_id == a.id,
        o.remaining_nano > o.reserved_nano,
        or_(o.expires_at.is_(None), o.expires_at > now),
    )
    by_lots = _account_rows(a.balance_nano, from_lots).outerjoin(remaining, remaining.c.key == a.id)
    return [
        _check(
            "balance_differs_from_lots",
            2,
            "The wallet's balance is {found}, its lots less its debt are {expected}.",
            of_tenant(by_lots.where(a.kind == "customer_wallet", a.balance_nano != from_lots), t.account, tenant_id),
        ),
        _check(
            "debt_beside_free_credit",
            2,
            "The wallet owes {found} although it has free credit.",
            of_tenant(_account_rows(a.debt_nano, literal(0)).where(a.debt_nano > 0, free), t.account, tenant_id),
        ),
        _check(
            "sink_with_stored_balance",
            2,
            "The account is no wallet, yet a balance is stored with it.",
            of_tenant(
                select(a.id.label("ref")).where(
                    a.kind.not_in(WALLETS), or_(a.balance_nano != 0, a.reserved_nano != 0, a.debt_nano != 0)
                ),
                t.account,
                tenant_id,
            ),
        ),
    ]


def _reservations(tenant_id: Scope) -> list[Check]:
    is_open = h.state == OPEN
    retail = _sums(
        select(h.wallet_id.label("key"), func.sum(h.retail_nano).label("total")).where(is_open).group_by(h.wallet_id)
    )
    wholesale = _sums(
        select(h.reseller_wallet_id.label("key"), func.sum(h.wholesale_nano).label("total"))
        .where(is_open)
        .group_by(h.reseller_wallet_id)
    )
    lots = _sums(select(o.wallet_id.label("key"), func.sum(o.reserved_nano).label("total")).group_by(o.wallet_id))
    held = case((a.kind == "customer_wallet", _total(retail)), else_=_total(wholesale))
    by_holds = (
        _account_rows(a.reserved_nano, held)
        .outerjoin(retail, retail.c.key == a.id)
        .outerjoin(wholesale, wholesale.c.key == a.id)
    )
    by_lots = _account_rows(a.reserved_nano, _total(lots)).outerjoin(lots, lots.c.key == a.id)
    return [
        _check(
            "reserved_differs_from_holds",
            3,
            "The wallet has {found} reserved, its open holds sum to {expected}.",
            of_tenant(by_holds.where(a.kind.in_(WALLETS), a.reserved_nano != held), t.account, tenant_id),
        ),
        _check(
            "reserved_differs_from_lots",
            3,
            "The wallet has {found} reserved, its lots have {expected}.",
            of_tenant(
                by_lots.where(a.kind == "customer_wallet", a.reserved_nano != _total(lots)), t.account, tenant_id
            ),
        ),
        _windows(tenant_id),
    ]


def _windows(tenant_id: Scope) -> Check:
    held = (
        select(h.key_id, h.window_started_at, func.sum(h.retail_nano).label("total"))
        .where(h.state == OPEN)
        .group_by(h.key_id, h.window_started_at)
        .subquery()
    )
    statement = (
        select(w.key_id.label("ref"), w.reserved_nano.label("found"), _total(held).label("expected"))
        .select_from(t.key_window)
        .outerjoin(held, and_(held.c.key_id == w.key_id, held.c.window_started_at == w.started_at))
        .where(w.reserved_nano != _total(held))
    )
    text = "The key's period has {found} reserved, its open holds sum to {expected}."
    return _check("window_reserved_differs", 3, text, of_tenant(statement, t.key_window, tenant_id))


def _dead_owners(tenant_id: Scope, alive_since: int) -> Check:
    alive = exists().where(t.lease.c.owner == h.owner, t.lease.c.epoch == h.epoch, t.lease.c.renewed_at >= alive_since)
    statement = select(h.request_id.label("ref")).where(h.state == OPEN, h.kind == "call", ~alive)
    return _check(
        "hold_of_dead_owner",
        3,
        "The hold is open and no process lives that would settle it.",
        of_tenant(statement, t.hold, tenant_id),
    )


def _lots(tenant_id: Scope) -> list[Check]:
    parts = o.remaining_nano + o.consumed_nano + o.expired_nano + o.clawed_back_nano
    bounds = select(o.id.label("ref"), o.reserved_nano.label("found"), o.remaining_nano.label("expected")).where(
        or_(o.reserved_nano < 0, o.reserved_nano > o.remaining_nano, o.remaining_nano > o.amount_nano)
    )
    negative = or_(o.consumed_nano < 0, o.expired_nano < 0, o.clawed_back_nano < 0)
    whole = select(o.id.label("ref"), parts.label("found"), o.amount_nano.label("expected")).where(
        or_(parts != o.amount_nano, negative)
    )
    turned = select(o.id.label("ref")).where(o.used_up != (o.remaining_nano == 0))
    return [
        _check(
            "lot_used_up_differs",
            4,
            "It counts as used up, or not, against what remains.",
            of_tenant(turned, t.lot, tenant_id),
        ),
        _check(
            "lot_out_of_bounds",
            4,
            "{found} of {expected} remaining is reserved, or more remains than was granted.",
            of_tenant(bounds, t.lot, tenant_id),
        ),
        _check(
            "lot_parts_differ",
            5,
            "Its parts sum to {found}, granted were {expected}, or a part is negative.",
            of_tenant(whole, t.lot, tenant_id),
        ),
    ]


def _references(tenant_id: Scope) -> list[Check]:
    """What foreign keys would say of rows that have none for speed."""
    lots = select(o.id.label("ref")).where(~exists().where(a.id == o.wallet_id, a.tenant_id == o.tenant_id))
    windows = select(w.key_id.label("ref")).where(~exists().where(k.id == w.key_id, k.tenant_id == w.tenant_id))
    return [
        _check(
            "foreign_lot", 17, "The lot is in a wallet that is not its tenant's.", of_tenant(lots, t.lot, tenant_id)
        ),
        _check(
            "foreign_key_window",
            17,
            "The key's period is not of a key of its tenant.",
            of_tenant(windows, t.key_window, tenant_id),
        ),
    ]


def _sums(statement: Rows) -> Subquery:
    return statement.subquery()


def _total(sums: Subquery) -> ColumnElement[Any]:
    return func.coalesce(sums.c.total, 0)


def _account_rows(found: ColumnElement[Any], expected: ColumnElement[Any]) -> Rows:
    return select(a.id.label("ref"), found.label("found"), expected.label("expected")).select_from(t.account)
