"""Streams end settled: what came with the end leaves once they are, and a fault is told in-band, whatever it was."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reseller_kit.db.ledger import LostLease
from reseller_kit.flows.call import generate
from reseller_kit.flows.call.job import Caller, Job
from reseller_kit.flows.runtime import Runtime
from reseller_kit.wire import openai_chat
from tests.support.routing import Scripted, make_job, make_runtime, offer, route

CALL = openai_chat.decode(b'{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}')
CHUNK = b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Well"}}]}\n\n'
OTHER = CHUNK.replace(b"Well", b"then")
DONE = b"data: [DONE]\n\n"


class Client:
    """Where the stream goes."""

    def __init__(self) -> None:
        self.started = self.finished = False
        self.got = b""
        self.pieces: list[bytes] = []
        """What came in one write each."""

    async def start(self, _job: Job) -> None:
        self.started = True

    async def send(self, data: bytes, *, last: bool = False) -> None:
        self.write(data)
        self.finished = self.finished or last

    def ready(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        self.got += data
        self.pieces.append(data)

    def on_gone(self, _call: object) -> None:
        pass

    def gone(self) -> bool:
        return False

    def unwanted(self) -> bool:
        return False


def streaming(*chunks: Any) -> Any:
    """An answer of these pieces; one that is an exception is raised."""
    left = list(chunks)

    async def chunk() -> bytes:
        await asyncio.sleep(0)
        piece = left.pop(0) if left else b""
        if isinstance(piece, Exception):
            raise piece
        return cast("bytes", piece)

    async def wait(_take: object) -> None:
        """Everything is left to `chunk`."""

    return SimpleNamespace(
        status=200,
        headers={},
        wait=wait,
        chunk=chunk,
        abort=lambda: None,
        leave=lambda: None,
        refusal=None,
        ticket=None,
    )


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How the job was settled; nothing is held or written."""
    found: list[str] = []

    async def admit(_runtime: Runtime, _caller: Caller, _call: object) -> Job:
        return make_job(offer("m", route("up")), stream=True)

    async def settle(_runtime: Runtime, job: Job, ending: Any) -> Any:
        job.settled = True
        found.append(ending.status)
        return ending.usage

    monkeypatch.setattr(generate, "_admit", admit)
    monkeypatch.setattr(generate, "settle", settle)
    return found


def make_idle_runtime(answer: Any) -> Runtime:
    runtime: Any = make_runtime({"up": Scripted(lambda: answer)})
    runtime.ledger, runtime.heartbeat = SimpleNamespace(epoch=1), SimpleNamespace(doubtful=lambda: False)
    return cast("Runtime", runtime)


async def stream(client: Client, answer: Any) -> None:
    await generate.stream(make_idle_runtime(answer), cast("Caller", None), CALL, cast("Any", client))


@pytest.mark.parametrize(
    ("came", "sent"),
    [
        ((CHUNK + OTHER + DONE,), [(b"Well", b"then", b"[DONE]")]),
        ((CHUNK, OTHER + DONE), [(b"Well",), (b"then", b"[DONE]")]),
        ((CHUNK, OTHER, DONE), [(b"Well",), (b"then",), (b"[DONE]",)]),
    ],
)
async def test_what_came_with_the_end_leaves_with_it(
    settled: list[str], came: tuple[bytes, ...], sent: list[tuple[bytes, ...]]
) -> None:
    client = Client()
    await stream(client, streaming(*came))
    assert settled == ["ok"]
    assert client.finished
    assert len(client.pieces) == len(sent)
    for piece, texts in zip(client.pieces, sent, strict=True):
        assert [text for text in (b"Well", b"then", b"[DONE]") if text in piece] == list(texts)


@pytest.mark.parametrize("came", [(CHUNK + DONE,), (CHUNK, OTHER + DONE)])
async def test_the_end_and_what_came_with_it_wait_for_the_settle(
    settled: list[str], monkeypatch: pytest.MonkeyPatch, came: tuple[bytes, ...]
) -> None:
    client, paid = Client(), asyncio.Event()

    async def late(_runtime: Runtime, job: Job, ending: Any) -> Any:
        job.settled = True
        settled.append(ending.status)
        await paid.wait()
        return ending.usage

    monkeypatch.setattr(generate, "settle", late)
    task = asyncio.ensure_future(stream(client, streaming(*came)))
    for _ in range(9):
        await asyncio.sleep(0)
    assert len(client.pieces) == len(came) - 1
    assert not client.finished
    paid.set()
    await task
    assert settled == ["ok"]
    assert b"Well" in client.got
    assert client.got.endswith(DONE)


async def test_a_lost_lease_is_told_behind_what_came(settled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(*_: Any) -> Any:
        raise LostLease

    client = Client()
    monkeypatch.setattr(generate, "settle", lost)
    await stream(client, streaming(CHUNK + DONE))
    assert not settled
    assert client.finished
    assert client.got.index(b"Well") < client.got.index(b'"error"')
    assert b"[DONE]" not in client.got


async def broken(client: Client, answer: Any) -> Runtime:
    runtime = make_idle_runtime(answer)
    with pytest.raises(ValueError, match="unforeseen"):
        await generate.stream(runtime, cast("Caller", None), CALL, cast("Any", client))
    return runtime


async def test_a_fault_that_nobody_foresaw_ends_the_stream_in_band(settled: list[str]) -> None:
    client = Client()
    runtime = await broken(client, streaming(CHUNK, ValueError("unforeseen")))
    assert settled == ["cut"]
    assert client.finished
    assert b"Well" in client.got
    assert b'"error"' in client.got
    assert b"unforeseen" not in client.got
    assert b"[DONE]" not in client.got
    assert runtime.endpoints.state(("up", "vendor")) == "closed"


async def test_a_tap_that_can_not_even_say_so_is_spoken_for(
    settled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def speechless(*_: object) -> bytes:
        raise KeyError

    client = Client()
    monkeypatch.setattr(openai_chat.stream.StreamTap, "fail", speechless)
    await broken(client, streaming(CHUNK, ValueError("unforeseen")))
    assert settled == ["cut"]
    assert client.finished
    assert client.got.count(b'"error"') == 1


async def test_a_fault_before_the_first_byte_is_left_to_the_caller(settled: list[str]) -> None:
    client = Client()
    with pytest.MonkeyPatch.context() as patch:

        async def failed(_runtime: Runtime, job: Job, _error: BaseException) -> None:
            job.settled = True
            settled.append("failed")

        patch.setattr(generate, "settle_failed", failed)
        await broken(client, streaming(ValueError("unforeseen")))
    assert settled == ["failed"]
    assert not client.started
