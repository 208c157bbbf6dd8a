"""The audit's checks of what every call writes, as statements over a span of ids. Runs none of them.

The audit runs them where a span's counts do not prove that all is right, and then they name each offender.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from sqlalchemy import and_, exists, func, or_, select

from . import tables as t
from .accounts import DRAWN_ON
from .operator_audit import Check, Rows, of_tenant
from .operator_calls import Span

a, e, h, p, u, x = t.account.c, t.entry.c, t.hold.c, t.payout.c, t.usage_record.c, t.txn.c
Scope: TypeAlias = int | None
_DRAWN_ON: Final = tuple(DRAWN_ON.values())


def span_checks(tenant_id: Scope, span: Span) -> list[Check]:
    """Every check of the rows in a span; where calls are archived, those of transactions and of holds by themselves."""
    return [
        *_transactions(tenant_id, span),
        *_references(tenant_id, span),
        *_refund_holds(tenant_id, span),
        *([] if span.archived else _resolutions(tenant_id, span)),
    ]


def unknown_payouts(tenant_id: Scope, span: Span) -> Check:
    """Payouts in a span that nobody asked for."""
    paid = select(x.id.label("ref")).where(x.code == "payout", ~exists().where(p.txn_id == x.id))
    paid = of_tenant(paid.where(span.transactions(x.id)), t.txn, tenant_id)
    return _check("payout_unknown", 1, "It pays out what nobody asked for.", paid)


def _check(code: str, invariant: int, message: str, statement: Rows) -> Check:
    return Check(code=code, invariant=invariant, message=message, statement=statement)


def _transactions(tenant_id: Scope, span: Span) -> list[Check]:
    total = func.sum(e.amount_nano)
    sums = select(e.txn_id.label("ref"), total.label("found")).where(span.transactions(e.txn_id))
    sums = sums.group_by(e.txn_id).having(total != 0)
    strays = select(e.txn_id.label("ref")).outerjoin(t.txn, x.id == e.txn_id)
    strays = strays.where(x.id.is_(None), span.transactions(e.txn_id)).distinct()
    empty = select(x.id.label("ref")).where(span.transactions(x.id), ~exists().where(e.txn_id == x.id))
    return [
        _check(
            "transaction_unbalanced", 1, "Its entries sum to {found}, not to zero.", of_tenant(sums, t.entry, tenant_id)
        ),
        _check(
            "entry_without_transaction", 1, "It has entries but no transaction.", of_tenant(strays, t.entry, tenant_id)
        ),
        _check("transaction_without_entries", 1, "It has no entries.", of_tenant(empty, t.txn, tenant_id)),
    ]


def _references(tenant_id: Scope, span: Span) -> list[Check]:
    """What foreign keys would say of the rows that every call writes, which have none for speed."""
    found = []
    for table, ref, within, matches, text in (
        (
            t.entry,
            e.txn_id,
            span.transactions(e.txn_id),
            and_(a.id == e.account_id, a.tenant_id == e.tenant_id),
            "An entry is on an account that is not its tenant's.",
        ),
        (
            t.hold,
            h.request_id,
            span.calls(h.request_id),
            and_(a.id == h.wallet_id, a.tenant_id == h.tenant_id, a.owner == h.customer_id),
            "The hold is on a wallet that is not its customer's.",
        ),
        (
            t.hold,
            h.request_id,
            span.calls(h.request_id),
            and_(a.id == h.reseller_wallet_id, a.tenant_id == h.tenant_id, a.kind.in_(_DRAWN_ON)),
            "The hold is on a wholesale wallet that is not its tenant's.",
        ),
    ):
        statement = select(ref.label("ref")).where(within, ~exists().where(matches)).distinct()
        found.append(_check("foreign_account", 17, text, of_tenant(statement, table, tenant_id)))
    lines = select(e.txn_id.label("ref")).join(t.txn, x.id == e.txn_id)
    lines = lines.where(span.transactions(e.txn_id), x.tenant_id != e.tenant_id).distinct()
    return [
        *found,
        _check(
            "foreign_entry",
            17,
            "An entry names another tenant than its transaction.",
            of_tenant(lines, t.entry, tenant_id),
        ),
    ]


def _refund_holds(tenant_id: Scope, span: Span) -> list[Check]:
    strange = select(h.request_id.label("ref")).where(
        span.calls(h.request_id), h.kind == "refund", or_(h.wholesale_nano != 0, h.key_id != "", h.retail_nano < 0)
    )
    kinds = select(h.request_id.label("ref")).where(span.calls(h.request_id), h.kind.not_in(("call", "refund")))
    return [
        _check(
            "refund_hold_malformed",
            3,
            "The hold of a refund reserves more than credit.",
            of_tenant(strange, t.hold, tenant_id),
        ),
        _check(
            "hold_of_unknown_kind",
            3,
            "The hold is neither a call's nor a refund's.",
            of_tenant(kinds, t.hold, tenant_id),
        ),
    ]


def _resolutions(tenant_id: Scope, span: Span) -> list[Check]:
    joined = select(h.request_id.label("ref")).join(t.usage_record, u.id == h.request_id)
    joined = joined.where(span.calls(h.request_id))
    nothing = and_(u.retail_nano == 0, u.wholesale_nano == 0, u.cost_nano == 0)
    without_hold = select(u.id.label("ref")).where(span.calls(u.id), ~exists().where(h.request_id == u.id))
    without_usage = select(h.request_id.label("ref")).where(
        span.calls(h.request_id), h.kind == "call", h.state != "open", ~exists().where(u.id == h.request_id)
    )
    other_party = or_(h.tenant_id != u.tenant_id, h.customer_id != u.customer_id, h.key_id != u.key_id)
    return [
        _check(
            "usage_without_hold", 8, "The usage record has no hold.", of_tenant(without_hold, t.usage_record, tenant_id)
        ),
        _check(
            "hold_without_usage",
            8,
            "The hold is resolved and has no usage record.",
            of_tenant(without_usage, t.hold, tenant_id),
        ),
        _check(
            "usage_of_open_hold",
            8,
            "The call has a usage record and its hold is open.",
            of_tenant(joined.where(h.state == "open"), t.hold, tenant_id),
        ),
        _check(
            "hold_state_differs",
            8,
            "A hold is captured if, and only if, its usage record has a charge.",
            of_tenant(
                joined.where(
                    or_(and_(h.state == "captured", nothing), and_(h.state.in_(("voided", "expired")), ~nothing))
                ),
                t.hold,
                tenant_id,
            ),
        ),
        _check(
            "usage_of_other_party",
            8,
            "The hold and its usage record name different parties.",
            of_tenant(joined.where(other_party), t.hold, tenant_id),
        ),
    ]
