"""Turn-taking among an upstream's keys, and what a fault tells routing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest, UpstreamFailed
from reseller_kit.upstream.credentials import MAX_HEADS, Credential, Headers, KeyRing
from reseller_kit.upstream.endpoint import endpoint
from reseller_kit.upstream.faults import TransportFailed
from reseller_kit.upstream.openai import OpenAIUpstream


def make_credential(name: str) -> Credential:
    return Credential(lambda path, accept, headers: f"{name} {path} {accept} {headers}".encode())


def test_heads_are_made_once_for_each_path_and_kind() -> None:
    made: list[str] = []

    def make_head(path: str, accept: str, headers: Headers) -> bytes:
        made.append(f"{path} {accept}" + "".join(f" {name}={value}" for name, value in headers))
        return made[-1].encode()

    credential = Credential(make_head)
    for _ in range(3):
        assert (credential.head("/a", "json"), credential.head("/a", "sse")) == (b"/a json", b"/a sse")
    assert made == ["/a json", "/a sse"]
    assert (
        credential.head("/a", "json", (("b", "1"),)) == credential.head("/a", "json", (("b", "1"),)) == b"/a json b=1"
    )
    assert len(made) == 3


def test_callers_headers_do_not_fill_the_memory() -> None:
    made = 0

    def make_head(path: str, accept: str, headers: Headers) -> bytes:
        nonlocal made
        made += 1
        return f"{path} {accept} {headers}".encode()

    credential = Credential(make_head)
    for n in range(MAX_HEADS + 1):
        credential.head("/a", "json", (("b", str(n)),))
    assert credential.head("/a", "json", (("b", "0"),)) == b"/a json (('b', '0'),)"
    assert made == MAX_HEADS + 2


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=60))
def test_the_least_busy_is_taken(count: int, steps: list[bool]) -> None:
    credentials = [make_credential(str(n)) for n in range(count)]
    ring = KeyRing(credentials)
    running: list[Credential] = []
    for start in steps:
        if start or not running:
            least = min(credential.in_flight for credential in credentials)
            taken = ring.take()
            assert taken.in_flight == least + 1
            running.append(taken)
        else:
            running.pop(0).release()
        assert sum(credential.in_flight for credential in credentials) == len(running)


def test_ties_go_round() -> None:
    credentials = [make_credential(str(n)) for n in range(3)]
    ring = KeyRing(credentials)
    taken = []
    for _ in range(6):
        credential = ring.take()
        credential.release()
        taken.append(credentials.index(credential))
    assert taken == [0, 1, 2, 0, 1, 2]


def test_keys_are_checked_and_never_shown() -> None:
    target = endpoint("up", "https://host/v1")
    with pytest.raises(InvalidRequest) as caught:
        OpenAIUpstream(target, [])
    assert caught.value.param == "api_keys"
    with pytest.raises(InvalidRequest) as caught:
        OpenAIUpstream(target, ["sk-good", "sk-secret\nx: y"])
    assert "sk-" not in str(caught.value)
    assert "sk-good" not in repr(OpenAIUpstream(target, ["sk-good"]))


@pytest.mark.parametrize(
    ("fault", "stale"),
    [
        (TransportFailed("reset", "why", before_bytes=True, reused=True), True),
        (TransportFailed("reset", "why", before_bytes=True), False),
        (TransportFailed("reset", "why", reused=True), False),
        (TransportFailed("timeout", "why", before_bytes=True, reused=True), False),
        (TransportFailed("connect", "why", before_bytes=True), False),
    ],
)
def test_only_a_kept_connection_closed_before_any_byte_is_stale(fault: TransportFailed, *, stale: bool) -> None:
    assert fault.stale is stale
    assert isinstance(fault, UpstreamFailed)
    assert "why" not in str(fault)
