"""Tells other processes that the database has a new revision, so that they look at once. Carries nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

_log = logging.getLogger(__name__)
_AGAIN_SECONDS: Final = 1.0
_LISTEN_SECONDS: Final = 5.0


class Announcements:
    """One channel. Whoever misses an announcement finds the change by its own look, a moment later."""

    def __init__(self, redis: Redis, *, space: str) -> None:
        self._redis = redis
        self._channel = f"{space}revision"

    async def tell(self, revision: int) -> None:
        """Say that there is this revision; nothing happens while the server is away."""
        try:
            await self._redis.publish(self._channel, revision)
        except (RedisError, OSError) as error:
            _log.debug("revision %d was not announced: %s", revision, error)

    async def listen(self, heard: Callable[[int], object]) -> None:
        """Call `heard` with each revision, for ever."""
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(self._channel)
                    await self._hear(subscription.get_message, heard)
            except (RedisError, OSError) as error:
                _log.debug("announcements are not heard: %s", error)
            await asyncio.sleep(_AGAIN_SECONDS)

    @staticmethod
    async def _hear(get: Callable[..., object], heard: Callable[[int], object]) -> None:
        while True:
            message = await get(timeout=_LISTEN_SECONDS)  # type: ignore[misc]  # the library types it as a plain object
            if message is not None and message["data"].isdigit():
                heard(int(message["data"]))
