"""`usage explain`: every line behind a call's charge at the three levels. Computes anew, changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..core.catalog import TOKEN_CLASSES, group_of_level
from ..core.errors import NotFound
from ..core.money import format_amount, format_token_price, format_unit_price
from ..db import operator_archive, operator_audit
from ..db.engine import EVERY_TENANT, Database
from ..db.operator_audit import Connection, UsageFacts
from .recompute import Level, Line, pinned_prices, recompute, version_ids


async def explain(db: Database, usage_id: str, *, tenant_id: int | None = None) -> dict[str, Any]:
    """The charge of one usage record, line by line; of one tenant's when `tenant_id` is given.

    `lines`: level, class, quantity, price version, price (USD per million tokens, or per unit for other classes)
    and exact amount in USD. `totals` by level: the exact sum, the amount it rounds up to at nano-USD, the stored
    amount, and whether these two match. Raises NotFound.
    """
    async with db.read(EVERY_TENANT if tenant_id is None else tenant_id) as connection:
        record = await operator_audit.usage_record(connection, usage_id, tenant_id)
        if record is None:
            raise await _not_found(connection, usage_id, tenant_id)
        wanted = {version_id for version_id in version_ids(record) if version_id is not None}
        stored = await operator_audit.price_versions(connection, wanted)
    levels = recompute(record, {version_id: pinned_prices(version) for version_id, version in stored.items()})
    return {
        **_facts(record),
        "lines": [_line(level, line) for level in levels for line in level.lines],
        "totals": {level.level: _total(level) for level in levels},
        "matches": all(level.matches for level in levels),
    }


async def _not_found(connection: Connection, usage_id: str, tenant_id: int | None) -> NotFound:
    archive = await operator_archive.archive_of(connection, usage_id)
    if archive is None or tenant_id is not None:
        return NotFound(f"There is no usage record {usage_id}.", fix="List them with: reseller-kit usage list")
    return NotFound(
        f"Usage records of {archive.month} were archived.",
        fix=f"Look for {usage_id} in usage-{archive.month}.jsonl.gz, written to {archive.path}.",
    )


def _facts(record: UsageFacts) -> dict[str, Any]:
    return {
        "id": record.id,
        "created_at": _time(record.created_at),
        "customer_id": record.customer_id,
        "key": record.key_id,
        "model": record.model,
        "public_model": record.public_model,
        "upstream": record.upstream,
        "upstream_model": record.upstream_model,
        "status": record.status,
        "usage_source": record.usage_source,
        "usage_capped": record.usage_capped,
        "retail": format_amount(record.retail_nano),
        "wholesale": format_amount(record.wholesale_nano),
        "cost": format_amount(record.cost_nano),
    }


def _line(level: Level, line: Line) -> dict[str, Any]:
    of_tokens = line.usage_class in TOKEN_CLASSES
    return {
        "level": level.level,
        "class": line.usage_class,
        "quantity": line.quantity,
        "price_version": None if level.version is None else level.version.id,
        "price": format_token_price(line.price) if of_tokens else format_unit_price(line.price),
        "per": "million tokens" if of_tokens else "unit",
        "amount": format_unit_price(line.amount),
    }


def _total(level: Level) -> dict[str, Any]:
    version = level.version
    return {
        "price_version": None if version is None else version.id,
        "price_of": None if version is None else version.model,
        "group": None if version is None else group_of_level(version.level),
        "effective_from": None if version is None else _time(version.effective_from),
        "above_input": level.tier,
        "sum": format_unit_price(level.pico),
        "amount": format_amount(level.nano),
        "stored": format_amount(level.stored),
        "matches": level.matches,
        "fault": level.fault,
    }


def _time(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
