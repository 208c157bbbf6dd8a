"""The emulator as a program, asked through the product's own upstream client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reseller_kit.upstream.endpoint import endpoint
from reseller_kit.upstream.faults import TransportFailed
from reseller_kit.upstream.openai import OpenAIUpstream
from tests.support.pools import key_pool

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 1024 * 1024


class Emulator:
    """A running emulator: its port, its journal file and its process."""

    def __init__(self, journal: Path, *options: str) -> None:
        command = [sys.executable, str(ROOT / "scripts" / "emulator"), "--port", "0", "--print-port"]
        self.journal = journal
        self.process = subprocess.Popen([*command, "--journal", str(journal), *options], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def upstream(self, key: str = "sk-test") -> OpenAIUpstream:
        return OpenAIUpstream(endpoint("emulator", f"http://127.0.0.1:{self.port}/v1"), key_pool(key))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    running = Emulator(tmp_path_factory.mktemp("emulator") / "journal.jsonl")
    yield running
    running.stop()


async def call(emulator: Emulator, text: str, *, stream: bool = False, request_id: str = "req_1") -> bytes:
    body: dict[str, Any] = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": text}], "stream": stream}
    if stream:
        body["stream_options"] = {"include_usage": True}
    upstream = emulator.upstream()
    try:
        response = await upstream.open(
            "/chat/completions", json.dumps(body).encode(), stream=stream, request_id=request_id
        )
        return await response.read(LIMIT)
    finally:
        upstream.pool.abort()


async def journal_of(emulator: Emulator, request_id: str) -> dict[str, Any]:
    """The one line of a request, over HTTP; the file has it by then as well."""
    from reseller_kit.upstream.endpoint import request_head
    from reseller_kit.upstream.pool import Pool

    pool = Pool(endpoint("emulator", f"http://127.0.0.1:{emulator.port}"))
    # A query is not part of a path that the client would send, so it is put into the head by hand.
    head = request_head(pool.endpoint, "GET", "/journal").replace(
        b"/journal", b"/journal?client_request_id=" + request_id.encode(), 1
    )
    lines = (await (await pool.send(head)).read(LIMIT)).splitlines()
    pool.abort()
    assert len(lines) == 1
    assert lines[0] in emulator.journal.read_bytes()
    line: dict[str, Any] = json.loads(lines[0])
    return line


async def test_a_plain_and_a_streamed_call_are_in_the_journal(emulator: Emulator) -> None:
    plain = json.loads(await call(emulator, "Hi [[output=7 cached=2]]", request_id="req_plain"))
    line = await journal_of(emulator, "req_plain")
    assert line["usage"] == line["true_usage"] == plain["usage"]
    assert (line["finished"], line["status"], line["stream"]) == (True, 200, False)
    assert "sk-test" not in json.dumps(line)
    streamed = await call(emulator, "Hi [[output=7]]", stream=True, request_id="req_stream")
    line = await journal_of(emulator, "req_stream")
    assert (line["usage"]["completion_tokens"], line["delivered_tokens"], line["events"]) == (7, 7, 11)
    assert streamed.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("directive", "stream", "kind", "upstream_status"),
    [
        ("reset", False, "reset", None),
        ("reset_after", True, "reset", 200),
        ("cut=3", True, "reset", 200),
        ("cut=30", False, "reset", 200),
    ],
)
async def test_broken_connections(
    emulator: Emulator, directive: str, kind: str, upstream_status: int | None, *, stream: bool
) -> None:
    name = f"req_{directive}_{stream}"
    with pytest.raises(TransportFailed) as caught:
        await call(emulator, f"[[{directive}]]", stream=stream, request_id=name)
    assert (caught.value.kind, caught.value.upstream_status) == (kind, upstream_status)
    line = await journal_of(emulator, name)
    assert (line["finished"], line["usage"], line["fault"]) == (False, None, directive.partition("=")[0])


async def test_an_error_inside_a_stream(emulator: Emulator) -> None:
    body = await call(emulator, "[[error=2]]", stream=True, request_id="req_error")
    assert body.count(b"data: ") == 3
    assert b'"error"' in body.split(b"data: ")[3]
    assert b"[DONE]" not in body
    assert (await journal_of(emulator, "req_error"))["usage"] is None


async def test_options(tmp_path: Path) -> None:
    strict = Emulator(tmp_path / "j.jsonl", "--api-key", "sk-right", "--model", "only", "--always", "status=503")
    try:
        assert (await strict.upstream("sk-wrong").check()).keys[0].status == 401
        assert (await strict.upstream("sk-right").check()).ok
        for body, status in ((b'{"model":"other","messages":[{}]}', 400), (b"{", 400)):
            response = await strict.upstream("sk-right").open("/chat/completions", body, stream=False, request_id="r")
            assert response.status == status
        unknown = json.dumps({"model": "other", "messages": [{"role": "user", "content": "x"}]}).encode()
        known = unknown.replace(b"other", b"only")
        for body, status in ((unknown, 404), (known, 503)):
            response = await strict.upstream("sk-right").open("/chat/completions", body, stream=False, request_id="r")
            assert response.status == status
    finally:
        assert strict.stop() == 0
    assert len((tmp_path / "j.jsonl").read_bytes().splitlines()) == 6
