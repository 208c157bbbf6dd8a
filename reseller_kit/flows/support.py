"""Support cases: opened by customers or anybody with an address, answered by the team. Decides on no money."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from ..core.email import normalise_email
from ..core.errors import InvalidForm, InvalidRequest, NotFound
from ..core.ids import is_public_id, new_id
from ..core.lines import cleaned, is_line
from ..core.paging import Page, Window, after, page_of
from ..core.storefront import Storefront
from ..db import audit_log, customers, orders, outbox, support, tenants, usage
from ..db.engine import NO_TENANT, Connection, Database, now_us
from ..db.support import Case, CaseState, Message
from .tenants import require_tenant

MAX_SUBJECT: Final = 150
MAX_BODY: Final = 5_000
MAX_OPEN: Final = 20
"""Cases of one customer that wait for the team."""
_LIST: Final = "cases"
_TEAM: Final = frozenset({"owner", "admin", "support"})


class NewCase(Struct, frozen=True, kw_only=True):
    """What somebody writes. `about`: the id of an order or call of the customer's; without a customer there is none."""

    subject: str
    body: str
    about: str = ""


class CaseDetail(Struct, frozen=True):
    """A case with its messages, oldest first."""

    case: Case
    messages: list[Message]


async def open_case(db: Database, storefront: Storefront, customer_id: str, new: NewCase) -> Case:
    """A customer's case. Raises InvalidForm for an id that is not of the customer's, or too many open cases."""
    subject, body = _checked(new)
    async with db.write(storefront.tenant_id) as connection:
        customer = await customers.find(connection, storefront.tenant_id, customer_id)
        if customer is None:
            raise NotFound("There is no such customer.")
        if await support.open_count(connection, storefront.tenant_id, customer_id) >= MAX_OPEN:
            raise InvalidForm({"": ("support.too_many", {"count": MAX_OPEN})})
        about = new.about.strip()
        if about and not await _is_own(connection, storefront.tenant_id, customer_id, about):
            raise InvalidForm({"about": ("support.about_unknown", {})})
        return await _open(connection, storefront, customer.id, (customer.email, customer.name), (subject, about, body))


async def open_public_case(db: Database, storefront: Storefront, email: str, name: str, new: NewCase) -> Case:
    """A case of somebody who is not logged in: the address is as claimed, and nothing is looked up by it."""
    subject, body = _checked(new)
    try:
        address = normalise_email(email)
    except InvalidRequest:
        raise InvalidForm({"email": ("form.email_invalid", {})}) from None
    async with db.write(storefront.tenant_id) as connection:
        return await _open(connection, storefront, None, (address, name), (subject, "", body))


async def reply_as_customer(db: Database, storefront: Storefront, customer_id: str, case_id: str, body: str) -> Case:
    """The customer writes on: the case is open again. Raises NotFound for another's."""
    text = _body(body)
    async with db.write(storefront.tenant_id) as connection:
        case = await _require(connection, storefront.tenant_id, case_id, customer_id)
        await _say(connection, case, "customer", "", text, "open")
        await _tell_team(connection, storefront, case, "case_replied", text)
        return case


async def close_as_customer(db: Database, storefront: Storefront, customer_id: str, case_id: str) -> Case:
    """The customer needs nothing more."""
    async with db.write(storefront.tenant_id) as connection:
        case = await _require(connection, storefront.tenant_id, case_id, customer_id)
        await support.set_state(connection, storefront.tenant_id, case.id, "closed", now_us())
        return case


async def answer_case(
    db: Database, *, tenant_slug: str, case_id: str, body: str, close: bool, actor: str
) -> CaseDetail:
    """The team answers; the customer hears of it by mail. Raises NotFound."""
    text = _body(body)
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        case = await _require(connection, tenant.id, case_id)
        await _say(connection, case, "team", actor, text, "closed" if close else "answered")
        await outbox.add(
            connection,
            tenant.id,
            kind="case_answered",
            recipient=case.email,
            payload={**_mailed(case), "body": text, "known": "yes" if case.customer_id else ""},
            dedupe=f"case_answered:{case.id}:{now_us()}",
            now=now_us(),
        )
        await audit_log.record(connection, tenant.id, actor, "case.answer", "case", case.id)
    return await show_case(db, tenant_slug, case_id)


async def close_case(db: Database, *, tenant_slug: str, case_id: str, actor: str) -> CaseDetail:
    """The team closes a case without a further word. Repeating is harmless."""
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        case = await _require(connection, tenant.id, case_id)
        if case.state != "closed":
            await support.set_state(connection, tenant.id, case.id, "closed", now_us())
            await audit_log.record(connection, tenant.id, actor, "case.close", "case", case.id)
    return await show_case(db, tenant_slug, case_id)


async def list_cases(db: Database, tenant_slug: str, window: Window, state: str | None = None) -> Page[Case]:
    """A tenant's cases, newest first."""
    key = after(window, _LIST, (str,))
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await support.page(connection, tenant.id, window.limit + 1, str(key[0]) if key else None, state=state)
    return page_of(rows, window, _LIST, lambda row: (row.id,))


async def show_case(db: Database, tenant_slug: str, case_id: str) -> CaseDetail:
    """One case of a tenant. Raises NotFound."""
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        return await _detail(connection, tenant.id, await _require(connection, tenant.id, case_id))


async def own_cases(db: Database, tenant_id: int, customer_id: str, window: Window) -> Page[Case]:
    """A customer's cases, newest first."""
    key = after(window, _LIST, (str,))
    async with db.read(tenant_id) as connection:
        rows = await support.page(
            connection, tenant_id, window.limit + 1, str(key[0]) if key else None, customer_id=customer_id
        )
    return page_of(rows, window, _LIST, lambda row: (row.id,))


async def own_case(db: Database, tenant_id: int, customer_id: str, case_id: str) -> CaseDetail:
    """One of a customer's cases. Raises NotFound for another's as for none."""
    async with db.read(tenant_id) as connection:
        return await _detail(connection, tenant_id, await _require(connection, tenant_id, case_id, customer_id))


async def _open(
    connection: Connection,
    storefront: Storefront,
    customer_id: str | None,
    who: tuple[str, str],
    what: tuple[str, str, str],
) -> Case:
    now = now_us()
    subject, about, body = what
    case = Case(
        id=new_id("case"),
        tenant_id=storefront.tenant_id,
        customer_id=customer_id,
        email=who[0],
        name=who[1],
        subject=subject,
        about=about,
        state="open",
        created_at=now,
        changed_at=now,
    )
    await support.add(connection, storefront.tenant_id, case)
    await support.add_message(
        connection, storefront.tenant_id, case.id, Message(author="customer", actor="", body=body, created_at=now)
    )
    await _tell_team(connection, storefront, case, "case_opened", body)
    return case


async def _say(connection: Connection, case: Case, author: Any, actor: str, body: str, state: CaseState) -> None:
    now = now_us()
    message = Message(author=author, actor=actor, body=body, created_at=now)
    await support.add_message(connection, case.tenant_id, case.id, message)
    await support.set_state(connection, case.tenant_id, case.id, state, now)


async def _tell_team(connection: Connection, storefront: Storefront, case: Case, kind: str, body: str) -> None:
    for member in await tenants.members(connection, storefront.tenant_id):
        if member.role in _TEAM and member.status != "removed":
            await outbox.add(
                connection,
                storefront.tenant_id,
                kind=kind,
                recipient=member.email,
                payload={
                    "storefront": storefront.name,
                    "from": case.email,
                    **_mailed(case),
                    "body": body,
                },
                dedupe=f"{kind}:{case.id}:{now_us()}:{member.email}",
                now=now_us(),
            )


async def _is_own(connection: Connection, tenant_id: int, customer_id: str, about: str) -> bool:
    """Whether it is the id of an order or a call of this customer's."""
    if is_public_id(about, "ord"):
        return await orders.find(connection, tenant_id, about, customer_id) is not None
    if is_public_id(about, "req"):
        record = await usage.find(connection, tenant_id, about)
        return record is not None and record.customer_id == customer_id
    return False


async def _detail(connection: Connection, tenant_id: int, case: Case) -> CaseDetail:
    return CaseDetail(case, await support.messages(connection, tenant_id, case.id))


async def _require(connection: Connection, tenant_id: int, case_id: str, customer_id: str | None = None) -> Case:
    found = None
    if is_public_id(case_id, "case"):
        found = await support.find(connection, tenant_id, case_id, customer_id)
    if found is None:
        raise NotFound(f"There is no case {case_id[:80]!r}.", fix="See: reseller-kit case list --tenant SLUG")
    return found


def _checked(new: NewCase) -> tuple[str, str]:
    subject = " ".join(new.subject.split())
    if not subject or len(subject) > MAX_SUBJECT or not is_line(subject):
        raise InvalidForm(
            {"subject": ("form.needed", {}) if not subject else ("form.too_long", {"count": MAX_SUBJECT})}
        )
    return subject, _body(new.body)


def _body(text: str) -> str:
    """A message as it is kept: its lines, without characters that no text has."""
    clean = cleaned(text)
    if not clean:
        raise InvalidForm({"body": ("form.needed", {})})
    if len(clean) > MAX_BODY:
        raise InvalidForm({"body": ("form.too_long", {"count": MAX_BODY})})
    return clean


def _mailed(case: Case) -> dict[str, str]:
    return {"case": case.id, "subject": case.subject, "about": case.about}
