"""Tells customers of prices that change: ahead of scheduled ones, at once of the others. Each change once a customer.

Customers who called one of the models in the last 90 days get one mail a moment, with the lines that concern them.
Whoever was told of a price that is taken back before its moment gets another one.
Decides on no price; the mails go through the outbox.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec

from ..core.storefront import priced_apart
from ..core.times import DAY_US
from ..db import operator_prices, outbox, price_notices
from ..db.engine import EVERY_TENANT, Database, now_us
from ..db.operator_prices import Untold
from ..db.price_notices import ANNOUNCED, WITHDRAWN, ModelUser, Told
from ..db.tenants import Tenant
from .brand import changed_prices, notice_us, told_moment

USED_WITHIN_US: Final = 90 * DAY_US
_LATE_US: Final = DAY_US
"""How long after it took effect a change is still told of: a server may have been away."""
_LONGEST_NOTICE_US: Final = 366 * DAY_US
_AT_ONCE: Final = 100
_FIRST_AT_ONCE: Final = 500

_Line = Mapping[str, Any]
_Lines = Mapping[tuple[str | None, str], list[dict[str, Any]]]
"""Group, None for everybody else's prices, and model → what changes."""


async def tell(db: Database, now: int | None = None, *, pause_seconds: float = 0) -> int:
    """Put the mails of every change that is to be told of by `now` (µs) into the outbox; how many were new.

    `pause_seconds`: between storefronts, of which a change of costs may concern thousands.
    """
    at = now_us() if now is None else now
    async with db.read(EVERY_TENANT) as connection:
        found = await operator_prices.untold(connection, at - _LATE_US, at + _LONGEST_NOTICE_US)
    first = [one for one in found if not one.news]
    for start in range(0, len(first), _FIRST_AT_ONCE):
        async with db.write(EVERY_TENANT) as connection:
            await operator_prices.pass_over(connection, first[start : start + _FIRST_AT_ONCE], at)
    told = 0
    for one in found:
        if one.news and one.effective_from - notice_us(one.tenant.settings) <= at:
            told += await _tell(db, one.tenant, one, at)
            await asyncio.sleep(pause_seconds)
    return told


async def _tell(db: Database, tenant: Tenant, change: Untold, now: int) -> int:
    """Tell of one moment, some customers a transaction: a repetition after a fault finds the mails that are there."""
    async with db.read(tenant.id) as connection:
        changes = await price_notices.changes_at(connection, tenant.id, change.effective_from)
        models = sorted({one.model for one in changes})
        users = await price_notices.users(connection, tenant.id, models, now - USED_WITHIN_US)
        before = {
            one.customer_id: one for one in await price_notices.told(connection, tenant.id, change.effective_from)
        }
    lines = {
        (one.group, one.model): [
            {
                "class": (new or old).class_name,  # type: ignore[union-attr]  # a change has at least one side
                "above_input": (new or old).above_input,  # type: ignore[union-attr]  # see above
                "old": None if old is None else old.price,
                "new": None if new is None else new.price,
            }
            for old, new in changed_prices(one.before, one.after)
        ]
        for one in changes
    }
    speaks = tenant.status == "active" and tenant.suspended_at is None
    named = {key: list(own) for key, own in groupby(users, key=lambda user: user.customer_id)}
    customers = sorted({*named, *before}) if speaks else []
    told = 0
    for start in range(0, len(customers), _AT_ONCE):
        async with db.write(tenant.id) as connection:
            for customer in customers[start : start + _AT_ONCE]:
                own, last = named.get(customer, []), before.get(customer)
                for mail in _mails(tenant, own, last, lines, change.effective_from):
                    told += await outbox.add(connection, tenant.id, **mail, now=now)
    async with db.write(tenant.id) as connection:
        await price_notices.mark_told(connection, tenant.id, change.effective_from, change.newest_version, now)
    return told


def _mails(
    tenant: Tenant, own: list[ModelUser], last: Told | None, lines: _Lines, moment: int
) -> Iterator[dict[str, Any]]:
    """What a customer is to be told now: of what was announced and does not come, and of what does."""
    apart = priced_apart(tenant.settings)
    concerned = [
        {"model": user.name, **line}
        for user in own
        for line in lines.get((user.group if user.group in apart else None, user.model), ())
    ]
    if last is not None and last.kind == ANNOUNCED:
        coming = {_what(line) for line in concerned}
        withdrawn = [line for line in last.lines if _what(line) not in coming]
        if withdrawn:
            yield _mail(tenant, WITHDRAWN, last.customer_id, last.recipient, withdrawn, moment, behind=last.mail_id)
    if concerned:
        # What was announced, taken back and is announced anew is told anew.
        behind = last.mail_id if last is not None and last.kind == WITHDRAWN else ""
        yield _mail(tenant, ANNOUNCED, own[0].customer_id, own[0].email, concerned, moment, behind=behind)


def _what(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return line["model"], line["class"], line["above_input"]


def _mail(
    tenant: Tenant, kind: str, customer_id: str, email: str, lines: Sequence[_Line], moment: int, *, behind: str
) -> dict[str, Any]:
    """One mail; its key is of what it says, so that other prices for the same moment are told as well."""
    said = hashlib.sha256(msgspec.json.encode(lines) + behind.encode()).hexdigest()[:16]
    return {
        "kind": kind,
        "recipient": email,
        "payload": {"from_date": told_moment(moment, tenant.timezone), "lines": list(lines)},
        "dedupe": f"{kind}:{customer_id}:{moment}:{said}",
    }
