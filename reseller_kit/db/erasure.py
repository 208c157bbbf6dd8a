"""What names a person in a storefront's rows, and how it is taken out of them. Decides no date and moves no money.

What money has touched stays, under an id that names nobody: ledger, usage, orders and the numbers of receipts.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, Table, Text, cast, delete, false, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t
from .tables.base import Document

GONE: Final[tuple[Table, ...]] = (
    t.customer_login,
    t.customer_session,
    t.passkey,
    t.recovery_code,
    t.challenge,
    t.known_device,
    t.customer_link,
    t.customer_note,
    t.credit_alert,
    t.spend_alert,
    t.stored_response,
    t.mail_opt_out,
)
"""Tables whose rows of a customer go."""

ALTERED: Final = frozenset(
    {
        "abuse_report",
        "api_key",
        "audit_log",
        "customer",
        "inbox",
        "order_event",
        "outbox",
        "payment_fact",
        "payment_refund",
        "purchase_order",
        "receipt",
        "subscription",
        "support_case",
        "support_message",
    }
)
"""Tables whose rows stay, without what names the person."""

_WORDS: Final = frozenset({"email", "name", "reason", "note", "answer", "appeal", "body", "subject", "said"})
"""Members of what the audit log says of a customer that people have written."""
_WORDED: Final = ("customer.", "abuse.", "support.")
_CHUNK: Final = 500


class Person(Struct, frozen=True, kw_only=True):
    """Whose data it is: the account, every address that it is known to have had, and its name."""

    id: str
    wallet_id: int
    status: str
    name: str
    addresses: tuple[str, ...]

    @property
    def nobody(self) -> str:
        """The address that stands in for theirs."""
        return f"{self.id.lower()}@deleted.invalid"


async def person(connection: AsyncConnection, tenant_id: int, customer_id: str) -> Person | None:
    """The tenant's customer, locked until the transaction ends; earlier addresses come from the audit log and links."""
    c, a, link = t.customer.c, t.audit_log.c, t.customer_link.c
    mine = select(c.wallet_id, c.status, c.name, c.email).where(c.tenant_id == tenant_id, c.id == customer_id)
    row = (await connection.execute(mine.with_for_update())).one_or_none()
    if row is None:
        return None
    said = select(a.before, a.after).where(a.tenant_id == tenant_id, a.kind == "customer", a.ref == customer_id)
    changed = select(link.detail).where(link.tenant_id == tenant_id, link.customer_id == customer_id)
    found = [document for both in await connection.execute(said) for document in both]
    found += list(await connection.scalars(changed))
    addresses = [row.email, *(str(one["email"]) for one in found if isinstance(one, dict) and one.get("email"))]
    real = [address for address in addresses if not address.endswith(".invalid")]
    return Person(
        id=customer_id,
        wallet_id=row.wallet_id,
        status=row.status,
        name=row.name,
        addresses=tuple(dict.fromkeys(real)),
    )


async def erase(
    connection: AsyncConnection, tenant_id: int, who: Person, now: int, *, receipts: bool
) -> dict[str, int]:
    """Take the person out of every row; how many rows by table. `receipts`: also out of those that were issued.

    Its keys are revoked and its subscriptions end. Repeating is harmless.
    """
    counts: dict[str, int] = {}
    for name, rows in [
        *[(table.name, await _drop(connection, tenant_id, table, who)) for table in GONE],
        *(await _cases(connection, tenant_id, who)),
        *(await _mails(connection, tenant_id, who, now)),
        *(await _payments(connection, tenant_id, who, receipts=receipts)),
        ("audit_log", await _audit(connection, tenant_id, who)),
        *(await _account(connection, tenant_id, who, now)),
    ]:
        counts[name] = counts.get(name, 0) + rows
    return {name: rows for name, rows in sorted(counts.items()) if rows}


async def traces(connection: AsyncConnection, tenant_id: int, who: Person) -> dict[str, int]:
    """Rows by table that still hold one of the person's addresses; of the ledger only those of its own account."""
    found = {}
    for table in t.metadata.sorted_tables:
        if "tenant_id" not in table.c or table.name in COUNTED_ONLY or not _worded(table):
            continue
        within: tuple[ColumnElement[bool], ...] = (table.c.tenant_id == tenant_id, _holds(table, who))
        if "wallet_id" in table.c:
            within = (table.c.wallet_id == who.wallet_id, *within)
        rows = (await connection.execute(select(*_worded(table)).where(*within))).all()
        named = sum(_names(who, *row) for row in rows)
        if named:
            found[table.name] = named
    return found


COUNTED_ONLY: Final = frozenset(
    {
        "archived_usage",
        "archived_window",
        "entry",
        "hold",
        "key_window",
        "lot_day",
        "model_day",
        "overage",
        "price_version",
        "stored_response",
        "usage_record",
        "usage_rollup",
        "usage_total",
    }
)
"""Tables that hold ids, amounts and names of models: nobody writes words into them, and they have a row a call."""


def _holds(table: Table, who: Person) -> ColumnElement[bool]:
    return or_(false(), *(_mentions(column, who) for column in _worded(table)))


def _worded(table: Table) -> list[Any]:
    return [column for column in table.c if isinstance(column.type, Text) or column.type is Document]


def _names(who: Person, *values: Any) -> bool:
    """Whether one of the values has an address of the person's, and not only one that ends or begins like it."""
    pattern = _pattern(who.addresses)
    return any(pattern.search(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) for one in values)


def _mentions(column: Any, who: Person) -> ColumnElement[bool]:
    """SQLite keeps JSON in ASCII, so an address beyond that is looked for as it is spelled there, too."""
    spelled = {form for one in who.addresses for form in (one, json.dumps(one)[1:-1])}
    lowered = func.lower(cast(column, Text))
    return or_(false(), *(lowered.contains(one.lower(), autoescape=True) for one in sorted(spelled)))


async def _drop(connection: AsyncConnection, tenant_id: int, table: Table, who: Person) -> int:
    mine = (table.c.tenant_id == tenant_id, table.c.customer_id == who.id)
    return (await connection.execute(delete(table).where(*mine))).rowcount


async def _cases(connection: AsyncConnection, tenant_id: int, who: Person) -> list[tuple[str, int]]:
    """Also those that came through the public form from one of the person's addresses."""
    case, said, r = t.support_case.c, t.support_message.c, t.abuse_report.c
    public = case.customer_id.is_(None) & func.lower(case.email).in_(who.addresses)
    own = (case.tenant_id == tenant_id, or_(case.customer_id == who.id, public))
    of_own = said.case_id.in_(select(case.id).where(*own))
    messages = await connection.execute(delete(t.support_message).where(said.tenant_id == tenant_id, of_own))
    blank = {"email": who.nobody, "name": "", "subject": "", "about": "", "state": "closed"}
    cases = await connection.execute(update(t.support_case).where(*own).values(blank))
    mine = (r.tenant_id == tenant_id, r.customer_id == who.id)
    reports = await connection.execute(update(t.abuse_report).where(*mine).values(appeal="", answer=""))
    return [
        ("support_message", messages.rowcount),
        ("support_case", cases.rowcount),
        ("abuse_report", reports.rowcount),
    ]


async def _mails(connection: AsyncConnection, tenant_id: int, who: Person, now: int) -> list[tuple[str, int]]:
    """Mails to the person, and what the team was told of them: who wrote, who ordered."""
    m = t.outbox.c
    mine = (m.tenant_id == tenant_id, m.recipient.in_(who.addresses))
    unsent = {"sent_at": now, "claim": None, "last_error": "The account was deleted before it was sent."}
    about = (m.tenant_id == tenant_id, m.recipient.not_in(who.addresses), _mentions(m.payload, who))
    told = [
        row.id for row in await connection.execute(select(m.id, m.payload).where(*about)) if _names(who, row.payload)
    ]
    await connection.execute(update(t.outbox).where(m.tenant_id == tenant_id, m.id.in_(told)).values(payload={}))
    await connection.execute(update(t.outbox).where(*mine, m.sent_at.is_(None)).values(unsent))
    sent = await connection.execute(update(t.outbox).where(*mine).values(recipient=who.nobody, payload={}))
    return [("outbox", len(told) + sent.rowcount)]


async def _payments(
    connection: AsyncConnection, tenant_id: int, who: Person, *, receipts: bool
) -> list[tuple[str, int]]:
    """What people wrote beside orders, raw bodies of deliveries, and, if asked for, the buyer on receipts.

    Bodies that tell nothing of money name their customer only inside, so all of those go.
    """
    i, f, r, e = t.inbox.c, t.payment_fact.c, t.receipt.c, t.order_event.c
    mine = _orders(tenant_id, who)
    facts = select(f.ref).where(f.tenant_id == tenant_id, f.order_id.in_(mine))
    named = [i.fact[("fact", name)].as_string() for name in ("order_id", "ref", "payment_ref", "subscription_ref")]
    theirs = or_(named[0].in_(mine), *(one.in_(facts) for one in named[1:]), cast(i.fact, Text).in_(("null", "")))
    bodies = (i.tenant_id == tenant_id, i.sealed.is_not(None), i.processed_at.is_not(None))
    dropped = update(t.inbox).where(*bodies, or_(i.fact.is_(None), theirs)).values(sealed=None, key_id=None)
    found = [("inbox", (await connection.execute(dropped)).rowcount)]
    for table, own, names in (
        (t.purchase_order, t.purchase_order.c.id.in_(mine), ("note",)),
        (t.payment_refund, t.payment_refund.c.order_id.in_(mine), ("reason", "note")),
        (t.payment_fact, f.order_id.in_(mine), ("note",)),
        (t.order_event, e.order_id.in_(mine), ("facts",)),
    ):
        found.append((table.name, await _rewrite(connection, tenant_id, table, own, names, who)))
    if receipts:
        numbered = select(r.order_id, r.content).where(r.tenant_id == tenant_id, r.order_id.in_(mine))
        nobody = _buyer(who)
        rows = [row for row in await connection.execute(numbered) if row.content.get("buyer", nobody) != nobody]
        for row in rows:
            own_row = (r.tenant_id == tenant_id, r.order_id == row.order_id)
            content = {**row.content, "buyer": nobody}
            await connection.execute(update(t.receipt).where(*own_row).values(content=content))
        found.append(("receipt", len(rows)))
    return found


def _buyer(who: Person) -> dict[str, str]:
    return {"name": who.id, "email": ""}


async def _audit(connection: AsyncConnection, tenant_id: int, who: Person) -> int:
    """Who did what to which id, and when, stays, with the reasons of what moved money; other words about them go."""
    a, case, k = t.audit_log.c, t.support_case.c, t.api_key.c
    cases = select(case.id).where(case.tenant_id == tenant_id, case.customer_id == who.id)
    keys = select(k.id).where(k.tenant_id == tenant_id, k.customer_id == who.id)
    said = [cast(column, Text).contains(who.id, autoescape=True) for column in (a.before, a.after)]
    about = or_(a.ref == who.id, *(a.ref.in_(ids) for ids in (_orders(tenant_id, who), cases, keys)), *said)
    worded = or_(*(a.action.startswith(kind) for kind in _WORDED))
    named = or_(about, _mentions(a.before, who), _mentions(a.after, who))
    columns = ("before", "after")
    blanked = await _rewrite(connection, tenant_id, t.audit_log, about & worded, columns, who, words=True)
    return blanked + await _rewrite(connection, tenant_id, t.audit_log, named & ~worded, columns, who)


async def _account(connection: AsyncConnection, tenant_id: int, who: Person, now: int) -> list[tuple[str, int]]:
    c, k, s = t.customer.c, t.api_key.c, t.subscription.c
    gone = {"email": who.nobody, "name": "", "status": "deleted", "suspend_reason": None, "restrict_reason": None}
    gone |= {"delete_at": None, "suspended_until": None, "locale": None, "timezone": None}
    await connection.execute(update(t.customer).where(c.tenant_id == tenant_id, c.id == who.id).values(gone))
    mine = (k.tenant_id == tenant_id, k.customer_id == who.id)
    named = await connection.execute(update(t.api_key).where(*mine).values(name="", allow_ips=[]))
    await connection.execute(update(t.api_key).where(*mine, k.revoked_at.is_(None)).values(revoked_at=now))
    going = (s.tenant_id == tenant_id, s.customer_id == who.id, s.state != "ended")
    ended = {"state": "ended", "cancel_at": now, "next_package_id": None, "changed_at": now}
    ended_rows = await connection.execute(update(t.subscription).where(*going).values(ended))
    return [("customer", 1), ("api_key", named.rowcount), ("subscription", ended_rows.rowcount)]


async def _rewrite(
    connection: AsyncConnection,
    tenant_id: int,
    table: Table,
    which: ColumnElement[bool],
    names: tuple[str, ...],
    who: Person,
    *,
    words: bool = False,
) -> int:
    """Take the person out of these columns, in Python: how many rows said anything of them."""
    key = next(iter(table.primary_key.columns))
    statement = select(key, *(table.c[name] for name in names)).where(table.c.tenant_id == tenant_id, which)
    changed = 0
    async for row in _rows(connection, statement, key):
        old = {name: row[name] for name in names}
        new = {name: without(value, who, words=words) for name, value in old.items()}
        values = {name: value for name, value in new.items() if value != old[name]}
        if values:
            own = (table.c.tenant_id == tenant_id, key == row[key.name])
            await connection.execute(update(table).where(*own).values(values))
            changed += 1
    return changed


async def _rows(connection: AsyncConnection, statement: Select[Any], key: Any) -> AsyncIterator[Mapping[str, Any]]:
    ordered = statement.order_by(key).limit(_CHUNK)
    rows = (await connection.execute(ordered)).mappings().all()
    while rows:
        for row in rows:
            yield row
        rows = (await connection.execute(ordered.where(key > rows[-1][key.name]))).mappings().all()


def without(value: Any, who: Person, *, words: bool) -> Any:
    """A text or document without the person's addresses and name; `words`: without what people wrote there at all."""
    if isinstance(value, str):
        return _pattern((*who.addresses, who.name)).sub(who.id, value)
    if isinstance(value, Mapping):
        return {
            name: "" if words and name in _WORDS and isinstance(member, str) else without(member, who, words=words)
            for name, member in value.items()
        }
    return [without(member, who, words=words) for member in value] if isinstance(value, list) else value


def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    known = "|".join(re.escape(one) for one in words if len(one) > 1)
    return re.compile(rf"(?<![\w.+%-])(?:{known or '(?!)'})(?![\w-])(?!\.\w)", re.IGNORECASE)


def _orders(tenant_id: int, who: Person) -> Select[Any]:
    o = t.purchase_order.c
    return select(o.id).where(o.tenant_id == tenant_id, o.customer_id == who.id)
