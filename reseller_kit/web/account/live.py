"""`/account/usage/live`: a customer's calls as they are written, as server-sent events that a page's script shows.

The database is asked every other second, so that calls which another process served are seen too. A connection ends
after some minutes, when the process drains, or when the session is over; the browser then comes back by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from ...core.errors import RateLimited
from ...core.times import SECOND_US
from ...db.engine import now_us
from ...db.usage import UsageFilter, UsageRecord
from ...flows.identity import sessions as stored_sessions
from ...flows.runtime import Runtime
from ...flows.usage_pages import key_names, latest
from ...theming.account import CallRow
from ..guards import known
from ..pages import Handler, Pages
from ..pages.answer import SECURITY_HEADERS, runtime_of
from ..sessions import Session, required_session
from .portal import call_rows, timezone_of
from .usage import asked

_PAUSE_SECONDS: Final = 2.0
_LONGEST_SECONDS: Final = 300.0
_OVERLAP_US: Final = 15 * SECOND_US
"""How far back each look reaches: a batch is stamped before it is committed, and a page was made before it asks."""
_AT_ONCE: Final = 50
_PER_CUSTOMER: Final = 3
_IN_ALL: Final = 300


class _Open:
    """How many are open in this process, in all and by customer."""

    def __init__(self) -> None:
        self.by_customer: Counter[str] = Counter()

    def check(self, customer_id: str) -> None:
        """Raises RateLimited when there are as many as there may be."""
        if self.by_customer[customer_id] >= _PER_CUSTOMER or self.by_customer.total() >= _IN_ALL:
            raise RateLimited("There are too many live views open.", retry_after_seconds=30)

    def enter(self, customer_id: str) -> None:
        """One more."""
        self.by_customer[customer_id] += 1

    def leave(self, customer_id: str) -> None:
        """One less."""
        self.by_customer[customer_id] -= 1
        if not self.by_customer[customer_id]:
            del self.by_customer[customer_id]


def live_handlers(pages: Pages) -> list[HTTPRouteHandler]:
    """The stream of a customer's own calls."""
    opened = _Open()

    @get("/account/usage/live", guards=[known])
    async def live(request: Handler) -> Stream:
        session = required_session(request)
        opened.check(session.customer_id)
        headers = {**SECURITY_HEADERS, "cache-control": "no-store", "x-accel-buffering": "no"}
        return Stream(_events(pages, request, session, opened), media_type="text/event-stream", headers=headers)

    return [live]


async def _events(pages: Pages, request: Handler, session: Session, opened: _Open) -> AsyncIterator[bytes]:
    runtime, timezone = runtime_of(request), timezone_of(request, session)
    wanted, _ = asked(request, session, timezone)
    names = {key.id: key.name for key in await key_names(runtime.db, session.tenant_id, session.customer_id)}
    seen: dict[str, int] = {}
    began = time.monotonic()
    opened.enter(session.customer_id)
    try:
        yield b"retry: 3000\n\n"
        while time.monotonic() - began < _LONGEST_SECONDS and not runtime.draining:
            since = now_us() - _OVERLAP_US
            found = await latest(runtime.db, session.tenant_id, session.customer_id, since, _AT_ONCE)
            news = [record for record in found if record.id not in seen and _matches(record, wanted)]
            seen |= dict.fromkeys((record.id for record in found), now_us())
            seen = {name: at for name, at in seen.items() if at > now_us() - 2 * _OVERLAP_US}
            rows = call_rows(news, timezone, names)
            yield _event(pages.fragment(request, "account/live.html", rows), rows) if rows else b": \n\n"
            await asyncio.sleep(_PAUSE_SECONDS)
            if not await _still_in(runtime, session):
                return
    finally:
        opened.leave(session.customer_id)


def _matches(record: UsageRecord, wanted: UsageFilter) -> bool:
    pairs: tuple[tuple[Any, Any], ...] = (
        (wanted.model, record.model),
        (wanted.key_id, record.key_id),
        (wanted.status, record.status),
    )
    return all(value is None or value == found for value, found in pairs)


def _event(html: str, rows: tuple[CallRow, ...]) -> bytes:
    return b"event: calls\ndata: %b\n\n" % msgspec.json.encode({"ids": [row.id for row in rows], "html": html})


async def _still_in(runtime: Runtime, session: Session) -> bool:
    found = await stored_sessions.current(runtime.identity, session.tenant_id, session.token)
    return found is not None
