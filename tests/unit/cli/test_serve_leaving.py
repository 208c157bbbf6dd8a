"""How long a process that was told to end takes calls: until its balancer knows, which it can't be told. And which."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from reseller_kit.cli.serve import _listen, _Server, _Worker
from scripts._lib.ports import free_port


@pytest.mark.parametrize(
    ("delay", "told_ago", "last_call_ago", "goes_on"),
    [
        (4, 1, 60, True),  # the delay is kept, whether calls come or not
        (4, 5, 0.1, True),  # and some more while they do
        (4, 5, 2, False),
        (4, 8.5, 0.1, False),  # but not for ever
        (0, 0.1, 0, False),  # nobody asked for time
    ],
)
def test_calls_are_taken_until_the_balancer_sends_none(
    delay: float, told_ago: float, last_call_ago: float, *, goes_on: bool
) -> None:
    application: Any = SimpleNamespace(quiet_seconds=last_call_ago)
    server = _Server(uvicorn.Config(application), application, None, delay)
    assert server._is_sent_calls(time.monotonic() - told_ago) is goes_on


class Greeter(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        transport.write(b"hello")
        transport.close()


async def test_whom_the_kernel_has_connected_is_taken_before_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that wait are reset when what listens is closed."""
    application: Any = SimpleNamespace()
    server = _Server(uvicorn.Config(application), application, None, 0)
    monkeypatch.setattr(server, "_connection", Greeter)
    listening = [_listen("127.0.0.1", free_port()) for _ in range(2)]
    server.servers = [SimpleNamespace(close=each.close) for each in listening]  # type: ignore[misc]  # as far as asked
    clients = [socket.create_connection(each.getsockname(), timeout=20) for each in listening for _ in range(3)]
    await server._stop_listening(listening)
    heard = [await asyncio.to_thread(client.recv, 100) for client in clients]
    assert heard == [b"hello"] * 6
    for client in clients:
        client.close()


def test_a_worker_knows_whether_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = _Worker()
    monkeypatch.setattr(os, "getppid", lambda: worker._parent)
    before = worker.leaves_alone
    worker.end()
    assert (before, worker.leaves_alone) == (True, False)
    orphan = _Worker()
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert (orphan.is_orphan, orphan.leaves_alone) == (True, False)


@pytest.mark.parametrize(
    ("alone", "delay", "told"), [(True, 0, []), (False, 0, ["leave", "drain"]), (False, 4, ["leave"])]
)
def test_a_worker_that_leaves_alone_does_not_say_that_the_server_ends(
    delay: float, told: list[str], *, alone: bool
) -> None:
    said: list[str] = []
    application: Any = SimpleNamespace(leave=lambda: said.append("leave"), drain=lambda: said.append("drain"))
    worker: Any = SimpleNamespace(leaves_alone=alone)
    server = _Server(uvicorn.Config(application), application, worker, delay)
    server.handle_exit(15, None)
    assert said == told
    assert server.should_exit
    assert server._state.leaving
