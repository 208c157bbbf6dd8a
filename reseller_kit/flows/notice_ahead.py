"""How far ahead a team has to schedule what makes calls dearer for customers who use the models. Tells nobody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..core.errors import NoticeTooShort
from ..core.manifest import Levels
from ..core.pricing import losses
from ..core.times import DAY_US, HOUR_US, format_time
from ..db import price_notices
from ..db.engine import Connection
from ..db.tenants import Tenant
from .brand import notice_us
from .notices import USED_WITHIN_US

_NAMED: Final = 3


async def require_notice(
    connection: Connection,
    tenant: Tenant,
    before: Mapping[str, Levels],
    after: Mapping[str, Levels],
    moment: int,
    now: int,
) -> None:
    """Raise NoticeTooShort if prices that customers would have to hear of rise sooner than the tenant's notice allows.

    What falls, and what nobody used whom a mail would reach, may change at any moment.
    """
    ahead = notice_us(tenant.settings)
    if moment >= now + ahead:
        return
    risen = [name for name in sorted(before.keys() & after.keys()) if _rises(before[name], after[name])]
    users = await price_notices.users(connection, tenant.id, risen, now - USED_WITHIN_US)
    concerned = sorted(
        {
            user.model
            for user in users
            if losses(after[user.model].retail_for(user.group), before[user.model].retail_for(user.group))
        }
    )
    if not concerned:
        return
    # The next full hour: whoever is told has time to type it.
    earliest = -(-(now + ahead) // HOUR_US) * HOUR_US
    more = f" and {len(concerned) - _NAMED} more" if len(concerned) > _NAMED else ""
    raise NoticeTooShort(
        f"Customers who use {', '.join(concerned[:_NAMED])}{more} hear of higher prices {ahead // DAY_US} days ahead.",
        param="effective_from",
        fix=f"Let the change begin at {format_time(earliest)} or later. Prices that fall may begin at any moment.",
        earliest=earliest,
    )


def _rises(before: Levels, after: Levels) -> bool:
    """Whether anybody pays more: a price that lies below the later one."""
    groups = (None, *sorted({*before.groups, *after.groups}))
    return any(losses(after.retail_for(group), before.retail_for(group)) for group in groups)
