"""A faulty upstream on raw sockets: it answers well in every API until a script tells it otherwise, and notes it all.

Runs in a thread of its own, so that a test can look on, change its mind and do other harm meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from scripts._emulator.exchange import Request
from tests.lab import damage, healthy
from tests.lab.behaviour import GOOD, Behaviour, Rule
from tests.lab.journal import Attempt, End, Journal

_HEAD_LIMIT: Final = 1 << 20
_PATIENCE_SECONDS: Final = 20.0
_HANG_SECONDS: Final = 600.0


@dataclass
class _Script:
    """Rules with the moment at which they began; `shown`: how often each was."""

    rules: Sequence[Rule] = ()
    began: float = 0.0
    shown: Counter[int] = field(default_factory=Counter)


class _Caller:
    """The other end of a connection. What was read to see whether it is still there belongs to its next request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.writer, self.number = writer, number
        self._reader = reader
        self._ahead = b""

    async def request(self) -> Request | None:
        """One request; None when the caller has closed."""
        try:
            head = self._ahead + await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        self._ahead = b""
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = first.split(" ", 2)
        return Request(method, target, headers, body)

    async def leaves_within(self, seconds: float) -> bool:
        """Wait, unless the caller closes the connection meanwhile."""
        if not seconds or self._ahead:
            await asyncio.sleep(seconds)
            return False
        with contextlib.suppress(TimeoutError):
            self._ahead = await asyncio.wait_for(self._reader.read(1), seconds)
            return not self._ahead
        return False

    async def send(self, data: bytes) -> None:
        """Send bytes, as fast as they are taken."""
        if data:
            self.writer.write(data)
            await self.writer.drain()

    async def reset(self) -> None:
        """Break the connection so that the caller sees a reset, not an orderly end; what was written leaves first."""
        await asyncio.sleep(0.005)
        found = self.writer.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class LabUpstream:
    """One provider. `keys` are those that it knows, numbered from 1; others are served as number 0.

    What is asked for next is decided in this order: behaviours queued by `will`, the last rule of the script that
    fits, a good answer. All methods may be called from any thread.
    """

    def __init__(self, name: str, keys: Sequence[str], loop: asyncio.AbstractEventLoop) -> None:
        self.name = name
        self.keys = tuple(keys)
        self.journal = Journal()
        self.port = 0
        self.connections = 0
        """Connections that were accepted since it was made."""
        self._loop = loop
        self._world = healthy.make_world(name)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._queue: deque[Behaviour] = deque()
        self._script = _Script()
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def origin(self) -> str:
        """Its address without a path."""
        return f"http://127.0.0.1:{self.port}"

    def base_url(self, dialect: str) -> str:
        """What a tenants.toml calls it."""
        return f"{self.origin}/v1" if dialect == "openai" else self.origin

    def will(self, *behaviours: Behaviour) -> None:
        """Do this at the next requests, one each, and forget what was queued and noted before."""
        self._run(self._replace(behaviours))

    def begin(self, rules: Sequence[Rule] = ()) -> float:
        """Follow these rules from now on; the moment on the monotonic clock. What was noted before is forgotten."""
        began: float = self._run(self._begin(rules))
        return began

    def refuse(self) -> None:
        """Listen no more, and break every connection."""
        self._run(self._refuse())

    def listen(self) -> None:
        """Listen again, on the same port."""
        self._run(self._listen())

    async def _replace(self, behaviours: Sequence[Behaviour]) -> None:
        self._queue = deque(behaviours)
        self._script = _Script()
        self.journal.clear()

    async def _begin(self, rules: Sequence[Rule]) -> float:
        await self._replace(())
        for timer in self._timers:
            timer.cancel()
        await self._listen()
        self._script = _Script(rules, self._loop.time())
        self._timers = []
        for rule in rules:
            if rule.refuse:
                self._timers.append(self._loop.call_later(rule.since, self._spawn, self._refuse))
                if rule.until < _HANG_SECONDS:
                    self._timers.append(self._loop.call_later(rule.until, self._spawn, self._listen))
        if any(rule.refuse and not rule.since for rule in rules):
            await self._refuse()
        return time.monotonic()

    async def _refuse(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._accept, "127.0.0.1", self.port, limit=_HEAD_LIMIT, backlog=1024, reuse_address=True
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        await self._refuse()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        caller = _Caller(reader, writer, self.connections)
        self._spawn(lambda: self._serve(caller))

    def _spawn(self, work: Callable[[], Any]) -> None:
        task = self._loop.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, caller: _Caller) -> None:
        self._open.add(caller.writer)
        try:
            while (request := await caller.request()) is not None:
                answer = healthy.answer(request, self._world)
                attempt, behaviour = self._note(request, answer, caller.number)
                if not await self._play(caller, answer, attempt, behaviour):
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._open.discard(caller.writer)
            caller.writer.close()

    def _note(self, request: Request, answer: healthy.Answer, connection: int) -> tuple[Attempt, Behaviour]:
        key = self._key(request.headers)
        behaviour = self._next(key, answer.model, answer.api)
        attempt = Attempt(
            n=0,
            upstream=self.name,
            at=time.monotonic(),
            key=key,
            model=answer.model,
            api=answer.api,
            path=request.target,
            stream=answer.stream,
            call=request.headers.get("x-client-request-id", ""),
            connection=connection,
            behaviour=behaviour.name,
            headers={name: value for name, value in request.headers.items() if name not in _SECRET},
            request=_decoded(request.body),
        )
        return self.journal.begin(attempt), behaviour

    def _key(self, headers: dict[str, str]) -> int:
        shown = headers.get("x-api-key") or headers.get("x-goog-api-key")
        shown = shown or headers.get("authorization", "").removeprefix("Bearer ").strip()
        return self.keys.index(shown) + 1 if shown in self.keys else 0

    def _next(self, key: int, model: str, api: str) -> Behaviour:
        if self._queue:
            return self._queue.popleft()
        script, at = self._script, self._loop.time() - self._script.began
        for number, rule in reversed(list(enumerate(script.rules))):
            if rule.fits(at=at, key=key, model=model, api=api, shown=script.shown[number]):
                script.shown[number] += 1
                return rule.do
        return GOOD

    async def _play(self, caller: _Caller, answer: healthy.Answer, attempt: Attempt, behaviour: Behaviour) -> bool:
        """Whether the connection goes on."""
        finish = damage.Finish("left", keeps=False)
        try:
            for step in damage.steps(answer, behaviour):
                if isinstance(step, damage.Send):
                    await caller.send(step.data)
                    attempt.status = answer.status
                    attempt.sent_events += step.events if answer.stream else 0
                    attempt.sent_deltas += step.deltas
                elif isinstance(step, damage.Wait):
                    if await caller.leaves_within(step.seconds):
                        break
                else:
                    finish = step
            if finish.end == "hang":
                await caller.leaves_within(_HANG_SECONDS)
        except ConnectionError:
            finish = damage.Finish("left", keeps=False)
        self._end(attempt, answer, behaviour, finish.end)
        if finish.end == "reset":
            await caller.reset()
        return finish.keeps

    def _end(self, attempt: Attempt, answer: healthy.Answer, behaviour: Behaviour, end: End) -> None:
        attempt.ended_at = time.monotonic()
        if end == "whole":
            attempt.reported, attempt.classes = answer.reported, answer.classes
            attempt.good = answer.status == 200 and behaviour.is_good(stream=answer.stream)
        attempt.end = end

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_SECONDS)


_SECRET: Final = frozenset({"authorization", "x-api-key", "x-goog-api-key"})


@contextmanager
def lab_upstreams(**keys: Sequence[str]) -> Iterator[dict[str, LabUpstream]]:
    """Upstreams by name on free loopback ports, each with its keys; all in one thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="lab", daemon=True)
    thread.start()
    made = {name: LabUpstream(name, known, loop) for name, known in keys.items()}
    try:
        for upstream in made.values():
            upstream.listen()
        yield made
    finally:
        for upstream in made.values():
            upstream._run(upstream._close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
