"""The operator's side of abuse: what upstreams report, filed with the customer that they mean. Restricts nobody."""

from __future__ import annotations

import re
from typing import Final, get_args

from msgspec import Struct

from ...core.abuse import Category
from ...core.errors import Conflict, InvalidRequest, NotFound
from ...core.ids import is_public_id, new_id
from ...core.lines import cleaned, is_line
from ...core.paging import Page, Window, after, page_of
from ...db import abuse, audit_log, operator, operator_abuse, upstreams
from ...db.abuse import Listed, Report
from ...db.engine import EVERY_TENANT, Connection, Database, now_us
from ...db.operator_abuse import Filed
from ...vault import Vault
from ..end_users import pseudonym_of, whois
from ..tenants import require_tenant
from . import letters

MAX_BODY: Final = 2_000
MAX_REFERENCE: Final = 100
_LIST: Final = "abuse"


class NewReport(Struct, frozen=True, kw_only=True):
    """What the operator files: whom it is about, by the upstream's name for a customer or by the id of a call.

    `body`: the operator's words for the reseller; `reference`: the upstream's number; `happened_at` in µs.
    """

    upstream: str
    body: str
    end_user: str = ""
    request_id: str = ""
    category: str = "other"
    reference: str = ""
    happened_at: int | None = None


class _Subject(Struct, frozen=True):
    """Whom a report is about, and when it was, as far as that is known."""

    tenant_slug: str
    customer_id: str
    at: int | None


async def file_report(db: Database, vault: Vault, new: NewReport, actor: str) -> Filed:
    """File what an upstream reported; the team of the customer's storefront is told by mail, without the upstream.

    Raises InvalidRequest, NotFound for a name, call or upstream that there is not, Conflict for a reference that the
    upstream's reports have already.
    """
    body = _checked(new)
    subject = await _subject(db, vault, new)
    async with db.write(EVERY_TENANT) as connection:
        await _refuse_unknown_upstream(connection, new.upstream)
        if new.reference and (known := await operator_abuse.by_reference(connection, new.upstream, new.reference)):
            raise Conflict(f"{new.upstream} reported {new.reference} before: {known}.", fix="Look at that report.")
        tenant = await require_tenant(connection, subject.tenant_slug)
        now = now_us()
        report = Report(
            id=new_id("rep"),
            tenant_id=tenant.id,
            customer_id=subject.customer_id,
            category=new.category,  # type: ignore[arg-type]  # _checked
            body=body,
            request_id=new.request_id,
            happened_at=new.happened_at if new.happened_at is not None else subject.at,
            state="open",
            forced=False,
            reason="",
            restricted_at=None,
            until=None,
            appeal="",
            appealed_at=None,
            answer="",
            answered_at=None,
            created_at=now,
            changed_at=now,
        )
        end_user = pseudonym_of(vault.pepper, tenant.id, subject.customer_id)
        await operator_abuse.add(connection, report, upstream=new.upstream, end_user=end_user, reference=new.reference)
        facts = {
            "customer": subject.customer_id,
            "category": new.category,
            "upstream": {"name": new.upstream, "reference": new.reference},
        }
        await audit_log.record(connection, tenant.id, actor, "abuse.report", "abuse", report.id, after=facts)
        filed = await _require(connection, report.id)
        await letters.to_team(connection, tenant, "abuse_reported", filed.listed, body)
    return filed


async def upstream_names(db: Database) -> list[str]:
    """Who may report: the operator's upstreams, by name."""
    async with db.read(EVERY_TENANT) as connection:
        return await _names(connection)


async def list_filed(
    db: Database, window: Window, *, tenant: str | None = None, state: str | None = None
) -> Page[Filed]:
    """Reports of all tenants or of one, newest first. Raises NotFound for a tenant that there is not."""
    key = after(window, _LIST, (str,))
    async with db.read(EVERY_TENANT) as connection:
        if tenant is not None:
            await require_tenant(connection, tenant)
        before = str(key[0]) if key else None
        rows = await operator_abuse.page(connection, window.limit + 1, before, tenant=tenant, state=state)
    return page_of(rows, window, _LIST, lambda row: (row.listed.report.id,))


async def show_filed(db: Database, report_id: str) -> Filed:
    """One report. Raises NotFound."""
    async with db.read(EVERY_TENANT) as connection:
        return await _require(connection, report_id)


async def list_reports(db: Database, tenant_id: int, window: Window, state: str | None = None) -> Page[Listed]:
    """A tenant's reports as its team reads them, newest first."""
    key = after(window, _LIST, (str,))
    async with db.read(tenant_id) as connection:
        rows = await abuse.page(connection, tenant_id, window.limit + 1, str(key[0]) if key else None, state)
    return page_of(rows, window, _LIST, lambda row: (row.report.id,))


async def show_report(db: Database, tenant_id: int, report_id: str) -> Listed:
    """One of the tenant's reports. Raises NotFound, for another tenant's as for one that is not there."""
    async with db.read(tenant_id) as connection:
        found = await abuse.find(connection, tenant_id, report_id) if is_public_id(report_id, "rep") else None
    if found is None:
        raise NotFound("There is no such report.")
    return found


async def own_reports(db: Database, tenant_id: int, customer_id: str) -> list[Report]:
    """What restricts a customer or did, newest first, as the customer may read it."""
    async with db.read(tenant_id) as connection:
        return await abuse.of_customer(connection, tenant_id, customer_id)


def _checked(new: NewReport) -> str:
    """The body as it is kept. Raises InvalidRequest."""
    if bool(new.end_user) == bool(new.request_id):
        raise InvalidRequest(
            "A report names a customer or a call.",
            param="end_user",
            fix="Give the upstream's name for the customer, or the id of the call; not both.",
        )
    if new.category not in get_args(Category):
        known = ", ".join(get_args(Category))
        raise InvalidRequest(f"{new.category[:40]!r} is no category.", param="category", fix=f"Choose one of {known}.")
    if len(new.reference) > MAX_REFERENCE or not is_line(new.reference):
        raise InvalidRequest(f"A reference has at most {MAX_REFERENCE} characters.", param="reference")
    body = cleaned(new.body)
    if re.search(rf"\b{re.escape(new.upstream)}\b", body, re.IGNORECASE):
        raise InvalidRequest(
            "The words for the reseller name the upstream.", param="reason", fix="Say what happened without its name."
        )
    if not 0 < len(body) <= MAX_BODY:
        raise InvalidRequest(f"The words for the reseller have 1 to {MAX_BODY} characters.", param="reason")
    return body


async def _subject(db: Database, vault: Vault, new: NewReport) -> _Subject:
    if new.end_user:
        found = await whois(db, vault, new.end_user)
        return _Subject(found.tenant, found.customer_id, None)
    async with db.read(EVERY_TENANT) as connection:
        known = is_public_id(new.request_id, "req")
        owner = await operator_abuse.owner_of_call(connection, new.request_id) if known else None
        tenant = None if owner is None else await operator.tenant_by_id(connection, owner.tenant_id)
    if owner is None or tenant is None:
        raise NotFound(
            f"There is no call {new.request_id[:80]!r}.", fix="Name the customer as the upstream does (eu_…)."
        )
    return _Subject(tenant.slug, owner.customer_id, owner.at)


async def _refuse_unknown_upstream(connection: Connection, name: str) -> None:
    known = await _names(connection)
    if name not in known:
        raise NotFound(f"There is no upstream {name[:80]!r}.", fix=f"There is: {', '.join(known) or 'none yet'}.")


async def _names(connection: Connection) -> list[str]:
    return [one.name for one in await upstreams.every(connection)]


async def _require(connection: Connection, report_id: str) -> Filed:
    found = await operator_abuse.find(connection, report_id) if is_public_id(report_id, "rep") else None
    if found is None:
        raise NotFound(f"There is no report {report_id[:80]!r}.", fix="See: reseller-kit abuse list")
    return found
