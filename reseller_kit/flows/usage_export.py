"""Use case of a customer that takes its usage records along: as CSV or JSON, page by page, at retail alone.

Each page is a transaction of its own, and none is open while bytes go out, however slowly they are read. A record that
is written while an export runs may be missing from it. Memory is that of one page.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import structs

from ..core.csv_text import csv_rows
from ..core.usage import PRICE_CLASSES
from ..db.engine import Database
from ..db.usage import UsageFilter, UsageRecord
from .own_record import own_record
from .usage_pages import search

_AT_ONCE: Final = 250
_FIELDS: Final = (
    *("id", "created_at", "key_id", "key", "model", "stream", "status", "http_status"),
    *PRICE_CLASSES,
    *("reasoning_tokens", "usage_source", "charge", "latency_ms", "first_byte_ms"),
)


def exported(record: UsageRecord) -> dict[str, Any]:
    """A record as its customer takes it along; `charge` is a decimal string in USD."""
    return {
        "key_id": record.key_id,
        **own_record(record, {name: record.quantities.get(name, 0) for name in PRICE_CLASSES}),
    }


async def as_csv(db: Database, tenant_id: int, wanted: UsageFilter) -> AsyncIterator[bytes]:
    """The customer's records as CSV with a head line, newest first, in pieces."""
    yield csv_rows([_FIELDS])
    async for records in _pages(db, tenant_id, wanted):
        yield csv_rows([document[name] for name in _FIELDS] for document in map(exported, records))


async def as_json(db: Database, tenant_id: int, wanted: UsageFilter) -> AsyncIterator[bytes]:
    """The customer's records as one JSON document, `{"records": […]}`, newest first, in pieces."""
    before = b'{"records":['
    async for records in _pages(db, tenant_id, wanted):
        yield before + b",\n".join(msgspec.json.encode(exported(record)) for record in records)
        before = b",\n"
    yield b"]}\n" if before == b",\n" else before + b"]}\n"


async def _pages(db: Database, tenant_id: int, wanted: UsageFilter) -> AsyncIterator[Sequence[UsageRecord]]:
    while True:
        records = await search(db, tenant_id, wanted, _AT_ONCE)
        if records:
            yield records
        if len(records) < _AT_ONCE:
            return
        wanted = structs.replace(wanted, before_id=records[-1].id)
