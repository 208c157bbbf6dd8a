"""Looks at a pooled PostgreSQL connection before it is used again. Opens none, and knows no statement.

SQLAlchemy's own pre-ping asks every time, which with asyncpg is three trips to the server, as many as begin, scope and
end of a transaction. A connection that the server closed says so by itself; asked is one that lay idle, whose server
may be gone without a word.
"""

from __future__ import annotations

import time
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine

_ASKED_AFTER_SECONDS: Final = 1.0
_BACK_AT: Final = "reseller_kit.back_at"


def look_before_use(engine: AsyncEngine) -> None:
    """Have the engine's pool hand out no connection that ended, nor one that lay idle and does not answer."""

    @event.listens_for(engine.sync_engine, "checkin")
    def _back(_connection: Any, record: Any) -> None:
        record.info[_BACK_AT] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def _look(connection: Any, record: Any, _proxy: object) -> None:
        back_at = record.info.get(_BACK_AT)
        if back_at is None:
            return
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError
        if time.monotonic() - back_at < _ASKED_AFTER_SECONDS:
            return
        try:
            connection.ping()
        except (connection.dbapi.Error, OSError) as error:
            raise InvalidatePoolError from error
