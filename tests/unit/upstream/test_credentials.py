"""Which key of a pool a call runs on, what answers make of a key, and what a fault tells routing."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.errors import InvalidRequest, UpstreamFailed
from reseller_kit.core.upstream_keys import KeyState
from reseller_kit.core.verdict import Blame, Verdict
from reseller_kit.upstream.credentials import MAX_HEADS, Ceilings, Credential, Headers, KeyRing, NoKeyFree, Ticket
from reseller_kit.upstream.endpoint import endpoint
from reseller_kit.upstream.faults import TransportFailed
from reseller_kit.upstream.openai import OpenAIUpstream
from tests.support.pools import key_pool

SECOND = 1_000_000


class Clock:
    """Time that passes when it is told to, in µs."""

    def __init__(self) -> None:
        self.now = 1_800_000_000 * SECOND

    def __call__(self) -> int:
        return self.now


def make_credential(name: str, secret: str = "") -> Credential:
    def make_head(path: str, accept: str, headers: Headers) -> bytes:
        return f"{name} {path} {accept} {headers}".encode()

    return Credential(make_head, fingerprint=name, secret=secret)


def make_ring(count: int = 3, **ceilings: int) -> tuple[KeyRing, Clock]:
    clock = Clock()
    ring = KeyRing([make_credential(str(n)) for n in range(count)], Ceilings(**ceilings), clock=clock)
    return ring, clock


def name_of(ticket: Ticket) -> str:
    return ticket.credential.fingerprint


def refused(blame: Blame, **fields: Any) -> Verdict:
    return Verdict(blame=blame, reason="why", **fields)


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
    ring, _ = make_ring(count)
    running: list[Ticket] = []
    for start in steps:
        if start or not running:
            least = min(credential.load.in_flight for credential in ring.credentials)
            taken = ring.take()
            assert taken.credential.load.in_flight == least + 1
            running.append(taken)
        else:
            running.pop(0).release()
        assert sum(credential.load.in_flight for credential in ring.credentials) == len(running)


def test_ties_go_round() -> None:
    ring, _ = make_ring(3)
    taken = []
    for _ in range(6):
        ticket = ring.take()
        ticket.release()
        taken.append(name_of(ticket))
    assert taken == ["0", "1", "2", "0", "1", "2"]


@pytest.mark.parametrize("per_minute", [1, 6, 60])
def test_a_key_s_requests_are_spread_over_the_minute(per_minute: int) -> None:
    ring, clock = make_ring(2, requests_per_minute=per_minute)
    taken = 0
    for _ in range(200):
        with contextlib.suppress(NoKeyFree):
            ring.take().release()
            taken += 1
    assert taken == 2 * per_minute
    with pytest.raises(NoKeyFree) as none:
        ring.take()
    clock.now += int(none.value.verdict.retry_after * SECOND) + SECOND  # type: ignore[operator]  # it has one
    ring.take()


def test_a_key_s_tokens_count_as_they_were_charged() -> None:
    ring, clock = make_ring(1, tokens_per_minute=1000)
    ticket = ring.take()
    ticket.used(2500)
    assert not ring.usable()
    assert 85 < ring.soonest() <= 90
    clock.now += 91 * SECOND
    assert ring.usable()


def test_a_conversation_keeps_to_one_key_and_moves_only_when_that_is_out_of_use() -> None:
    ring, clock = make_ring(5)
    digests = [hashlib.blake2b(b"%d" % n, digest_size=8).digest() for n in range(1000)]
    homes = {affinity: name_of(ring.take(affinity)) for affinity in (int.from_bytes(each, "big") for each in digests)}
    assert all(name_of(ring.take(affinity)) == home for affinity, home in homes.items())
    shares = Counter(homes.values())
    assert len(shares) == 5
    assert max(shares.values()) < 2 * min(shares.values())
    ring.credentials[2].state = KeyState(standing="parked", reason="", since=clock.now)
    moved = {affinity: name_of(ring.take(affinity)) for affinity in homes}
    assert {home for affinity, home in homes.items() if moved[affinity] != home} == {"2"}
    assert "2" not in moved.values()
    assert len({moved[affinity] for affinity, home in homes.items() if home == "2"}) == 4
    other, _ = make_ring(5)
    assert {affinity: name_of(other.take(affinity)) for affinity in homes} == homes


def test_a_conversation_whose_key_is_full_goes_over_another_one() -> None:
    ring, _ = make_ring(2, concurrent_requests=1)
    first, second = ring.take(7), ring.take(7)
    assert name_of(first) != name_of(second)
    with pytest.raises(NoKeyFree):
        ring.take(7)
    first.release()
    assert name_of(ring.take(7)) == name_of(first)


def test_a_refused_key_is_parked_and_told_of_once() -> None:
    ring, clock = make_ring(2)
    told: list[tuple[str, KeyState | None]] = []
    ring.on_change = lambda fingerprint, state: told.append((fingerprint, state))
    one, same = ring.take(1), ring.take(1)
    one.learn(refused("key"))
    clock.now += SECOND
    for verdict in (refused("key"), refused("cooldown", retry_after=900.0), refused("endpoint"), refused("request")):
        same.learn(verdict)
    same.well()
    assert told == [(name_of(one), KeyState(standing="parked", reason="why", since=clock.now - SECOND))]
    clock.now += 1000 * 3600 * SECOND
    assert name_of(ring.take(1)) != name_of(one)


def test_a_parked_key_on_trial_runs_one_call_until_one_succeeds() -> None:
    ring, clock = make_ring(1)
    parked_at = clock.now
    told: list[KeyState | None] = []
    ring.on_change = lambda _, state: told.append(state)
    trial = KeyState(standing="trial", reason="401", since=parked_at)
    ring.restore({"0": trial})
    clock.now += 3600 * SECOND
    ticket = ring.take()
    with pytest.raises(NoKeyFree):
        ring.take()
    ticket.learn(refused("key"))
    ticket.release()
    assert told == [KeyState(standing="parked", reason="why", since=parked_at)]
    assert not ring.usable()
    ring.restore({"0": trial})
    ticket = ring.take()
    ticket.well()
    assert told[1:] == [None]
    assert {name_of(ring.take()) for _ in range(3)} == {"0"}


def test_a_key_cools_until_its_time_and_longer_each_time_without_one() -> None:
    ring, clock = make_ring(1)

    def cool(retry_after: float | None) -> float:
        ticket = ring.take()
        ticket.learn(refused("cooldown", retry_after=retry_after))
        ticket.release()
        return ring.soonest()

    waits = []
    for _ in range(7):
        waits.append(cool(None))
        clock.now += int(waits[-1] * SECOND)
    assert waits == [2, 4, 8, 16, 32, 60, 60]
    ring.take().well()
    assert cool(None) == 2
    clock.now += 2 * SECOND
    for asked, wait in ((0.0, 1), (20.5, 20.5), (10.0**9, 3600)):
        assert cool(asked) == wait
        clock.now += wait * SECOND if isinstance(wait, int) else int(wait * SECOND)


def test_the_longer_cooling_stands_and_parallel_refusals_count_once() -> None:
    ring, _ = make_ring(1)
    tickets = [ring.take() for _ in range(5)]
    for ticket in tickets:
        ticket.learn(refused("cooldown", retry_after=None))
    assert ring.soonest() == 2
    tickets[0].learn(refused("cooldown", retry_after=30.0))
    tickets[1].learn(refused("cooldown", retry_after=5.0))
    assert ring.soonest() == 30


def test_a_new_client_goes_on_with_the_counts_of_the_keys_that_stay() -> None:
    old, _ = make_ring(2, concurrent_requests=1)
    running = old.take()
    new = KeyRing([make_credential("0"), make_credential("9")], Ceilings(concurrent_requests=1))
    new.inherit(old)
    assert [credential.load.in_flight for credential in new.credentials] == [1, 0]
    running.release()
    assert [credential.load.in_flight for credential in new.credentials] == [0, 0]


def test_what_a_provider_repeats_of_a_key_is_not_kept() -> None:
    ring = KeyRing([make_credential("f", secret="AIzaSySecret")])
    ticket = ring.take()
    ticket.learn(Verdict(blame="key", reason="403: Consumer 'api_key:AIzaSySecret' has been suspended."))
    assert ring.credentials[0].state is not None
    assert ring.credentials[0].state.reason == "403: Consumer 'api_key:…' has been suspended."


def test_keys_are_checked_and_never_shown() -> None:
    target = endpoint("up", "https://host/v1")
    with pytest.raises(InvalidRequest) as caught:
        OpenAIUpstream(target, [])
    assert caught.value.param == "api_keys"
    with pytest.raises(InvalidRequest) as caught:
        OpenAIUpstream(target, key_pool("sk-good", "sk-secret\nx: y"))
    assert "sk-" not in str(caught.value)
    assert "sk-good" not in repr(OpenAIUpstream(target, key_pool("sk-good")))
    assert "sk-good" not in repr(key_pool("sk-good"))


@pytest.mark.parametrize(
    ("fault", "stale", "blame"),
    [
        (TransportFailed("reset", "why", before_bytes=True, reused=True), True, "endpoint"),
        (TransportFailed("reset", "why", before_bytes=True), False, "endpoint"),
        (TransportFailed("reset", "why", reused=True), False, "endpoint"),
        (TransportFailed("timeout", "why", before_bytes=True, reused=True), False, "endpoint"),
        (TransportFailed("connect", "why", before_bytes=True), False, "endpoint"),
        (TransportFailed("aborted", "why"), False, "request"),
    ],
)
def test_only_a_kept_connection_closed_before_any_byte_is_stale(
    fault: TransportFailed, *, stale: bool, blame: Blame
) -> None:
    assert fault.stale is stale
    assert fault.verdict.blame == blame
    assert isinstance(fault, UpstreamFailed)
    assert "why" not in str(fault)
