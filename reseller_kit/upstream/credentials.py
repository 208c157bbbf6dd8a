"""Several API keys for one upstream: which one a call runs on, and what its answer says of that key.

Stores none of them and shows none in `repr`. What a key's state is remembered for lives in `core.upstream_keys`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct, field, structs

from ..core.errors import UpstreamFailed
from ..core.limits import Bucket
from ..core.upstream_keys import KeyState, cooled, parked
from ..core.verdict import Verdict
from ..telemetry.redaction import redact

Headers = tuple[tuple[str, str], ...]

MAX_HEADS: Final = 256
"""Kept request heads of one credential; callers' headers are part of them, so their number has to have an end."""
_ALL_PARKED_SECONDS: Final = 60.0
_BUSY_SECONDS: Final = 1.0
_SECOND_US: Final = 1_000_000
_MASK: Final = 2**64 - 1


class Ceilings(Struct, frozen=True, kw_only=True):
    """The most that goes over each key of a pool, in this process; None: no limit.

    `tokens_per_minute` counts what answers were charged for: a key that is over waits until it is not.
    """

    concurrent_requests: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Load(Struct, eq=False):
    """What one key is doing. It outlives the client, so that a new configuration does not begin with empty counts.

    `repeats`: how often in a row the key had to cool.
    """

    in_flight: int = 0
    requests: Bucket = field(default_factory=Bucket)
    tokens: Bucket = field(default_factory=Bucket)
    repeats: int = 0


class NoKeyFree(UpstreamFailed):
    """Every key is parked, cooling or at its ceiling, so nothing was sent. `retry_after` in seconds."""

    def __init__(self, retry_after: float) -> None:
        verdict = Verdict(blame="cooldown", reason="no key is free", retry_after=retry_after)
        super().__init__(verdict.reason, verdict=verdict)


class Credential:
    """One API key as the request heads it makes, what runs on it, and its state.

    `secret` is only there to be taken out of what the provider says.
    """

    __slots__ = ("_heads", "_make_head", "_secret", "fingerprint", "load", "seed", "state")

    def __init__(
        self, make_head: Callable[[str, str, Headers], bytes], *, fingerprint: str = "", secret: str = ""
    ) -> None:
        self._heads: dict[tuple[str, str, Headers], bytes] = {}
        self._make_head = make_head
        self._secret = secret
        self.fingerprint = fingerprint
        self.load = Load()
        self.seed = int.from_bytes(hashlib.blake2b(fingerprint.encode(), digest_size=8).digest(), "big") | 1
        self.state: KeyState | None = None

    def head(self, path: str, accept: str, headers: Headers = ()) -> bytes:
        """The request head for a path, the media type asked for and the caller's headers; made once and kept."""
        key = (path, accept, headers)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            head = self._heads[key] = self._make_head(path, accept, headers)
        return head

    def wait(self, now: int, ceilings: Ceilings) -> float:
        """Seconds until it may be used, as far as that is known; 0 when it may be."""
        load, state = self.load, self.state
        if state is not None:
            if state.bars(now):
                return _ALL_PARKED_SECONDS if state.until is None else (state.until - now) / _SECOND_US
            if state.standing == "trial" and load.in_flight:
                return _BUSY_SECONDS
        if ceilings.concurrent_requests is not None and load.in_flight >= ceilings.concurrent_requests:
            return _BUSY_SECONDS
        wait = 0
        if ceilings.tokens_per_minute is not None:
            wait = load.tokens.wait(now=now)
        if ceilings.requests_per_minute is not None and not wait:
            wait = structs.replace(load.requests).take(now=now, per_minute=ceilings.requests_per_minute)
        return wait / _SECOND_US

    def without_secret(self, text: str) -> str:
        """What a provider says, without the key that some repeat in it, whole or in part."""
        return redact(text.replace(self._secret, "…") if self._secret else text)

    def without_secret_bytes(self, body: bytes) -> bytes:
        """The same of an answer's body, which nobody may read the key in: no log, and no customer."""
        return body.replace(self._secret.encode(), "…".encode()) if self._secret else body


class Ticket:
    """One call on one key. Let go of exactly once, whatever is called how often."""

    __slots__ = ("_held", "_ring", "credential")

    def __init__(self, credential: Credential, ring: KeyRing) -> None:
        self.credential = credential
        self._ring = ring
        self._held = True

    def release(self) -> None:
        """The call is over."""
        if self._held:
            self._held = False
            self.credential.load.in_flight -= 1

    def well(self) -> None:
        """The key was taken: it had not too much, and is on trial no more."""
        credential = self.credential
        credential.load.repeats = 0
        if credential.state is not None and credential.state.standing == "trial":
            self._ring.change(credential, None)

    def learn(self, verdict: Verdict) -> None:
        """What the answer says of the key: it is parked, cools, or is none the worse for it."""
        credential, now = self.credential, self._ring.now()
        before, reason = credential.state, credential.without_secret(verdict.reason)
        if before is not None and before.standing == "parked":
            return
        if verdict.blame == "key":
            self._ring.change(credential, parked(before, reason, now))
        elif verdict.blame == "cooldown":
            cools = before is not None and before.bars(now)
            if cools and verdict.retry_after is None:
                return  # Of calls that ran side by side one is enough to guess by.
            state = cooled(reason, now, seconds=verdict.retry_after, repeats=credential.load.repeats)
            if not cools:
                credential.load.repeats += 1
            if before is None or (before.until or 0) < (state.until or 0):
                self._ring.change(credential, state)

    def used(self, tokens: int) -> None:
        """So many tokens were charged for the call."""
        per_minute = self._ring.ceilings.tokens_per_minute
        if per_minute is not None:
            self.credential.load.tokens.spend(now=self._ring.now(), per_minute=per_minute, amount=tokens)


OnChange = Callable[[str, KeyState | None], None]
"""Called with a fingerprint and the state that its key has from now on."""


class KeyRing:
    """Chooses a key for each call: by its conversation where there is one, else the least busy, ties in turn."""

    def __init__(
        self,
        credentials: Sequence[Credential],
        ceilings: Ceilings | None = None,
        *,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """`clock`: microseconds since 1970."""
        self.credentials = tuple(credentials)
        self.ceilings = ceilings or Ceilings()
        self.on_change: OnChange | None = None
        self.now = clock or _now_us
        self._unlimited = self.ceilings == Ceilings()
        self._next = -1

    def take(self, affinity: int | None = None) -> Ticket:
        """A key for one more call. `affinity`: the digest of a conversation, which prefers one key as long as it can.

        Raises NoKeyFree.
        """
        credential = self._favourite(affinity)
        if not self._unlimited or credential.state is not None:
            credential = self._first_free(credential, affinity)
        credential.load.in_flight += 1
        return Ticket(credential, self)

    def soonest(self) -> float:
        """Seconds until a key may be free; 0 when one is."""
        now = self.now()
        return min(
            (credential.wait(now, self.ceilings) for credential in self.credentials), default=_ALL_PARKED_SECONDS
        )

    def usable(self) -> bool:
        """Whether a call could have a key now."""
        if self._unlimited and self.credentials and self.credentials[0].state is None:
            return True
        return self.soonest() == 0

    def change(self, credential: Credential, state: KeyState | None) -> None:
        """Give a key a state, and tell whoever keeps them."""
        if credential.state == state:
            return
        credential.state = state
        if self.on_change is not None:
            self.on_change(credential.fingerprint, state)

    def restore(self, states: Mapping[str, KeyState]) -> None:
        """Take over the states that are known elsewhere; a key that is not named has none."""
        for credential in self.credentials:
            credential.state = states.get(credential.fingerprint)

    def inherit(self, before: KeyRing) -> None:
        """Go on with the counts of keys that were in the pool before."""
        loads = {credential.fingerprint: credential.load for credential in before.credentials}
        for credential in self.credentials:
            credential.load = loads.get(credential.fingerprint, credential.load)

    def _favourite(self, affinity: int | None) -> Credential:
        """The key to take while nothing speaks against it."""
        credentials = self.credentials
        if len(credentials) == 1:
            return credentials[0]
        if affinity is None:
            self._next = start = (self._next + 1) % len(credentials)
            return min(credentials[start:] + credentials[:start], key=_in_flight)
        best, most = credentials[0], -1
        for credential in credentials:
            points = _points(credential, affinity)
            if points > most:
                best, most = credential, points
        return best

    def _first_free(self, favourite: Credential, affinity: int | None) -> Credential:
        """The favourite, else the next best that is free, with its request counted. Raises NoKeyFree."""
        now, wait = self.now(), _ALL_PARKED_SECONDS
        for credential in (favourite, *self._others(favourite, affinity)):
            own = credential.wait(now, self.ceilings)
            if not own:
                break
            wait = min(wait, own)
        else:
            raise NoKeyFree(wait)
        if credential.state is not None and credential.state.standing == "cooling":
            credential.state = None
        if self.ceilings.requests_per_minute is not None:
            credential.load.requests.take(now=now, per_minute=self.ceilings.requests_per_minute)
        return credential

    def _others(self, favourite: Credential, affinity: int | None) -> Iterator[Credential]:
        """All but the favourite, best first."""
        others = [credential for credential in self.credentials if credential is not favourite]
        if affinity is None:
            others.sort(key=_in_flight)
        else:
            others.sort(key=lambda credential: _points(credential, affinity), reverse=True)
        yield from others


def _points(credential: Credential, affinity: int) -> int:
    """How much a conversation wants a key (rendezvous hashing by multiplication).

    Every process agrees, and a key that drops out moves nobody's conversations but its own.
    """
    return (affinity * credential.seed) & _MASK


def _in_flight(credential: Credential) -> int:
    return credential.load.in_flight


def _now_us() -> int:
    return time.time_ns() // 1000
