"""Customers, their credit and their keys, for the management API: thin handlers over the flows of the console."""

from __future__ import annotations

from typing import Final, TypedDict

from msgspec import Struct

from ...core.errors import InvalidRequest
from ...core.lines import is_line
from ...core.money import format_amount, parse_amount
from ...core.times import HOUR_US
from ...db.customer_desk import Search
from ...flows import credits as credit_flow
from ...flows import customer_desk, grants, keys, shapes
from ...flows import customers as flow
from ...flows import documents as doc
from ...flows.keys import KeyTerms, LimitReset
from .endpoint import PAGE, Call, Endpoint, time_of

_STATUSES: Final = frozenset({"active", "suspended", "closing"})


class NewCustomer(Struct, frozen=True, forbid_unknown_fields=True):
    """A customer to be made; it is not mailed, but its `link` sets a password."""

    email: str
    name: str = ""


class Suspension(Struct, frozen=True, forbid_unknown_fields=True):
    """Why, and until when; left out: until it is resumed."""

    reason: str
    until: str | None = None


class NewGrant(Struct, frozen=True, forbid_unknown_fields=True):
    """Credit to give: an amount, or a package on offer."""

    reason: str
    amount: str | None = None
    package: str | None = None
    models: tuple[str, ...] = ()
    expires: str | None = None


class Adjustment(Struct, frozen=True, forbid_unknown_fields=True):
    """A correction: "-2.50" takes, "2.50" gives."""

    amount: str
    reason: str


class NewKey(Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made. `limit` in USD per period of `reset`, or for ever."""

    name: str = ""
    limit: str | None = None
    reset: LimitReset | None = None
    models: tuple[str, ...] = ()
    expires: str | None = None
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    allow_ips: tuple[str, ...] = ()


class Rotation(Struct, frozen=True, forbid_unknown_fields=True):
    """How many hours the old key works beside the new one."""

    overlap_hours: int = 0


class FoundCustomer(doc.Customer):
    """A customer with its balance, what it owes, and what it spent in 30 days."""

    balance: doc.Amount
    debt: doc.Amount
    spent_30_days: doc.Amount


class Customers(TypedDict):
    """A page of customers."""

    customers: list[FoundCustomer]
    next_cursor: str | None


class History(TypedDict):
    """A page of movements."""

    entries: list[doc.Movement]
    next_cursor: str | None


class Keys(TypedDict):
    """A page of keys."""

    keys: list[doc.Key]
    next_cursor: str | None


async def _list(call: Call) -> Customers:
    status = call.query.get("status")
    if status is not None and status not in _STATUSES:
        raise InvalidRequest("There is no such status.", param="status", fix=f"One of {', '.join(sorted(_STATUSES))}.")
    wanted = Search(text=call.query.get("q", "").strip()[:200], status=status)
    found = await customer_desk.find_customers(call.db, call.tenant_id, wanted, call.window())
    documents: list[FoundCustomer] = [
        {
            **shapes.customer(line.found.customer, call.slug),
            "balance": format_amount(line.found.balance),
            "debt": format_amount(line.found.debt),
            "spent_30_days": format_amount(line.spent),
        }
        for line in found.items
    ]
    return {"customers": documents, "next_cursor": found.next_cursor}


async def _create(call: Call) -> doc.Customer:
    body: NewCustomer = call.body
    made = await flow.create_customer(
        call.db,
        call.vault,
        tenant_slug=call.slug,
        email=body.email,
        name=text(body.name, "name", 100, needed=False),
        actor=call.actor,
        port=call.port,
    )
    return shapes.customer(made.customer, call.slug, made.link)


async def _show(call: Call) -> doc.Customer:
    return shapes.customer(await flow.show_customer(call.db, call.slug, call.path["customer"]), call.slug)


async def _suspend(call: Call) -> doc.Customer:
    body: Suspension = call.body
    reason, until = text(body.reason, "reason"), time_of(body.until, "until")
    row = await flow.suspend_customer(call.db, call.slug, call.path["customer"], reason, call.actor, until=until)
    return shapes.customer(row, call.slug)


async def _resume(call: Call) -> doc.Customer:
    return shapes.customer(await flow.resume_customer(call.db, call.slug, call.path["customer"], call.actor), call.slug)


async def _balance(call: Call) -> doc.Balance:
    return shapes.credit_balance(await credit_flow.credit_balance(call.db, call.slug, call.path["customer"]))


async def _history(call: Call) -> History:
    page = await credit_flow.credit_history(call.db, call.slug, call.path["customer"], call.window())
    return {"entries": [shapes.history_line(row) for row in page.items], "next_cursor": page.next_cursor}


async def _grant(call: Call) -> doc.Posted:
    body: NewGrant = call.body
    terms = grants.GrantTerms(models=body.models, expires_at=time_of(body.expires, "expires"), package=body.package)
    made = await grants.grant_credit(
        call.db,
        tenant_slug=call.slug,
        customer=call.path["customer"],
        amount=None if body.amount is None else parse_amount(body.amount),
        reason=text(body.reason, "reason"),
        terms=terms,
        idempotency_key=call.once,
        actor=call.actor,
    )
    return shapes.posted(made)


async def _adjust(call: Call) -> doc.Posted:
    body: Adjustment = call.body
    made = await credit_flow.adjust_credit(
        call.db,
        tenant_slug=call.slug,
        customer=call.path["customer"],
        amount=parse_amount(body.amount, negative=True),
        reason=text(body.reason, "reason"),
        idempotency_key=call.once,
        actor=call.actor,
    )
    return shapes.posted(made)


async def _keys(call: Call) -> Keys:
    customer = call.query.get("customer") or None
    page = await keys.list_keys(call.db, call.slug, customer, call.window())
    return {"keys": [shapes.key(view.owned, use=view.use) for view in page.items], "next_cursor": page.next_cursor}


async def _create_key(call: Call) -> doc.Key:
    body: NewKey = call.body
    terms = KeyTerms(
        name=text(body.name, "name", 100, needed=False),
        limit=None if body.limit is None else parse_amount(body.limit),
        reset=body.reset,
        models=body.models,
        expires_at=time_of(body.expires, "expires"),
        requests_per_minute=body.rpm,
        tokens_per_minute=body.tpm,
        concurrent_requests=body.concurrency,
        allow_ips=body.allow_ips,
    )
    new = await keys.create_key(
        call.db, call.vault, tenant_slug=call.slug, customer=call.path["customer"], terms=terms, actor=call.actor
    )
    return shapes.key(new.owned, new.secret, new.use)


async def _show_key(call: Call) -> doc.Key:
    view = await keys.show_key(call.db, call.path["key"], call.slug)
    return shapes.key(view.owned, use=view.use)


async def _rotate_key(call: Call) -> doc.Key:
    body: Rotation = call.body
    overlap = body.overlap_hours * HOUR_US
    new = await keys.rotate_key(call.db, call.vault, call.path["key"], call.slug, call.actor, overlap=overlap)
    return shapes.key(new.owned, new.secret, new.use)


async def _revoke_key(call: Call) -> doc.Key:
    return shapes.key(await keys.revoke_key(call.db, call.path["key"], call.slug, call.actor))


def text(value: str, name: str, longest: int = 200, *, needed: bool = True) -> str:
    """A text of one line. Raises InvalidRequest, naming the field."""
    line = value.strip()
    if (needed and not line) or len(line) > longest or not is_line(line):
        raise InvalidRequest(
            f"The field {name} has to be one line of at most {longest} characters.", param=name, fix="Correct it."
        )
    return line


_ONE: Final = "/customers/{customer}"
CUSTOMERS: Final = (
    Endpoint(
        method="GET",
        path="/customers",
        scope="customers:read",
        summary="Customers, newest first; q finds by address, name, id or key.",
        handle=_list,
        query=("q", "status", *PAGE),
    ),
    Endpoint(
        method="POST",
        path="/customers",
        scope="customers:write",
        summary="Make a customer. Its link sets a password.",
        handle=_create,
        body=NewCustomer,
        status=201,
    ),
    Endpoint(method="GET", path=_ONE, scope="customers:read", summary="One customer, by id or e-mail.", handle=_show),
    Endpoint(
        method="POST",
        path=f"{_ONE}/suspend",
        scope="customers:write",
        summary="Refuse a customer's calls, for a time or until it is resumed.",
        handle=_suspend,
        body=Suspension,
    ),
    Endpoint(
        method="POST",
        path=f"{_ONE}/resume",
        scope="customers:write",
        summary="Let a suspended customer call again.",
        handle=_resume,
    ),
    Endpoint(
        method="GET",
        path=f"{_ONE}/credit",
        scope="credits",
        summary="A customer's balance, with its lots.",
        handle=_balance,
    ),
    Endpoint(
        method="GET",
        path=f"{_ONE}/credit/history",
        scope="credits",
        summary="Movements of a customer's credit, newest first.",
        handle=_history,
        query=PAGE,
    ),
    Endpoint(
        method="POST",
        path=f"{_ONE}/credit/grants",
        scope="credits",
        summary="Give credit.",
        handle=_grant,
        body=NewGrant,
        status=201,
    ),
    Endpoint(
        method="POST",
        path=f"{_ONE}/credit/adjustments",
        scope="credits",
        summary="Correct credit, up or down.",
        handle=_adjust,
        body=Adjustment,
        status=201,
    ),
    Endpoint(
        method="POST",
        path=f"{_ONE}/keys",
        scope="keys",
        summary="Make a key for a customer. It is shown in this answer alone.",
        handle=_create_key,
        body=NewKey,
        status=201,
    ),
    Endpoint(
        method="GET",
        path="/keys",
        scope="keys",
        summary="Keys, newest first; all, or one customer's.",
        handle=_keys,
        query=("customer", *PAGE),
    ),
    Endpoint(method="GET", path="/keys/{key}", scope="keys", summary="One key, with what it spent.", handle=_show_key),
    Endpoint(
        method="POST",
        path="/keys/{key}/rotate",
        scope="keys",
        summary="A new key with the same terms in the place of an old one.",
        handle=_rotate_key,
        body=Rotation,
        status=201,
    ),
    Endpoint(
        method="POST", path="/keys/{key}/revoke", scope="keys", summary="Refuse a key for good.", handle=_revoke_key
    ),
)
