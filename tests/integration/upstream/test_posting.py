"""A POST to an address that a reseller gave, attacked: redirects, endless and slow answers, names that change."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from reseller_kit.core.hook_address import HookAddress, hook_address
from reseller_kit.upstream import posting
from reseller_kit.upstream.faults import TransportFailed
from reseller_kit.upstream.posting import MAX_ANSWER, post
from tests.support.mail_server import self_signed
from tests.support.receiver import Receiver, receiver, status


class Names:
    """A resolver whose answers change from one question to the next."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = answers
        self.asked = 0

    def look_up(self, host: str, port: int, **_: Any) -> list[Any]:
        assert host
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [(2, 1, 6, "", (address, port)) for address in found]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names(["127.0.0.1"])
    monkeypatch.setattr(posting, "getaddrinfo", made.look_up)
    return made


def at(port: int, host: str = "crm.example", scheme: str = "http") -> HookAddress:
    return HookAddress(scheme=scheme, host=host, port=port, target="/hook")


async def send(address: HookAddress, *, private: bool = True, seconds: float = 5.0) -> posting.Answer:
    return await post(address, [("user-agent", "webhooks/1")], b"{}", private=private, seconds=seconds)


async def test_a_redirect_is_an_answer_and_leads_nowhere() -> None:
    async with receiver() as crm, receiver() as inside:
        crm.answers = [status(307, f"location: {inside.url}"), status(302, "location: http://169.254.169.254/latest")]
        for code in (307, 302):
            assert (await send(hook_address(crm.url, private=True))).status == code
    assert inside.got == []


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.1.2.3", "::1", "64:ff9b::7f00:1"])
async def test_a_name_that_leads_inside_is_not_connected_to(names: Names, address: str) -> None:
    async with receiver() as crm:
        for answers in ([address], ["93.184.216.34", address]):
            names.answers = (answers,)
            with pytest.raises(TransportFailed) as refused:
                await send(at(crm.port), private=False)
            assert refused.value.kind == "connect"
            assert "not a public one" in refused.value.reason
    assert crm.got == []


async def test_a_name_is_looked_up_once_for_the_check_and_the_connection(names: Names) -> None:
    names.answers = (["127.0.0.1"], ["169.254.169.254"])
    async with receiver() as crm:
        assert (await send(at(crm.port))).status == 204
    assert names.asked == 1
    assert crm.got[0].headers["host"] == f"crm.example:{crm.port}"


async def test_an_endless_answer_is_cut() -> None:
    written = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
            written += 1024
            await writer.drain()

    async with receiver() as crm:
        crm.answers = [endless]
        found = await send(hook_address(crm.url, private=True))
    assert found.status == 200
    assert found.beginning == b"x" * 1024
    assert written < 200 * MAX_ANSWER


async def test_a_dripping_answer_ends_with_the_time() -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with receiver() as crm:
        crm.answers = [drip]
        with pytest.raises(TransportFailed) as late:
            await send(hook_address(crm.url, private=True), seconds=0.5)
    assert late.value.kind == "timeout"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x%d: y\r\n" % n for n in range(500)) + b"\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: h2c\r\n\r\n",
    ],
)
async def test_what_is_no_answer_is_a_failure_and_no_fault(answer: bytes) -> None:
    async with receiver() as crm:
        crm.answers = [answer]
        with pytest.raises(TransportFailed):
            await send(hook_address(crm.url, private=True), seconds=2)


async def test_a_body_that_breaks_off_is_none_the_less_an_answer() -> None:
    async with receiver() as crm:
        crm.answers = [b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart"]
        found = await send(hook_address(crm.url, private=True))
    assert (found.status, found.beginning) == (200, b"part")


async def test_nobody_who_listens_and_a_certificate_of_nobodys_are_failures_in_words(
    names: Names, tmp_path: Path
) -> None:
    async with receiver() as crm:
        port = crm.port
    with pytest.raises(TransportFailed) as refused:
        await send(at(port))
    assert "no connection" in refused.value.reason
    assert "127.0.0.1" not in refused.value.reason
    bad: Receiver = Receiver()
    server = await asyncio.start_server(bad._serve, "127.0.0.1", 0, ssl=self_signed(tmp_path))  # a receiver's own
    try:
        with pytest.raises(TransportFailed) as untrusted:
            await send(at(server.sockets[0].getsockname()[1], scheme="https"))
    finally:
        server.close()
    assert "certificate is not good" in untrusted.value.reason
    assert bad.got == []
    assert names.asked == 2
