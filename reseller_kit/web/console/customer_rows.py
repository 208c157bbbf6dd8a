"""Customers as the console's pages show them. Asks nobody."""

from __future__ import annotations

import datetime as dt

from ...core.days import local
from ...core.roles import may
from ...core.times import SECOND_US
from ...db.customer_desk import Found
from ...flows.customer_desk import CustomerDetail
from ...flows.identity.visit import new_token
from ...theming.console_customers import CaseLine, CustomerLine, CustomerPageView, KeyLine, NoteLine
from ...theming.console_orders import OrderLine
from ...theming.forms import FormView
from ..account.billing_rows import lot_row
from ..account.portal import call_rows
from ..members import Member
from ..sessions import restriction_of


def customer_view(
    detail: CustomerDetail, member: Member, groups: tuple[str, ...], action: str, form: FormView, done: str
) -> CustomerPageView:
    """The page of one customer."""
    one, zone = detail.customer, str(member.zone)
    known = {key.id: key.name or f"{key.prefix}…" for key in detail.keys}
    return CustomerPageView(
        line=customer_line(
            Found(
                customer=one, balance=detail.wallet.balance, reserved=detail.wallet.reserved, debt=detail.wallet.debt
            ),
            detail.spent,
            member,
        ),
        available=detail.available,
        reserved=detail.wallet.reserved,
        reason=one.suspend_reason or "",
        restricted=restriction_of(one) or "",
        until=None if one.suspended_until is None else _moment(one.suspended_until, member),
        lots=tuple(lot_row(lot, zone) for lot in detail.lots),
        keys=tuple(
            KeyLine(
                id=key.id,
                prefix=f"{key.prefix}…",
                name=key.name,
                used=None if key.last_used_at is None else _moment(key.last_used_at, member),
                expires=None if key.expires_at is None else _moment(key.expires_at, member),
            )
            for key in detail.keys
        ),
        orders=tuple(
            OrderLine(
                id=order.id,
                title=order.title,
                customer=one.email,
                customer_id=one.id,
                state=order.state,
                price=order.price_nano,
                at=_moment(order.created_at, member),
                provider=order.provider,
            )
            for order in detail.orders
        ),
        cases=tuple(
            CaseLine(id=case.id, subject=case.subject, state=case.state, at=_moment(case.created_at, member))
            for case in detail.cases
        ),
        calls=call_rows(detail.records, zone, known),
        notes=tuple(
            NoteLine(author=note.author, body=note.body, at=_moment(note.created_at, member)) for note in detail.notes
        ),
        groups=groups,
        may_edit=may(member.role, "customers", edit=True),
        may_credit=may(member.role, "credit", edit=True),
        request_key=new_token(),
        action=action,
        form=form,
        done=done,
    )


def customer_line(found: Found, spent: int, member: Member) -> CustomerLine:
    """A customer in the list."""
    one = found.customer
    return CustomerLine(
        id=one.id,
        email=one.email,
        name=one.name,
        status=one.status,
        balance=found.balance,
        debt=found.debt,
        spent=spent,
        since=_moment(one.created_at, member).date(),
        group=one.group_id or "",
        verified=one.verified_at is not None,
        restricted=restriction_of(one) is not None,
    )


def _moment(at: int, member: Member) -> dt.datetime:
    return local(at - at % SECOND_US, member.zone)
