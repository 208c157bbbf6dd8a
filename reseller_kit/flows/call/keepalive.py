"""Breaks an upstream's silence towards a streaming client, so that nothing between the two takes it for dead."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final

from ...core.errors import KitError
from ...wire.codec import Call, Reply
from ...wire.codecs import CODECS
from ...wire.completion import EventWriter, Tap
from .job import Job
from .sink import Sink

_log = logging.getLogger(__name__)
_SILENCE_SECONDS: Final = 15.0
"""Proxies and clients give up after thirty seconds and more; until then a failed route costs the client nothing."""


class Keepalive:
    """Sends the API's own ping after each silence, and begins the stream for that if need be.

    A stream that was begun for a ping alone can still change its route; if none answers, `fail` says so in-band.
    """

    def __init__(self, sink: Sink, job: Job, call: Call) -> None:
        self._sink, self._job, self._call = sink, job, call
        self._loop = asyncio.get_running_loop()
        self._sent_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(_SILENCE_SECONDS, self._look)
        self._ping: asyncio.Task[None] | None = None

    def sent(self) -> None:
        """Something was sent."""
        self._sent_at = self._loop.time()

    def stop(self) -> None:
        """The stream is over, or is about to be ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def fail(self, error: KitError, tap: Tap | None) -> None:
        """End a stream that was begun, in the words of the tap that wrote in it; nothing to do where none was."""
        if self._sink.started and not self._sink.finished:
            with suppress(OSError):
                await self._sink.send(self._last_words(error, tap), last=True)

    def _last_words(self, error: KitError, tap: Tap | None) -> bytes:
        if tap is not None:
            try:
                return tap.fail(error)
            except Exception:  # noqa: BLE001  # a tap that broke can't end its stream; anything else would look like a success
                _log.exception("%s: a stream could not be ended in its own words", self._job.caller.request_id)
        return self._writer().fail(error)

    def _look(self) -> None:
        left = self._sent_at + _SILENCE_SECONDS - self._loop.time()
        if left <= 0 and not self._sink.gone():
            self._ping = self._loop.create_task(self._break_silence())
            self.sent()
            left = _SILENCE_SECONDS
        self._timer = self._loop.call_later(max(left, 0.1), self._look)

    async def _break_silence(self) -> None:
        with suppress(OSError):
            if not self._sink.started:
                await self._sink.start(self._job)
            ping = self._writer().ping()
            if ping:
                await self._sink.send(ping)

    def _writer(self) -> EventWriter:
        reply = Reply(model=self._job.shown, request_id=self._job.caller.request_id, maker="")
        return CODECS[self._call.api].event_writer(self._call, reply)
