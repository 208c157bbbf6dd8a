"""What upstreams should not send: redirects, bombs, odd streams, absurd figures. Each ends well or cleanly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.lab.behaviour import GOOD, Behaviour, Usage
from tests.lab.gate import APIS, DIALECTS, Gate, open_gate
from tests.lab.upstream import LabUpstream, lab_upstreams

ENDS: Final = {
    "chat": "data: [DONE]",
    "responses": "event: response.completed",
    "messages": "event: message_stop",
    "generate_content": '"finishReason":"STOP"',
}
OPENINGS: Final = {
    "chat": '"role":"assistant"',
    "responses": "event: response.created",
    "messages": "event: message_start",
}
NATIVE: Final = (
    ("openai", "chat"),
    ("openai", "responses"),
    ("anthropic", "messages"),
    ("gemini", "generate_content"),
)
TRANSLATED: Final = (("openai", "messages"), ("anthropic", "chat"), ("gemini", "responses"))
TEXT: Final = "the quick brown fox jumps over a lazy dog while small clouds"
TIMEOUTS: Final = {"connect": 2.0, "first_byte": 1.0, "idle": 1.0}
MEMORY: Final = re.compile(r"VmHWM:\s+(\d+) kB")


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with open_gate(tmp_path_factory.mktemp("hygiene"), timeouts=TIMEOUTS) as opened:
        yield opened


def charge(gate: Gate, answer: httpx.Response) -> tuple[Any, ...]:
    record = gate.record(answer)
    tokens = (record["input_tokens"], record["cached_input_tokens"], record["output_tokens"])
    return record["status"], record["usage_source"], record["usage_capped"], *tokens


def words_in(answer: httpx.Response) -> str:
    """The text of a stream."""
    return "".join(re.findall(r'"(?:text|content|delta)":"([^"]*)"', answer.text))


def assert_good(answer: httpx.Response, api: str, *, stream: bool) -> None:
    assert answer.status_code == 200, answer.text
    words = words_in(answer) if stream else answer.text
    assert TEXT in words.replace("  ", " ")
    assert not stream or ENDS[api] in answer.text


def assert_refused(gate: Gate, answer: httpx.Response, api: str) -> None:
    """No answer, no charge, and the customer is told so in its own API."""
    assert answer.status_code == 503, (api, answer.text)
    record = gate.record(answer)
    assert (record["status"], record["retail"], record["wholesale"], record["cost"]) == (
        "failed",
        "0.00",
        "0.00",
        "0.00",
    )


def assert_cut(gate: Gate, answer: httpx.Response, api: str) -> None:
    """A stream that ends in an error and never looks whole; what came is charged."""
    assert answer.status_code == 200
    assert ENDS[api] not in answer.text
    assert "error" in answer.text.rstrip().splitlines()[-1]
    record = gate.record(answer)
    assert record["status"] == "cut"
    assert Fraction(record["retail"]) > 0


def assert_given_up(gate: Gate, answer: httpx.Response, api: str) -> None:
    """A stream that opened, said nothing and ends in an error: free."""
    assert answer.status_code == 200
    assert answer.text.count(OPENINGS[api]) == 1
    assert ENDS[api] not in answer.text
    assert "error" in answer.text.rstrip().splitlines()[-1]
    record = gate.record(answer)
    assert record["status"] == "failed"
    assert {record["retail"], record["wholesale"], record["cost"]} == {"0.00"}


@pytest.fixture
def elsewhere() -> Iterator[LabUpstream]:
    """An address that a redirect points to, inside the operator's network as it were."""
    with lab_upstreams(inside=()) as made:
        yield made["inside"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
def test_no_redirect_is_followed(gate: Gate, elsewhere: LabUpstream, status: int) -> None:
    for stream in (False, True):
        behaviour = Behaviour(status=status, location=f"{elsewhere.origin}/v1/chat/completions")
        assert_refused(gate, gate.ask("chat", "openai", *[behaviour] * 3, stream=stream), "chat")
    assert elsewhere.connections == 0


WRITTEN: Final = {
    "CR LF": Behaviour(line_end="crlf"),
    "CR": Behaviour(line_end="cr"),
    "bytes one by one": Behaviour(split=1),
    "bytes by three, CR LF": Behaviour(split=3, line_end="crlf"),
    "comments and unknown fields": Behaviour(comments=True),
    "a BOM": Behaviour(bom=True),
    "data over several lines": Behaviour(data_lines=True),
    "a long line": Behaviour(long_line=1_000_000),
    "gzip": Behaviour(coding="gzip"),
    "deflate, by seven": Behaviour(coding="deflate", split=7),
    "the end said and not meant": Behaviour(connection="says_close"),
    "the end not said": Behaviour(connection="lies"),
    "usage twice": Behaviour(usage="twice"),
    "a wrong type": Behaviour(content_type="text/plain"),
    "another wrong type": Behaviour(content_type="application/octet-stream; charset=ebcdic"),
    "many headers": Behaviour(head_count=60, head_bytes=20_000),
    "other people's headers": Behaviour(headers={"connection": "x-odd", "keep-alive": "timeout=1", "trailer": "x-odd"}),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_what_can_be_read_is_read_and_charged_exactly(gate: Gate, way: str) -> None:
    for dialect, api in NATIVE:
        for stream in (False, True):
            answer = gate.ask(api, dialect, WRITTEN[way], stream=stream)
            assert_good(answer, api, stream=stream)
            assert charge(gate, answer) == ("ok", "upstream", False, 30, 10, 12), (api, stream)


def test_letters_that_are_split_arrive_whole(gate: Gate) -> None:
    """Each byte comes by itself, so every letter of more than one byte is split."""
    said = "Straße 日本語 🦊 ends"
    for dialect in DIALECTS:
        for api in APIS:
            text = f'Say. [[input=40 cached=10 text="{said}"]]'
            answer = gate.ask(api, dialect, Behaviour(split=1), text=text, stream=True)
            words = re.findall(r'"(?:text|content|delta)":("(?:[^"\\]|\\.)*")', answer.text)
            assert said in "".join(json.loads(word) for word in words), (dialect, api)


UNREADABLE: Final = {
    "a gzip cut short": Behaviour(coding="truncated"),
    "rubbish behind gzip": Behaviour(coding="trailing"),
    "a coding that nobody offered": Behaviour(coding="unasked"),
    "a bomb": Behaviour(coding="bomb", bomb_mib=300),
    "too long a length": Behaviour(length_off=7, connection="closes"),
    "too short a length": Behaviour(length_off=-7),
    "a page": Behaviour(page=True),
    "no JSON": Behaviour(body='{"id": '),
    "nothing": Behaviour(body=""),
    "another object": Behaviour(body='{"object": "list", "data": []}'),
    "an array": Behaviour(body="[]"),
    "deep nesting": Behaviour(body='{"choices":' + "[" * 5000),
    "a huge head": Behaviour(head_bytes=200_000),
    "too many headers": Behaviour(head_count=400),
    "silence": Behaviour(stop="hang", stop_after=0),
    "a head alone": Behaviour(stop="close", stop_after=0),
}


@pytest.mark.parametrize("way", UNREADABLE)
def test_what_can_not_be_read_is_refused_and_free(gate: Gate, way: str) -> None:
    for dialect, api in NATIVE:
        assert_refused(gate, gate.ask(api, dialect, *[UNREADABLE[way]] * 3), api)


STREAMS: Final = {
    "a broken event first": (Behaviour(broken_event=0), assert_refused),
    "a line of five megabytes": (Behaviour(long_line=5 << 20), None),
    "a gzip cut short": (Behaviour(coding="truncated"), None),
    "an end before content": (Behaviour(stop="close", stop_after=0), assert_refused),
    "an error before content": (Behaviour(error_after=0), assert_refused),
    "a broken event behind content": (Behaviour(broken_event=9), assert_cut),
    "an error behind content": (Behaviour(error_after=9), assert_cut),
    "silence behind the opening": (Behaviour(stop="hang", stop_after=1), None),
    "silence behind content": (Behaviour(stop="hang", stop_after=9), assert_cut),
    "an end behind content": (Behaviour(stop="close", stop_after=9), assert_cut),
}


@pytest.mark.parametrize("way", STREAMS)
def test_streams_that_go_wrong(gate: Gate, way: str) -> None:
    behaviour, judge = STREAMS[way]
    for dialect, api in (*NATIVE, *TRANSLATED):
        answer = gate.ask(api, dialect, *[behaviour] * 3, stream=True)
        if judge is not None:
            judge(gate, answer, api)
        elif answer.status_code == 200 and ENDS[api] not in answer.text:
            (assert_cut if words_in(answer) else assert_given_up)(gate, answer, api)
        else:
            assert answer.status_code in {200, 503}


@pytest.fixture
def patient_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    """A gate whose retries no other test has used up."""
    with open_gate(tmp_path_factory.mktemp("openings"), timeouts=TIMEOUTS) as opened:
        yield opened


def test_a_stream_opens_before_the_first_word_and_once_whoever_answers(patient_gate: Gate) -> None:
    faults = [
        Behaviour(stop="close", stop_after=1),
        Behaviour(error_after=1, pace=0.1),
        Behaviour(broken_event=1, pace=0.1),
    ]
    for dialect, api in (*NATIVE, *TRANSLATED):
        for fault in faults if dialect != "gemini" else ():  # which begins with a word
            answer = patient_gate.ask(api, dialect, fault, stream=True)
            assert_good(answer, api, stream=True)
            assert answer.text.count(OPENINGS[api]) == 1, (api, dialect, fault)
            assert patient_gate.record(answer)["attempts"] == 2
            assert_given_up(patient_gate, patient_gate.ask(api, dialect, fault, fault, stream=True), api)


def test_a_bomb_takes_no_more_memory_than_its_bound(gate: Gate) -> None:
    """Half a gigabyte of blanks in half a megabyte: it is given up at 64 MiB, and streams hold far less."""
    pid = _server_pid(gate)
    assert_good(gate.ask("chat", "openai"), "chat", stream=False)
    before = _peak(pid)
    bomb = Behaviour(coding="bomb", bomb_mib=512)
    assert_refused(gate, gate.ask("chat", "openai", bomb, bomb, bomb, stream=True), "chat")
    streamed = _peak(pid) - before
    assert_refused(gate, gate.ask("chat", "openai", bomb, bomb, bomb), "chat")
    assert streamed < 32 << 10
    assert _peak(pid) - before < 220 << 10


def _server_pid(gate: Gate) -> int:
    return gate.server.process.pid


def _peak(pid: int) -> int:
    """Kilobytes of memory that the process had at most so far."""
    found = MEMORY.search(Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def test_bytes_behind_an_answer_are_no_answer_to_the_next(gate: Gate) -> None:
    """Whoever answers twice to one request must not have its second answer taken for another customer's."""
    smuggled = json.dumps({"choices": [{"message": {"role": "assistant", "content": "smuggled"}}]})
    extra = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(smuggled)}\r\n\r\n{smuggled}"
    for _ in range(3):
        first = gate.ask("chat", "openai", Behaviour(extra=extra), GOOD)
        second = gate.ask("chat", "openai")
        assert "smuggled" not in first.text + second.text
        assert_good(second, "chat", stream=False)


ABSURD: Final[dict[Usage, tuple[Any, ...]]] = {
    "huge": ("upstream", True),
    "float": ("upstream", True),
    # Nothing to go by is left: estimated, and flagged all the same.
    "negative": ("estimated", True),
    "string": ("estimated", True),
    "bool": ("estimated", True),
    "nested": ("estimated", True),
    "none": ("estimated", False),
    "null": ("estimated", False),
}


@pytest.mark.parametrize("kind", ABSURD)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_absurd_usage_is_cut_flagged_and_never_a_failure(gate: Gate, dialect: str, kind: Usage) -> None:
    for api in APIS:
        for stream in (False, True):
            answer = gate.ask(api, dialect, Behaviour(usage=kind), stream=stream)
            assert_good(answer, api, stream=stream)
            record = gate.record(answer)
            assert record["status"] == "ok"
            assert (record["usage_source"], record["usage_capped"]) == ABSURD[kind]
            total = sum(record[f"{name}_tokens"] for name in ("input", "cached_input", "cache_write", "cache_write_1h"))
            assert 0 <= total <= 128_000
            assert 0 <= record["output_tokens"] <= 64 + 4000


def test_the_books_are_right_afterwards(gate: Gate) -> None:
    """Runs at any point among the others."""
    audit = gate.house.audit()
    assert audit["ok"], audit["findings"]
