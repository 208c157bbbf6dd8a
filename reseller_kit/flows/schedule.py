"""Use cases of the operator on prices that begin later: schedule, list, cancel, and let begin what is due.

What is published for a later moment is an ordinary price version with that date; running servers take it over when
the moment comes. The change itself becomes part of the tenant's settings then, where `plan` shows it as drift.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from ..core.errors import Conflict, InvalidRequest, ModelNotFound, NotFound
from ..core.ids import is_public_id, new_id
from ..core.manifest import Document, Levels
from ..core.manifest.schedule import ScheduledChange, governed, levels_of, own_markups, tenant_of, with_changes
from ..core.paging import Page, Window, after, page_of
from ..core.times import DAY_US, format_time
from ..db import audit_log, operator_manifest, operator_prices, provisioning, revisions, scheduled_prices
from ..db.engine import EVERY_TENANT, NO_TENANT, Connection, Database, now_us
from ..db.operator_manifest import ManifestRows
from ..db.scheduled_prices import StoredChange
from ..db.tenants import Tenant
from .notice_ahead import require_notice
from .prices import PriceLine, lines_of
from .provision.timeline import Changes, begin, books, changes_of, publications, stored_document
from .provision.write import publish, write_begun
from .tenants import require_tenant

_log = logging.getLogger(__name__)
_LIST: Final = "scheduled"
_FURTHEST_US: Final = 3660 * DAY_US


class NewChange(Struct, frozen=True, kw_only=True):
    """What is to change. `prices` are absolute, in pico-USD per unit; without a pattern the tenant's markup changes.

    `group`: whose own markup changes instead.
    """

    effective_from: int
    match: str | None
    markup_ppm: int | None
    prices: Mapping[str, int]
    allow_loss: bool
    group: str | None = None


class Scheduled(Struct, frozen=True, kw_only=True):
    """A change that was scheduled, and the prices of the models that it decides on from then on."""

    change: ScheduledChange
    lines: list[PriceLine]


class Deployment(Struct, frozen=True):
    """What prices are derived from: the stored state as a document, and what is scheduled."""

    rows: ManifestRows
    document: Document
    changes: Changes


async def schedule_price(
    db: Database, tenant_slug: str, new: NewChange, actor: str, *, with_notice: bool = False
) -> Scheduled:
    """Publish prices that begin at a later moment; `with_notice`: not before customers had theirs of what rises.

    Raises NoticeTooShort for what has to begin later; InvalidRequest for a moment that is past or absurd, for a change
    that changes nothing, and for one that would sell below wholesale without leave; ModelNotFound for a pattern that
    fits no model on offer.
    """
    async with db.write(EVERY_TENANT) as connection:
        await provisioning.lock(connection)
        now = now_us()
        tenant = await require_tenant(connection, tenant_slug)
        found = await read_deployment(connection, now)
        change = _checked(found, tenant, new, now)
        await scheduled_prices.add(connection, tenant.id, change, actor, now)
        earlier = found.changes.get(tenant.slug, ())
        waiting = (*earlier, change)
        moment = change.effective_from
        levels = _levels_at(found, tenant, waiting, moment)
        if with_notice:
            before = _levels_at(found, tenant, earlier, moment)
            await require_notice(connection, tenant, before, levels, moment, now)
        if not await _republish(connection, found, tenant, waiting, now):
            raise InvalidRequest(
                "The change would change no price.", fix=f"See: reseller-kit price show --tenant {tenant.slug}"
            )
        await _note(connection, tenant, actor, "price.schedule", change)
    decided = governed(levels, tenant_of(found.document, tenant.slug).pricing, change)
    paid = {
        name: msgspec.structs.replace(levels[name], retail=levels[name].retail_for(change.group)) for name in decided
    }
    return Scheduled(change=change, lines=[line for name in decided for line in lines_of(name, paid[name])])


async def cancel_price(db: Database, tenant_slug: str, change_id: str, actor: str) -> StoredChange:
    """Take a change back before it begins: at its moment the prices before it go on.

    Raises NotFound, and Conflict for a change that has begun, was held back or is cancelled already.
    """
    async with db.write(EVERY_TENANT) as connection:
        await provisioning.lock(connection)
        now = now_us()
        tenant = await require_tenant(connection, tenant_slug)
        found = await read_deployment(connection, now)
        stored = await _require(connection, tenant, change_id)
        has_begun = stored.change.effective_from <= now
        if has_begun or not await scheduled_prices.end(
            connection, tenant.id, change_id, state="cancelled", reason=None, now=now
        ):
            raise Conflict(
                f"The change {change_id} is {'begun' if has_begun else stored.state} already.",
                fix="Schedule another change, or change tenants.toml and run reseller-kit apply.",
            )
        waiting = tuple(change for change in found.changes.get(tenant.slug, ()) if change.id != change_id)
        await _republish(connection, found, tenant, waiting, now)
        await _note(connection, tenant, actor, "price.cancel", stored.change)
        return await _require(connection, tenant, change_id)


async def list_scheduled(db: Database, tenant_slug: str, window: Window) -> Page[StoredChange]:
    """A tenant's scheduled changes, whatever became of them, the latest made first."""
    key = after(window, _LIST, (str,))
    async with db.read(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        rows = await scheduled_prices.page(connection, tenant.id, window.limit + 1, str(key[0]) if key else None)
    return page_of(rows, window, _LIST, lambda row: (row.change.id,))


async def begin_due(db: Database, at: int | None = None) -> int:
    """Let begin what is due at `at` (µs; None: now), or hold it back should it lose money; how many changes."""
    now = now_us() if at is None else at
    async with db.read(EVERY_TENANT) as connection:
        if not await operator_prices.is_due(connection, now):
            return 0
    async with db.write(EVERY_TENANT) as connection:
        await provisioning.lock(connection)
        rows, begun = begin(await operator_manifest.read_all(connection, now), now)
        await write_begun(connection, begun, now)
        for one in begun:
            if one.reason is not None:
                _log.warning("the price change %s of %s was held back: %s", one.change.id, one.slug, one.reason)
        found = _deployment(rows)
        slugs = {one.slug for one in begun}
        await publish(connection, _ids(rows), _needed(found, found.changes, slugs, now))
    return len(begun)


async def read_deployment(connection: Connection, now: int) -> Deployment:
    """The stored state at `now` (µs), with every change begun whose moment has come. Changes nothing."""
    rows, _ = begin(await operator_manifest.read_all(connection, now), now)
    return _deployment(rows)


def _deployment(rows: ManifestRows) -> Deployment:
    return Deployment(rows, stored_document(rows), changes_of(rows))


def _checked(found: Deployment, tenant: Tenant, new: NewChange, now: int) -> ScheduledChange:
    _check_moment(new.effective_from, now)
    if new.markup_ppm is None and not new.prices:
        raise InvalidRequest("Nothing is to change.", fix="Give --markup PCT or --set CLASS=PRICE.")
    if new.group is not None:
        _check_group(found, tenant, new)
    if new.prices and new.match is None:
        raise InvalidRequest(
            "A price needs the models that it is for.", param="model", fix="Give --model GLOB as well."
        )
    change = msgspec.convert({**msgspec.to_builtins(new), "id": new_id("sch")}, ScheduledChange)
    waiting = found.changes.get(tenant.slug, ())
    levels = _levels_at(found, tenant, waiting, new.effective_from)
    decided = governed(levels, tenant_of(found.document, tenant.slug).pricing, change)
    if not decided:
        wanted = "any model" if new.match is None else f"a model {new.match[:80]!r}"
        raise ModelNotFound(
            f"Tenant {tenant.slug} does not offer {wanted} that the change decides on.",
            fix=f"See: reseller-kit price show --tenant {tenant.slug}",
        )
    for name in decided:
        unknown = sorted(set(new.prices) - set(levels[name].wholesale.prices))
        if unknown:
            raise InvalidRequest(
                f"The change sets {', '.join(unknown)} for {name}, whose cost does not name it.",
                param="set",
                fix="Narrow --model, or leave the class out.",
            )
    # Everything that waits, so that a change does not undo an earlier one's floor.
    _, held = with_changes(found.document, tenant.slug, (*waiting, change), new.effective_from)
    for one in held:
        if one.change.id == change.id:
            raise InvalidRequest(
                one.reason, fix="Raise the price" + (", or give --allow-loss." if one.waivable else ".")
            )
    return change


def _check_group(found: Deployment, tenant: Tenant, new: NewChange) -> None:
    if new.match is not None or new.prices or new.markup_ppm is None:
        raise InvalidRequest(
            "Of a group its own markup changes, and nothing else.", param="group", fix="Give the markup alone."
        )
    known = own_markups(found.document, tenant.slug)
    if new.group not in known:
        named = f"Those that have: {', '.join(sorted(known))}." if known else "Give it a markup first."
        raise InvalidRequest("There is no such group with a markup of its own.", param="group", fix=named)


def _check_moment(moment: int, now: int) -> None:
    if moment <= now:
        raise InvalidRequest(
            f"{format_time(moment)} is past.",
            param="effective_from",
            fix="Give a later moment; a change for now is made in tenants.toml.",
        )
    if moment > now + _FURTHEST_US:
        raise InvalidRequest(
            f"{format_time(moment)} is more than ten years away.", param="effective_from", fix="Give an earlier moment."
        )


async def _republish(
    connection: Connection, found: Deployment, tenant: Tenant, waiting: tuple[ScheduledChange, ...], now: int
) -> bool:
    """Append what is to hold at later moments now that this waits; whether anything was."""
    appended = _needed(found, {**found.changes, tenant.slug: waiting}, {tenant.slug}, now)
    later = [publication for publication in appended if publication.effective_from > now]
    await publish(connection, _ids(found.rows), later)
    await revisions.bump(connection, "config", str(tenant.id))
    return bool(later)


def _needed(found: Deployment, changes: Changes, slugs: Iterable[str], now: int) -> list[Any]:
    """What to append for these tenants, of models that are published already: others are apply's to publish."""
    wanted, ids = set(slugs), _ids(found.rows)
    appended = publications(found.rows, books(found.document, changes, now))
    return [p for p in appended if p.tenant in wanted and (ids[p.tenant], p.model, p.level) in found.rows.prices]


def _levels_at(found: Deployment, tenant: Tenant, changes: Iterable[ScheduledChange], moment: int) -> dict[str, Levels]:
    try:
        document, _ = with_changes(found.document, tenant.slug, changes, moment)
    except LookupError:
        raise Conflict(f"Tenant {tenant.slug} has no prices yet.", fix="Run: reseller-kit apply") from None
    return levels_of(document, tenant.slug)


def _ids(rows: ManifestRows) -> dict[str, int]:
    return {row["slug"]: row["id"] for row in rows.tenants}


async def _require(connection: Connection, tenant: Tenant, change_id: str) -> StoredChange:
    found = await scheduled_prices.find(connection, tenant.id, change_id) if is_public_id(change_id, "sch") else None
    if found is None:
        raise NotFound(
            f"There is no scheduled price {change_id[:80]!r} at tenant {tenant.slug}.",
            fix=f"See: reseller-kit price schedule --tenant {tenant.slug}",
        )
    return found


async def _note(connection: Connection, tenant: Tenant, actor: str, action: str, change: ScheduledChange) -> None:
    facts = {**msgspec.to_builtins(change), "effective_from": format_time(change.effective_from)}
    await audit_log.record(connection, tenant.id, actor, action, "price", change.id, after=facts)
