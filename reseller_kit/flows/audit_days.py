"""The audit of daily allowances: what counts as used of a lot today is what calls of today hold and were charged.

Earlier days are looked at as far as yesterday: the next call begins a new one, whatever stands there.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from ..core.ledger import day_of
from ..core.money import format_amount
from ..core.times import DAY_US
from ..db.engine import Connection
from ..db.operator_day_checks import DayHold, holds_since, lot_days
from .audit_findings import Findings

_allocations = msgspec.json.Decoder(list[tuple[str, int]]).decode


async def check_days(connection: Connection, tenant: int | None, found: Findings, now: int) -> None:
    """Compare each allowance with the holds of its day."""
    since = day_of(now) - DAY_US
    days = await lot_days(connection, tenant, since)
    if not days:
        return
    kept: Counter[tuple[str, int]] = Counter()
    async for hold in holds_since(connection, tenant, {one.wallet_id for one in days}, since):
        for lot_id, part in _kept(hold):
            kept[lot_id, day_of(hold.created_at)] += part
    for one in days:
        expected = kept[one.lot_id, one.day]
        if one.used != expected:
            amounts = f"{format_amount(one.used)} as used that day, its calls hold and spent {format_amount(expected)}"
            found.add("allowance_used_differs", 3, one.lot_id, f"The lot counts {amounts}.")


def _kept(hold: DayHold) -> list[tuple[str, int]]:
    """What a hold keeps of its parts: all while it is open, then what its charge took of them, in their order."""
    try:
        parts = _allocations(hold.allocations)
    except msgspec.DecodeError:
        return []  # told of where open holds are checked
    if hold.charged is None:
        return parts
    rest, taken = hold.charged, []
    for lot_id, part in parts:
        taken.append((lot_id, min(part, rest)))
        rest -= min(part, rest)
    return taken
