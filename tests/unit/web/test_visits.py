"""What is noted of a request that is answered piece by piece."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from reseller_kit.telemetry.metrics import Metrics
from reseller_kit.web.access import Visit
from reseller_kit.web.hosts import Peers
from reseller_kit.web.responses import WRITER_KEY


async def test_the_server_s_writer_is_reached_and_its_bytes_are_counted() -> None:
    lines: list[Any] = []
    got: list[bytes] = []
    runtime: Any = SimpleNamespace(
        traces=None, metrics=Metrics(), access_log=SimpleNamespace(write=lines.append), snapshot=None
    )

    async def send(message: Any) -> None:
        got.append(message.get("body", b""))

    scope: dict[str, Any] = {"scheme": "https", "method": "POST", "headers": []}
    calls: list[Any] = []
    scope[WRITER_KEY] = SimpleNamespace(ready=lambda: True, write=got.append, when_gone=calls.append)
    visit = Visit(runtime, Peers(()), scope, send)
    assert scope[WRITER_KEY] is visit
    await visit.send({"type": "http.response.start", "status": 200, "headers": []})
    await visit.send({"type": "http.response.body", "body": b"one", "more_body": True})
    assert visit.ready()
    visit.write(b"two!")
    visit.when_gone(None)
    assert calls == [None]
    await visit.send({"type": "http.response.body", "body": b"three"})
    visit.close()
    assert b"".join(got) == b"onetwo!three"
    assert [line.bytes for line in lines] == [12]
    assert lines[0].first_byte_ms is not None


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_answer_at_once_is_noted_like_one_that_is_sent(scheme: str) -> None:
    lines: list[Any] = []
    got: list[Any] = []
    runtime: Any = SimpleNamespace(
        traces=None, metrics=Metrics(), access_log=SimpleNamespace(write=lines.append), snapshot=None
    )

    def answer(*given: Any) -> bool:
        got.append(given)
        return len(got) > 1

    scope: dict[str, Any] = {"scheme": scheme, "method": "POST", "headers": []}
    scope[WRITER_KEY] = SimpleNamespace(answer=answer)
    visit = Visit(runtime, Peers(()), scope, send=SimpleNamespace())  # type: ignore[arg-type]  # nothing is sent
    given = [(b"x-a", b"1")]
    assert not visit.answer(404, given, b"too early")
    assert visit.answer(418, given, b"short")
    visit.close()
    strict = (b"strict-transport-security", b"max-age=31536000")
    assert [(status, list(headers)) for status, headers, _ in got[1:]] == [
        (418, [*given, strict] if scheme == "https" else given)
    ]
    assert [(line.status, line.bytes) for line in lines] == [(418, 5)]
    assert lines[0].first_byte_ms is not None


def test_a_server_without_a_way_to_write_is_sent_to() -> None:
    runtime: Any = SimpleNamespace(traces=None)
    scope: dict[str, Any] = {"scheme": "http", "method": "GET", "headers": []}
    visit = Visit(runtime, Peers(()), scope, send=SimpleNamespace())  # type: ignore[arg-type]  # nothing is sent
    assert WRITER_KEY not in scope
    assert not visit.ready()
    assert not visit.answer(200, (), b"")
