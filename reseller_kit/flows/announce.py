"""Announcements of a storefront: on every page while they are current, in the list ever after, by mail where asked."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
from msgspec import Struct

from ..core.errors import Conflict, InvalidRequest, NotFound
from ..core.ids import is_public_id, new_id
from ..core.lines import is_line
from ..core.paging import Page, Window, after, page_of
from ..db import announcements, audit_log, customers, outbox
from ..db.announcements import Announcement, AnnouncementKind
from ..db.engine import NO_TENANT, Connection, Database, now_us
from ..db.tenants import Tenant
from ..vault import Vault, token_digest
from .patience import limited_wait
from .tenants import require_tenant

_log = logging.getLogger(__name__)

SHOWN: Final = 50
"""On the page of announcements."""
_KEPT_SECONDS: Final = 0.9
MAX_TITLE: Final = 150
MAX_BODY: Final = 5_000
_LIST: Final = "announcements"


class NewAnnouncement(Struct, frozen=True, kw_only=True):
    """What is told, in Markdown, from when to when (µs; None: now, and until it is ended). `mail`: to customers too."""

    kind: AnnouncementKind
    title: str
    body: str = ""
    starts_at: int | None = None
    ends_at: int | None = None
    mail: bool = False


class Announced(Struct, frozen=True):
    """An announcement, and to how many customers it is mailed."""

    announcement: Announcement
    mails: int


async def announce(db: Database, *, tenant_slug: str, new: NewAnnouncement, actor: str) -> Announced:
    """Tell a storefront's customers something. Raises InvalidRequest."""
    now = now_us()
    title = " ".join(new.title.split())
    starts_at = now if new.starts_at is None else new.starts_at
    _check(title, new, starts_at, now)
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        made = Announcement(
            id=new_id("ann"),
            tenant_id=tenant.id,
            kind=new.kind,
            title=title,
            body=new.body.strip(),
            starts_at=starts_at,
            ends_at=new.ends_at,
            withdrawn_at=None,
            created_at=now,
        )
        await announcements.add(connection, tenant.id, made)
        mails = await _mail(connection, tenant, made, now) if new.mail else 0
        facts = {"kind": made.kind, "title": made.title, "mails": mails}
        await audit_log.record(
            connection, tenant.id, actor, "announcement.publish", "announcement", made.id, after=facts
        )
    return Announced(made, mails)


async def end_announcement(
    db: Database, *, tenant_slug: str, announcement_id: str, withdraw: bool, actor: str
) -> Announcement:
    """It is over, or with `withdraw` it should never have been there. Raises NotFound, Conflict when it is over."""
    now = now_us()
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        found = await _require(connection, tenant, announcement_id)
        if withdraw:
            await announcements.withdraw(connection, tenant.id, found.id, now)
            ended = msgspec.structs.replace(found, withdrawn_at=found.withdrawn_at or now)
        else:
            if found.ends_at is not None and found.ends_at <= now:
                raise Conflict("The announcement is over already.")
            await announcements.end(connection, tenant.id, found.id, now)
            ended = msgspec.structs.replace(found, ends_at=now)
        action = "announcement.withdraw" if withdraw else "announcement.end"
        await audit_log.record(connection, tenant.id, actor, action, "announcement", found.id)
    return ended


async def list_announcements(db: Database, tenant_slug: str, window: Window) -> Page[Announcement]:
    """A tenant's announcements, newest first, those that were withdrawn too."""
    key = after(window, _LIST, (str,))
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await announcements.page(connection, tenant.id, window.limit + 1, str(key[0]) if key else None)
    return page_of(rows, window, _LIST, lambda row: (row.id,))


class Board:
    """What storefronts' pages announce, remembered for a second: every page shows it.

    All who ask for one storefront's while it is read wait for the same read: a crowd takes one connection, not all.
    """

    def __init__(self, db: Database, spawn: Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]]) -> None:
        """`spawn`: runs work beside the request that began it."""
        self._db = db
        self._spawn = spawn
        self._kept: dict[int, tuple[float, list[Announcement]]] = {}
        self._reading: dict[int, asyncio.Task[list[Announcement]]] = {}

    async def of(self, tenant_id: int) -> list[Announcement]:
        """The latest announcements that have begun, newest first; none where the database does not answer."""
        kept = self._kept.get(tenant_id)
        if kept is not None and time.monotonic() - kept[0] < _KEPT_SECONDS:
            return kept[1]
        task = self._reading.get(tenant_id)
        if task is None:
            task = self._spawn(self._read(tenant_id), "read-announcements")
            self._reading[tenant_id] = task
            task.add_done_callback(lambda _: self._reading.pop(tenant_id, None))
        return await asyncio.shield(task)

    async def _read(self, tenant_id: int) -> list[Announcement]:
        began = time.monotonic()
        try:
            async with limited_wait(), self._db.read(tenant_id) as connection:
                found = await announcements.current(connection, tenant_id, now_us(), SHOWN)
        except Exception:  # noqa: BLE001  # no page fails for want of its news
            _log.exception("announcements could not be read")
            return self._kept.get(tenant_id, (began, []))[1]
        self._kept[tenant_id] = (began, found)
        return found


async def unsubscribe(
    db: Database, vault: Vault, tenant_id: int, customer_id: str, token: str, kind: str = announcements.KIND
) -> bool:
    """The customer behind a mail's link wants no more announcements, or mails of that kind.

    Answers whether the link is one of ours.
    """
    wanted = unsubscribe_token(vault, tenant_id, customer_id, kind)
    if not hmac.compare_digest(wanted.encode(), token.encode("utf-8", "replace")):
        return False
    async with db.write(tenant_id) as connection:
        if await customers.find(connection, tenant_id, customer_id) is None:
            return False
        await announcements.opt_out(connection, tenant_id, customer_id, now_us(), kind)
    return True


def unsubscribe_token(vault: Vault, tenant_id: int, customer_id: str, kind: str = announcements.KIND) -> str:
    """What a mail's link proves itself with; it does nothing but end these mails, and does not run out."""
    of_kind = "" if kind == announcements.KIND else f":{kind}"
    return token_digest(vault.pepper, "unsubscribe", f"{tenant_id}:{customer_id}{of_kind}").hex()


async def _mail(connection: Connection, tenant: Tenant, made: Announcement, now: int) -> int:
    """One mail to every verified customer who has not unsubscribed, from when it is current."""
    told = 0
    for customer_id, address in await announcements.recipients(connection, tenant.id):
        told += await outbox.add(
            connection,
            tenant.id,
            kind=announcements.KIND,
            recipient=address,
            payload={"title": made.title, "body": made.body, "unsubscribe": customer_id},
            dedupe=f"announcement:{made.id}:{customer_id}",
            now=now,
            due=max(now, made.starts_at),
        )
    return told


def _check(title: str, new: NewAnnouncement, starts_at: int, now: int) -> None:
    if not title or len(title) > MAX_TITLE or not is_line(title):
        raise InvalidRequest(
            "The title is empty, too long or not printable.", param="title", fix=f"Give up to {MAX_TITLE} characters."
        )
    if len(new.body) > MAX_BODY:
        raise InvalidRequest("The text is too long.", param="body", fix=f"Give up to {MAX_BODY} characters.")
    if new.ends_at is not None and (new.ends_at <= starts_at or new.ends_at <= now):
        raise InvalidRequest("It would be over before it begins.", param="ends", fix="Give a later end, or none.")


async def _require(connection: Connection, tenant: Tenant, announcement_id: str) -> Announcement:
    known = is_public_id(announcement_id, "ann")
    found = await announcements.find(connection, tenant.id, announcement_id) if known else None
    if found is None:
        fix = f"See: reseller-kit announcement list --tenant {tenant.slug}"
        raise NotFound(f"There is no announcement {announcement_id[:80]!r}.", fix=fix)
    return found
