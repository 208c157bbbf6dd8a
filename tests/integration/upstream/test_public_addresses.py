"""An upstream that is for the public internet alone: where its connections go, whatever its host's name leads to."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from reseller_kit.upstream import addresses
from reseller_kit.upstream.endpoint import endpoint
from reseller_kit.upstream.faults import TransportFailed
from reseller_kit.upstream.pool import Pool

PUBLIC, SECOND, INSIDE = "93.184.216.34", "2606:4700::1111", "127.0.0.1"


class Net:
    """Names and connections as a test would have them: each look-up gets the next answer, nothing leaves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.looked_up: list[str] = []
        self.connected: list[tuple[str, str | None]] = []
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", self._getaddrinfo)
        monkeypatch.setattr(loop, "create_connection", self._create_connection)

    async def _getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        self.looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.answers.pop(0)]

    async def _create_connection(self, _: Any, host: str, __: int, **options: Any) -> Any:
        self.connected.append((host, options["server_hostname"]))
        raise ConnectionRefusedError("nobody there")


async def ask(pool: Pool) -> TransportFailed:
    with pytest.raises(TransportFailed) as failed:
        await pool.send(b"GET / HTTP/1.1\r\n")
    return failed.value


def open_pool(url: str = "https://api.example.com/v1", *, public_only: bool = True) -> Pool:
    return Pool(endpoint("aurora/own", url, public_only=public_only))


async def test_a_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(monkeypatch, [PUBLIC, SECOND], [INSIDE])
    pool = open_pool()
    await ask(pool)
    # The name leads elsewhere by now; it was not asked again, and TLS still is for the name.
    assert net.looked_up == ["api.example.com"]
    assert net.connected == [(PUBLIC, "api.example.com"), (SECOND, "api.example.com")]
    net.connected.clear()
    refused = await ask(pool)
    assert (refused.kind, refused.before_bytes) == ("connect", True)
    assert net.connected == []


@pytest.mark.parametrize("answer", [[INSIDE], [PUBLIC, INSIDE], ["::ffff:127.0.0.1"], ["169.254.169.254"], []])
async def test_one_address_inside_refuses_the_host(monkeypatch: pytest.MonkeyPatch, answer: list[str]) -> None:
    net = Net(monkeypatch, answer)
    assert "not a public one" in (await ask(open_pool())).reason
    assert net.connected == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
async def test_loopback_is_not_connected_to(host: str) -> None:
    reached = 0

    async def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        failed = await ask(open_pool(f"http://{host}:{port}"))
    assert failed.kind == "connect"
    assert "not a public one" in failed.reason
    assert reached == 0


async def test_the_operators_own_upstreams_may_be_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(monkeypatch)
    await ask(open_pool("http://127.0.0.1:9", public_only=False))
    assert net.connected == [("127.0.0.1", None)]
    assert net.looked_up == []


def test_looking_up_tells_what_there_is_and_fails_for_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        if host == "none.example":
            raise socket.gaierror("unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, 0))] * 2

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert addresses.look_up(["a.example", "none.example", "a.example"]) == {"a.example": [PUBLIC], "none.example": []}
    assert addresses.look_up([]) == {}
