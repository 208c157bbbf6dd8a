"""What a faulty upstream does to a request, as one flat value that a TOML file can hold. Sends nothing.

A default behaviour is a good answer in the caller's API. Every field changes one thing, and fields combine: a slow
answer may be cut, a refusal may hang. `tests/lab/damage.py` turns a good answer and a behaviour into bytes.
"""

from __future__ import annotations

from math import inf
from typing import Any, Final, Literal

from msgspec import Struct, structs

Stop = Literal["", "close", "reset", "hang"]
Usage = Literal["", "none", "null", "negative", "huge", "float", "string", "bool", "nested", "twice"]
Limits = Literal["", "seconds", "date", "ms", "openai", "anthropic"]
Coding = Literal["", "gzip", "deflate", "truncated", "trailing", "bomb", "unasked"]


class Behaviour(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Seconds, bytes and counts; empty, 0 and None leave the answer as it is.

    Time: `delay` before the first byte, `pace` between events, or between pieces of `drip` bytes.
    End: `stop` breaks the connection off, or falls silent (`hang`): before the head (`stop_after` -1), behind it (0),
    or after so many events of a stream, bytes of a plain body.
    """

    delay: float = 0.0
    pace: float = 0.0
    drip: int = 0
    stop: Stop = ""
    stop_after: int = -1
    # Another answer. `error_after`: an error object within a 200, in place of the body or after so many events.
    status: int = 200
    message: str = ""
    code: str | None = None
    error_after: int | None = None
    page: bool = False
    body: str | None = None
    content_type: str | None = None
    location: str | None = None
    headers: dict[str, str] = {}
    limits: Limits = ""
    retry_seconds: float = 2.0
    # How its bytes are coded and framed. `length_off` is added to a content-length, `extra` follows the answer.
    coding: Coding = ""
    bomb_mib: int = 256
    length_off: int = 0
    extra: str = ""
    connection: Literal["", "closes", "says_close", "lies"] = ""
    head_bytes: int = 0
    head_count: int = 0
    # How a stream is written. `split`: bytes of each write; `long_line`: bytes that the third event is filled up to.
    line_end: Literal["", "crlf", "cr"] = ""
    split: int = 0
    comments: bool = False
    bom: bool = False
    data_lines: bool = False
    long_line: int = 0
    broken_event: int | None = None
    # What it reports, and what it says of itself.
    usage: Usage = ""
    canary: str = ""

    @property
    def name(self) -> str:
        """What differs from a good answer, in a few words."""
        changed = {
            name: value
            for name, value in structs.asdict(self).items()
            if value != getattr(GOOD, name) and name not in _UNTOLD
        }
        return " ".join(f"{name}={str(value)[:24]}" for name, value in changed.items()) or "good"

    def is_good(self, *, stream: bool) -> bool:
        """Whether a caller gets a good answer in the end, however it is written."""
        return self.status == 200 and not (
            self.stop
            or self.page
            or self.length_off
            or self.error_after is not None
            or self.body is not None
            or (stream and self.broken_event is not None)
            or self.coding in {"truncated", "trailing", "bomb", "unasked"}
        )


GOOD: Final = Behaviour()
_UNTOLD: Final = frozenset({"canary", "retry_seconds", "bomb_mib"})


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a behaviour is shown: to which key (its number from 1), model or API, and from when until when.

    `since` and `until` are seconds since the script began; `most`: only to so many requests. `refuse`: nothing
    listens then, whatever `do` says.
    """

    do: Behaviour = GOOD
    refuse: bool = False
    key: int | None = None
    model: str | None = None
    api: str | None = None
    since: float = 0.0
    until: float = inf
    most: int | None = None

    def fits(self, *, at: float, key: int, model: str, api: str, shown: int) -> bool:
        """Whether it is for this request; `shown` is how often it was shown already."""
        return (
            not self.refuse
            and self.since <= at < self.until
            and self.key in {None, key}
            and self.model in {None, model}
            and self.api in {None, api}
            and (self.most is None or shown < self.most)
        )


def changed(behaviour: Behaviour, **values: Any) -> Behaviour:
    """The behaviour with other values."""
    return structs.replace(behaviour, **values)
