"""What a storefront announces, read before a page's handler runs. Decides on nothing that is shown."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from litestar import Request

from ..core.times import SECOND_US
from ..db.announcements import Announcement
from ..db.engine import now_us
from ..flows.runtime import Runtime
from ..theming.support import AnnouncementRow
from .dispatch import RUNTIME_KEY, STOREFRONT_KEY

_KEY: Final = "reseller_kit.announcements"


async def load(scope: dict[str, Any]) -> None:
    """Read what the storefront announces."""
    runtime: Runtime = scope[RUNTIME_KEY]
    scope[_KEY] = await runtime.board.of(scope[STOREFRONT_KEY].tenant_id)


def rows_of(request: Request[Any, Any, Any]) -> tuple[AnnouncementRow, ...]:
    """All that may be read, newest first."""
    now = now_us()
    kept: list[Announcement] = request.scope.get(_KEY, [])  # type: ignore[assignment]
    return tuple(_row(found, now) for found in kept)


def _row(found: Announcement, now: int) -> AnnouncementRow:
    return AnnouncementRow(
        id=found.id,
        kind=found.kind,
        title=found.title,
        body=found.body,
        starts=moment(found.starts_at),
        ends=None if found.ends_at is None else moment(found.ends_at),
        current=found.current(now),
    )


def moment(at_us: int) -> dt.datetime:
    """A moment as pages take it."""
    return dt.datetime.fromtimestamp(at_us // SECOND_US, dt.UTC)
