"""The state of one held call while it runs. Does nothing by itself."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec
from msgspec import Struct, field

from ...core.catalog import OfferedModel, PriceVersion, Route
from ...core.storefront import Storefront
from ...core.usage import ONE_REQUEST, Usage
from ...db.authentication import KeyAccount
from ...telemetry.access import Note
from ...upstream.credentials import Ticket
from ...upstream.faults import Busy
from ..limiter import NOTHING_TAKEN, Admission
from ..prepared import Candidate


class CallFacts(Struct, frozen=True, kw_only=True):
    """What a usage record says of a call from its start; kept with the hold in case the process dies."""

    model: str
    public_model: str
    dialect: str
    stream: bool


class FallbackFacts(Struct, frozen=True, kw_only=True):
    """The model that answered in place of the one that was asked for, and its prices."""

    public_model: str
    retail_version: str
    wholesale_version: str


class CheckpointFacts(Struct, frozen=True, kw_only=True):
    """What a stream had delivered at a checkpoint: enough to settle it without this process."""

    upstream: str
    upstream_model: str
    cost_version: str
    usage: Usage
    attempts: int
    first_byte_ms: int
    delivered_characters: int
    tokenizer: str
    fallback: FallbackFacts | None = None


class Caller(Struct, frozen=True, kw_only=True):
    """Who calls, where and when: `started_ns` monotonic, `now` in µs of the wall clock."""

    request_id: str
    storefront: Storefront
    account: KeyAccount
    dialect: str
    started_ns: int
    now: int
    session: str = ""
    """What the client calls its session in a header."""
    note: Note = field(default_factory=Note)
    """What is found out about the request, for the log."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What a decoded request asks for: bounds in tokens, `output_limit` None if it names none.

    `inputs`: how many inputs share the input's bound, each of which may fill the model's context. `units`: the most of
    each class that is not counted in tokens.
    """

    stream: bool
    choices: int
    input_bound: int
    output_limit: int | None
    inputs: int = 1
    units: Mapping[str, int] = {}
    conversation: int | None = None
    """What calls of one conversation have in common in every process; None where nothing hangs on it: no choice, or no
    prompt cache."""
    named: bool = False
    """Whether its client names the conversation, so that it is one for sure and not just a prompt that begins alike."""
    remember: int | None = None
    """The conversation for which this process remembers the endpoint that answers; None where there is no choice."""


class Job(Struct, kw_only=True, eq=False):
    """A held call. Times in ns of the monotonic clock."""

    caller: Caller
    wanted: Wanted
    offered: OfferedModel
    """The model that was asked for."""
    served: OfferedModel
    """The model that is asked: the same, or one that it falls back to."""
    output_limit: int
    """Of one choice, in tokens, as it is held for."""
    window: tuple[str, int] | None
    epoch: int
    """That of this process when the hold was placed."""
    units: Mapping[str, int] = ONE_REQUEST
    """The most of each class that is not counted in tokens."""
    lowered: bool = False
    left_out: tuple[str, ...] = ()
    """What of the request its upstream's API can't carry, as paths in the caller's."""
    first: Candidate | None = None
    """The route that is asked first, unless the conversation is elsewhere; None where it is to be chosen."""
    route: Route | None = None
    attempts: int = 0
    in_flight: bool = False
    """Whether its request was sent to an upstream that has neither refused it nor failed."""
    first_byte_ns: int | None = None
    ticket: Ticket | None = None
    """The upstream's key that the answer comes over."""
    settled: bool = False
    admission: Admission = field(default_factory=lambda: NOTHING_TAKEN)
    """What the call takes of its caller's limits."""
    upstream_admission: Admission | None = None
    """And of its upstream's."""
    expected: tuple[int, int] = (0, 0)
    """Likely tokens of input and output."""
    busy: Busy | None = None
    """The last upstream that had no room for it."""
    read: int = 0
    written: int = 0
    """The tokens that it used in the end."""

    @property
    def fallback(self) -> OfferedModel | None:
        """The model that is asked in place of the one that was asked for."""
        return None if self.served is self.offered else self.served

    @property
    def shown(self) -> str:
        """The model's name in the answer: as it was asked for, else the public name of the one that answers."""
        return self.served.name

    @property
    def sent_limit(self) -> int:
        """Output tokens of one choice that the model which is asked may write."""
        most = self.served.max_output
        return min(most, self.output_limit)

    @property
    def fallback_facts(self) -> FallbackFacts | None:
        """What a checkpoint says of the fallback that answers."""
        model = self.fallback
        if model is None:
            return None
        return FallbackFacts(
            public_model=model.model, retail_version=model.retail.id, wholesale_version=model.wholesale.id
        )

    @property
    def tokens(self) -> int:
        """All tokens that it used in the end."""
        return self.read + self.written

    @property
    def retail(self) -> tuple[PriceVersion, ...]:
        """The price versions of which the customer's charge is the lowest."""
        fallback = self.fallback
        return (self.offered.retail,) if fallback is None else (self.offered.retail, fallback.retail)

    @property
    def wholesale(self) -> tuple[PriceVersion, ...]:
        """The price versions of which the reseller's charge is the lowest."""
        fallback = self.fallback
        return (self.offered.wholesale,) if fallback is None else (self.offered.wholesale, fallback.wholesale)

    def elapsed_ms(self) -> int:
        """Milliseconds since the request arrived."""
        return (time.monotonic_ns() - self.caller.started_ns) // 1_000_000

    def first_byte_ms(self) -> int | None:
        """Milliseconds to the first byte of content; None before it."""
        return None if self.first_byte_ns is None else (self.first_byte_ns - self.caller.started_ns) // 1_000_000


encode_json = msgspec.json.Encoder().encode
