"""A stream that something unforeseen happens to ends in-band and settled, whatever it was."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reseller_kit.flows.call import generate
from reseller_kit.flows.call.job import Caller, Job
from reseller_kit.flows.runtime import Runtime
from reseller_kit.wire import openai_chat
from tests.support.routing import Scripted, make_job, make_runtime, offer, route

CALL = openai_chat.decode(b'{"model":"m","stream":true,"messages":[{"role":"user","content":"Hi"}]}')
CHUNK = b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Well"}}]}\n\n'


class Client:
    """Where the stream goes."""

    def __init__(self) -> None:
        self.started = self.finished = False
        self.got = b""

    async def start(self, _job: Job) -> None:
        self.started = True

    async def send(self, data: bytes, *, last: bool = False) -> None:
        self.got += data
        self.finished = self.finished or last

    def ready(self) -> bool:
        return True

    def write(self, data: bytes) -> None:
        self.got += data

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


async def stream(client: Client, answer: Any) -> Runtime:
    runtime: Any = make_runtime({"up": Scripted(lambda: answer)})
    runtime.ledger, runtime.heartbeat = SimpleNamespace(epoch=1), SimpleNamespace(doubtful=lambda: False)
    with pytest.raises(ValueError, match="unforeseen"):
        await generate.stream(runtime, cast("Caller", None), CALL, cast("Any", client))
    return cast("Runtime", runtime)


async def test_a_fault_that_nobody_foresaw_ends_the_stream_in_band(settled: list[str]) -> None:
    client = Client()
    runtime = await stream(client, streaming(CHUNK, ValueError("unforeseen")))
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
    def broken(*_: object) -> bytes:
        raise KeyError

    client = Client()
    monkeypatch.setattr(openai_chat.stream.StreamTap, "fail", broken)
    await stream(client, streaming(CHUNK, ValueError("unforeseen")))
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
        await stream(client, streaming(ValueError("unforeseen")))
    assert settled == ["failed"]
    assert not client.started
