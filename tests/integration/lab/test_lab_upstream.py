"""The lab's upstream does what it is told, down to the bytes: a fault that it can't produce proves nothing."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import socket
import time
import zlib
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from tests.lab.behaviour import GOOD, Behaviour, Rule, Usage
from tests.lab.upstream import LabUpstream, lab_upstreams
from tests.support.product import eventually
from tests.support.raw_http import Reply, connection, parse, read_all

TEXT: Final = "Hi [[input=40 cached=10 output=12]]"
CANARY: Final = "quillfeather"
BODIES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "openai": ("/v1/chat/completions", {"messages": [{"role": "user", "content": TEXT}]}),
    "responses": ("/v1/responses", {"input": TEXT}),
    "anthropic": ("/v1/messages", {"max_tokens": 50, "messages": [{"role": "user", "content": TEXT}]}),
    "gemini": ("/v1beta/models/m:", {"contents": [{"role": "user", "parts": [{"text": TEXT}]}]}),
}
APIS: Final = tuple(BODIES)


@pytest.fixture(scope="module")
def lab() -> Iterator[LabUpstream]:
    with lab_upstreams(near=("key-one", "key-two")) as made:
        yield made["near"]


def request(api: str, *, stream: bool, key: str = "key-two", model: str = "m") -> bytes:
    path, body = BODIES[api]
    document = dict(body) | ({} if api == "gemini" else {"model": model, "stream": stream})
    if api == "openai" and stream:
        document["stream_options"] = {"include_usage": True}
    if api == "gemini":
        path += "streamGenerateContent?alt=sse" if stream else "generateContent"
    content = json.dumps(document).encode()
    name = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}.get(api, "authorization")
    shown = key if name != "authorization" else f"Bearer {key}"
    head = f"POST {path} HTTP/1.1\r\nhost: lab\r\n{name}: {shown}\r\nx-client-request-id: req_7\r\n"
    return f"{head}anthropic-version: 2023-06-01\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content


def ask(lab: LabUpstream, behaviour: Behaviour, api: str = "openai", *, stream: bool = False) -> bytes:
    """Every byte that comes back until the connection ends or falls silent for a moment."""
    lab.will(behaviour)
    with connection(lab.port) as opened:
        opened.sendall(request(api, stream=stream))
        opened.settimeout(1.0)
        received = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while not _is_whole(received, stream=stream) and (data := opened.recv(1 << 20)):
                received += data
    return received


def _is_whole(received: bytes, *, stream: bool) -> bool:
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return len(body) >= int(length[1]) if length else stream and body.endswith(b"\r\n0\r\n\r\n")


def reply(lab: LabUpstream, behaviour: Behaviour, api: str = "openai") -> Reply:
    found = parse(ask(lab, behaviour, api))
    assert found is not None
    return found


def unchunked(received: bytes) -> bytes:
    body = received.partition(b"\r\n\r\n")[2]
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        found, body = found + rest[:length], rest[length + 2 :]
        if not length:
            break
    return found


def events(lab: LabUpstream, behaviour: Behaviour, api: str = "openai") -> bytes:
    return unchunked(ask(lab, behaviour, api, stream=True))


@pytest.mark.parametrize("api", APIS)
def test_a_good_answer_is_noted_with_its_key_and_what_it_used(lab: LabUpstream, api: str) -> None:
    for stream in (False, True):
        assert b"200" in ask(lab, GOOD, api, stream=stream).partition(b"\r\n")[0]
        (attempt,) = eventually(lambda: [a for a in lab.journal.attempts() if a.end == "whole"])
        assert (attempt.key, attempt.model, attempt.api, attempt.stream) == (2, "m", api, stream)
        assert (attempt.call, attempt.status, attempt.good) == ("req_7", 200, True)
        assert attempt.classes == {"input": 30, "cached_input": 10, "output": 12}
        assert attempt.reported is not None
        assert not stream or attempt.sent_deltas == 12
        assert "key-two" not in json.dumps(lab.journal.lines())


@pytest.mark.parametrize("api", APIS)
def test_streams_break_after_so_many_events(lab: LabUpstream, api: str) -> None:
    whole = events(lab, GOOD, api)
    for number in (0, 1, 5):
        cut = events(lab, Behaviour(stop="close", stop_after=number), api)
        assert cut.count(b"data: ") == number
        assert whole.count(b"data: ") > number
        (attempt,) = eventually(lambda: [a for a in lab.journal.attempts() if a.end != "open"])
        assert (attempt.end, attempt.sent_events, attempt.good) == ("close", number, False)
        assert (attempt.reported, attempt.classes) == (None, {})


def test_connections_end_in_each_way(lab: LabUpstream) -> None:
    assert ask(lab, Behaviour(stop="close")) == b""
    assert ask(lab, Behaviour(stop="close", stop_after=0)).endswith(b"\r\n\r\n")
    assert len(reply(lab, Behaviour(stop="close", stop_after=25)).body) == 25
    lab.will(Behaviour(stop="reset"), Behaviour(stop="hang"))
    with connection(lab.port) as opened:
        opened.sendall(request("openai", stream=False))
        with pytest.raises(ConnectionResetError):
            opened.recv(100)
    with connection(lab.port) as opened:
        opened.sendall(request("openai", stream=False))
        opened.settimeout(0.3)
        with pytest.raises(TimeoutError):
            opened.recv(100)
    assert [attempt.end for attempt in eventually(lambda: _ended(lab, 2))] == ["reset", "hang"]


def _ended(lab: LabUpstream, number: int) -> list[Any]:
    found = [attempt for attempt in lab.journal.attempts() if attempt.end != "open"]
    return found if len(found) == number else []


def test_it_refuses_and_listens_again_on_its_port(lab: LabUpstream) -> None:
    port = lab.port
    lab.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2)
    lab.listen()
    assert lab.port == port
    assert reply(lab, GOOD).status == 200


def test_rules_know_keys_models_numbers_and_times(lab: LabUpstream) -> None:
    refused = Behaviour(status=401)
    lab.begin(
        (Rule(key=2, do=refused), Rule(model="other", do=Behaviour(status=404)), Rule(most=1, do=Behaviour(status=529)))
    )
    said = [
        _status(lab, key, model)
        for key, model in (("key-one", "m"), ("key-two", "m"), ("key-one", "m"), ("key-one", "other"))
    ]
    assert said == [529, 401, 200, 404]
    began = lab.begin((Rule(until=0.3, do=refused), Rule(since=0.6, refuse=True)))
    assert _status(lab, "key-one", "m") == 401
    time.sleep(max(0.0, began + 0.35 - time.monotonic()))
    assert _status(lab, "key-one", "m") == 200
    eventually(lambda: _is_refused(lab))
    lab.begin()
    assert _status(lab, "key-one", "m") == 200


def _status(lab: LabUpstream, key: str, model: str) -> int:
    with connection(lab.port) as opened:
        opened.sendall(request("openai", stream=False, key=key, model=model))
        return int(opened.recv(100).split()[1])


def _is_refused(lab: LabUpstream) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", lab.port)) != 0


@pytest.mark.parametrize("api", APIS)
def test_errors_speak_the_dialect(lab: LabUpstream, api: str) -> None:
    for status in (401, 402, 403, 429, 500, 529):
        found = reply(lab, Behaviour(status=status, message="no more", code="insufficient_quota"), api)
        assert found.status == status
        assert "no more" in json.dumps(json.loads(found.body)["error"])
    within = reply(lab, Behaviour(error_after=0), api)
    assert within.status == 200
    assert "error" in json.loads(within.body)
    for number in (0, 4):
        stream = events(lab, Behaviour(error_after=number), api)
        assert stream.count(b"data: ") == number + 1
        assert b"error" in stream.rstrip().splitlines()[-1]


def test_pages_types_and_redirects(lab: LabUpstream) -> None:
    page = reply(lab, Behaviour(status=502, page=True))
    assert (page.status, page.header("content-type")) == (502, "text/html; charset=utf-8")
    assert page.body.startswith(b"<!doctype html>")
    assert reply(lab, Behaviour(content_type="text/plain")).header("content-type") == "text/plain"
    moved = reply(lab, Behaviour(status=302, location="http://169.254.169.254/latest"))
    assert (moved.status, moved.header("location")) == (302, "http://169.254.169.254/latest")
    assert reply(lab, Behaviour(body="{not json")).body == b"{not json"


@pytest.mark.parametrize(
    ("form", "name", "value"),
    [
        ("seconds", "retry-after", "2"),
        ("date", "retry-after", " GMT"),
        ("ms", "retry-after-ms", "2000"),
        ("openai", "x-ratelimit-reset-requests", "2s"),
        ("anthropic", "anthropic-ratelimit-requests-reset", "Z"),
    ],
)
def test_every_way_to_say_when_to_come_back(lab: LabUpstream, form: Any, name: str, value: str) -> None:
    found = reply(lab, Behaviour(status=429, limits=form)).header(name)
    assert found is not None
    assert found.endswith(value)


def test_codings(lab: LabUpstream) -> None:
    plain = reply(lab, GOOD).body
    for coding in ("gzip", "deflate"):
        found = reply_bytes(lab, Behaviour(coding=coding))
        assert found.header("content-encoding") == coding
        decoded = gzip.decompress(found.body) if coding == "gzip" else zlib.decompress(found.body)
        assert len(decoded) == len(plain)
    with pytest.raises(EOFError):
        gzip.decompress(reply_bytes(lab, Behaviour(coding="truncated")).body)
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(reply_bytes(lab, Behaviour(coding="trailing")).body)
    bomb = reply_bytes(lab, Behaviour(coding="bomb", bomb_mib=8)).body
    assert gzip.decompress(bomb) == b"{" + b" " * (8 << 20)
    assert len(bomb) * 500 < 8 << 20
    stream = unchunked(ask(lab, Behaviour(coding="gzip"), stream=True))
    assert b"[DONE]" in gzip.decompress(stream)


def reply_bytes(lab: LabUpstream, behaviour: Behaviour) -> Reply:
    """An answer whose body is no text, read to the end of its connection."""
    lab.will(Behaviour(**{**_fields(behaviour), "connection": "closes"}))
    with connection(lab.port) as opened:
        opened.sendall(request("openai", stream=False))
        found = parse(read_all(opened))
    assert found is not None
    return found


def _fields(behaviour: Behaviour) -> dict[str, Any]:
    return {name: getattr(behaviour, name) for name in ("coding", "bomb_mib", "extra", "length_off")}


def test_framing_lies(lab: LabUpstream) -> None:
    good = reply(lab, GOOD)
    for off in (5, -5):
        found = reply_bytes(lab, Behaviour(length_off=off))
        assert int(str(found.header("content-length"))) == len(found.body) + off
    assert reply_bytes(lab, Behaviour(extra="HTTP/1.1 200 OK\r\n\r\n")).body.endswith(b"HTTP/1.1 200 OK\r\n\r\n")
    assert reply(lab, Behaviour(connection="lies")).header("connection") == "keep-alive"
    assert reply(lab, Behaviour(connection="says_close")).header("connection") == "close"
    long = reply(lab, Behaviour(head_bytes=70_000, head_count=200))
    assert len(str(long.header("x-long"))) == 70_000
    assert len(long.headers) >= len(good.headers) + 200


@pytest.mark.parametrize("api", APIS)
def test_streams_are_written_in_every_way_and_say_the_same(lab: LabUpstream, api: str) -> None:
    whole = [line for line in events(lab, GOOD, api).replace(b"\r", b"").splitlines() if line.startswith(b"data: ")]
    forms = [
        Behaviour(line_end="crlf"),
        Behaviour(line_end="cr"),
        Behaviour(comments=True, bom=True),
        Behaviour(long_line=1 << 20),
        Behaviour(split=7),
    ]
    for form in forms:
        body = events(lab, form, api).removeprefix(b"\xef\xbb\xbf")
        lines = [line for line in body.replace(b"\r", b"\n").splitlines() if line.startswith(b"data: ")]
        assert len(lines) == len(whole), form.name
        assert lines[-1].split(b'"id"')[0][:20] == whole[-1].split(b'"id"')[0][:20]
    assert b"\r\n\r\n" in events(lab, forms[0], api)
    assert b"\n" not in events(lab, forms[1], api)
    assert len(max(events(lab, forms[3], api).splitlines(), key=len)) >= (1 << 20) - 100
    assert events(lab, Behaviour(data_lines=True), api).count(b"\ndata: }") >= len(whole) - 2
    assert b'{"broken": ' in events(lab, Behaviour(broken_event=1), api)


@pytest.mark.parametrize("api", APIS)
def test_usage_is_reported_in_absurd_forms(lab: LabUpstream, api: str) -> None:
    forms: tuple[tuple[Usage, str], ...] = (
        ("negative", "-"),
        ("huge", "1000000000000"),
        ("float", ".5"),
        ("string", '"12"'),
        ("null", "null"),
    )
    for kind, shown in forms:
        body = reply(lab, Behaviour(usage=kind), api).body
        found = json.loads(body)
        told = found["usageMetadata" if api == "gemini" else "usage"]
        assert shown in json.dumps(told), kind
        (attempt,) = lab.journal.attempts()
        assert attempt.classes == {}
    assert not {"usage", "usageMetadata"} & json.loads(reply(lab, Behaviour(usage="none"), api).body).keys()
    name = b'"usageMetadata":' if api == "gemini" else b'"usage":'
    assert reply(lab, Behaviour(usage="twice"), api).body.count(name) == 2
    once, twice = (events(lab, form, api).count(name) for form in (GOOD, Behaviour(usage="twice")))
    assert twice > once


@pytest.mark.parametrize("api", APIS)
def test_canaries_sit_in_ids_names_members_headers_and_errors(lab: LabUpstream, api: str) -> None:
    raw = ask(lab, Behaviour(canary=CANARY), api)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.lower().count(CANARY.encode()) >= 15
    assert body.count(CANARY.encode()) >= 6
    found = json.loads(body)
    assert CANARY in str(found.get("id") or found.get("responseId"))
    assert CANARY in str(found.get("model") or found.get("modelVersion"))
    assert events(lab, Behaviour(canary=CANARY), api).count(CANARY.encode()) >= 12
    assert CANARY in reply(lab, Behaviour(status=400, canary=CANARY), api).body.decode()


def test_delays_and_drips(lab: LabUpstream) -> None:
    for behaviour, least in ((Behaviour(delay=0.3), 0.3), (Behaviour(drip=50, pace=0.02), 0.2)):
        began = time.monotonic()
        assert reply(lab, behaviour).status == 200
        assert time.monotonic() - began >= least
    began = time.monotonic()
    assert b"[DONE]" in events(lab, Behaviour(pace=0.02))
    assert time.monotonic() - began >= 0.2


def test_a_caller_that_hangs_up_is_noted(lab: LabUpstream) -> None:
    lab.will(Behaviour(pace=0.1))
    with connection(lab.port) as opened:
        opened.sendall(request("openai", stream=True))
        opened.recv(100)
    (attempt,) = eventually(lambda: _ended(lab, 1))
    assert (attempt.end, attempt.good) == ("left", False)


def test_a_connection_serves_many_requests(lab: LabUpstream) -> None:
    before = lab.connections
    lab.will()
    with httpx.Client(trust_env=False, headers={"authorization": "Bearer key-one"}) as client:
        for _ in range(3):
            path, body = BODIES["openai"]
            assert client.post(lab.origin + path, json=body | {"model": "m"}).status_code == 200
    assert lab.connections == before + 1
    assert [attempt.key for attempt in lab.journal.attempts()] == [1, 1, 1]
