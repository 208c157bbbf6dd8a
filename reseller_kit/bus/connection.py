"""The connection to Redis or Valkey. Tries nothing twice: whoever asks has something else to fall back on."""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

__all__ = ["Redis", "connect"]

_ANSWER_SECONDS: Final = 0.5
"""A call waits for its limits no longer than this, once; then the server counts as away."""
_CONNECT_SECONDS: Final = 1.0


def connect(url: str) -> Redis:
    """A client of `redis://…` or `rediss://…`, which connects when it is first used.

    One server, not a cluster: scripts name their keys themselves.
    """
    return Redis.from_url(
        url,
        protocol=2,
        socket_timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_CONNECT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
