"""The product's server inside of the test's own process, so that a test sees which statements a request asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, cast

import httpx
from sqlalchemy import event
from sqlalchemy.engine import Engine

from reseller_kit import settings
from reseller_kit.app import Application
from tests.support.product import Shop

_asked: ContextVar[list[str] | None] = ContextVar("asked", default=None)


class Inside:
    """A server whose requests' statements are noted, those of its sweeps are not."""

    def __init__(self, application: Application, address: str, port: int) -> None:
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(cast(Any, application), client=("127.0.0.1", 50_000)),
            base_url=f"http://{address}:{port}",
        )

    async def get(self, path: str, cookies: dict[str, str] | None = None) -> tuple[httpx.Response, list[str]]:
        """The answer, and the statements that were asked for it."""
        asked: list[str] = []
        token = _asked.set(asked)
        try:
            header = {"cookie": "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())}
            answer = await self._http.get(path, headers=header)
        finally:
            _asked.reset(token)
        return answer, asked


def _note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
    asked = _asked.get()
    if asked is not None and "set_config" not in statement and not statement.startswith("SET "):
        asked.append(statement)


@asynccontextmanager
async def inside(shop: Shop, address: str) -> AsyncIterator[Inside]:
    """A further server on the shop's database, which answers as the one at `address` and the shop's port."""
    application = Application(settings.load(shop.installation.environment), port=shop.server.port)
    to_it: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_it: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    running = asyncio.create_task(cast(Any, application)({"type": "lifespan"}, to_it.get, from_it.put))
    await to_it.put({"type": "lifespan.startup"})
    started = await from_it.get()
    assert started["type"] == "lifespan.startup.complete", started
    event.listen(Engine, "before_cursor_execute", _note)
    try:
        yield Inside(application, address, shop.server.port)
    finally:
        event.remove(Engine, "before_cursor_execute", _note)
        await to_it.put({"type": "lifespan.shutdown"})
        await running
