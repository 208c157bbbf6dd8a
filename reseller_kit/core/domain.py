"""What becomes of a host that a reseller brings along. Decides from what DNS said; asks no DNS and knows no clock.

    claimed ──TXT──▶ verified ──points here──▶ live ──30 days of failure, warned twice──▶ detached ──mended──▶ live
                        └────────────┴───────── removed ──▶ tombstone

A claim is no host yet: several tenants may hold one for the same name, and whoever proves it gets it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from .errors import InvalidRequest
from .tenant import normalise_host
from .times import DAY_US

DomainState = Literal["verified", "live", "detached", "tombstone"]

CHALLENGE_LABEL: Final = "_storefront-challenge"
"""A label of its own, because a TXT record can't share a name with a CNAME."""
CHALLENGE_PREFIX: Final = "storefront-challenge="
CLAIM_US: Final = 14 * DAY_US
"""How long a claim may wait for its proof; asked for again it has a new challenge."""
WARN_DAYS: Final = (14, 28)
DETACH_DAYS: Final = 30
_GRACE_US: Final = 2 * DAY_US
"""At least as long lies between the last warning and the end, whenever that warning was sent."""
MAX_HOSTS: Final = 25
MAX_CLAIMS: Final = 10
DEFAULT_ISSUERS: Final = ("letsencrypt.org", "sectigo.com")
"""Who signs the certificates of a Caddy that was told nothing else: Let's Encrypt, then ZeroSSL."""
_SCHEME: Final = re.compile(r"https?://", re.IGNORECASE)
_CLOSED_ZONES: Final = frozenset({"arpa", "internal", "invalid", "local", "localhost", "onion"})
"""Top-level names that no public DNS serves."""
_GENERIC_WORDS: Final = frozenset({"platform", "store", "stores", "cloud", "host", "hosting", "systems"})


class Target(Struct, frozen=True, kw_only=True):
    """Where hosts have to point: a name for CNAME records, or addresses; and who may sign their certificates."""

    cname: str | None = None
    a: tuple[str, ...] = ()
    aaaa: tuple[str, ...] = ()
    issuers: tuple[str, ...] = DEFAULT_ISSUERS

    @property
    def addresses(self) -> frozenset[str]:
        """All of them, in one spelling."""
        return frozenset(map(canonical_address, (*self.a, *self.aaaa)))


class Found(Struct, frozen=True, kw_only=True):
    """What DNS said of a host. None: there was no answer that could be relied on. `txt`: at the challenge's name."""

    txt: tuple[str, ...] | None = None
    cnames: tuple[str, ...] | None = None
    """The chain of names that the host stands for, its own CNAME first."""
    a: tuple[str, ...] | None = None
    aaaa: tuple[str, ...] | None = None
    issuers: tuple[str, ...] | None = None
    """Whom CAA records let sign; empty: anybody."""


class Record(Struct, frozen=True):
    """One DNS record as people set it."""

    kind: Literal["TXT", "CNAME", "A", "AAAA"]
    name: str
    value: str


class Verdict(Struct, frozen=True, kw_only=True):
    """What follows; None: not known. `surplus`: records that stand in the way."""

    proven: bool | None = None
    pointed: bool | None = None
    certifiable: bool | None = None
    surplus: tuple[Record, ...] = ()


class Standing(Struct, frozen=True, kw_only=True):
    """Where a host stands. Times in µs; `warned_days`: the last warning that was sent, 0, 14 or 28."""

    state: DomainState
    failing_since: int | None = None
    warned_days: int = 0
    warned_at: int | None = None


class PlatformNames(Struct, frozen=True, kw_only=True):
    """What no reseller may take: the platform's hosts and suffix, and the words that would tell of it."""

    name: str = ""
    hosts: tuple[str, ...] = ()
    suffix: str | None = None
    cname: str | None = None


def challenge_value(token: str) -> str:
    """The TXT record's text."""
    return CHALLENGE_PREFIX + token


def challenge_name(host: str) -> str:
    """Where the TXT record stands."""
    return f"{CHALLENGE_LABEL}.{host}"


def judge(found: Found, host: str, token: str, target: Target) -> Verdict:
    """What an answer means for a host that has this challenge and should point there."""
    proven = None if found.txt is None else challenge_value(token) in {text.strip() for text in found.txt}
    certifiable = None
    if found.issuers is not None:
        certifiable = not found.issuers or bool({name.lower() for name in found.issuers} & {*target.issuers})
    return Verdict(
        proven=proven,
        pointed=_pointed(found, target),
        certifiable=certifiable,
        surplus=_surplus(found, host, target),
    )


def step(standing: Standing, verdict: Verdict, now: int) -> Standing:
    """Where a host stands after a check. What could not be found out changes nothing; a tombstone stays one."""
    if standing.state == "tombstone":
        return standing
    fine = verdict.proven and verdict.pointed
    if standing.state in {"verified", "detached"}:
        return Standing(state="live") if fine else standing
    if fine:
        return Standing(state="live")
    if verdict.proven is not False and verdict.pointed is not False:
        return standing
    return _failing(standing, now)


def refuse_host(text: str, platform: PlatformNames, *, is_public_suffix: bool) -> None:
    """Raise InvalidRequest for a canonical host that no reseller may bring along.

    `is_public_suffix`: whether it is a name under which anybody may register, such as co.uk.
    """
    if _is_address(text):
        raise _refused(
            f"{text} is an address, not a name.", "Give a name such as shop.example.com, and point it there."
        )
    if "." not in text or text.rpartition(".")[2] in _CLOSED_ZONES or is_public_suffix:
        raise _refused(f"{text} is not a domain of yours alone.", "Give one that you registered, or a part of it.")
    if "_" in text:  # DNS takes it; nobody signs a certificate for it
        raise _refused(f"{text} is not the name of a website.", "Write it without an underscore.")
    own = [name for name in (*platform.hosts, platform.suffix, platform.cname) if name]
    if any(_related(text, name) for name in own) or _tells(text, platform.name):
        raise _refused(f"{text} is reserved.", "Choose another name.")


def parents(host: str) -> tuple[str, ...]:
    """The names above a host that may have an owner of their own: those with a dot, the nearest first."""
    labels = host.split(".")
    return tuple(".".join(labels[index:]) for index in range(1, len(labels) - 1))


def telling_words(name: str) -> frozenset[str]:
    """The words of the platform's name by which somebody would know it."""
    words = name.lower().split()
    whole = "".join(words)
    return frozenset(word for word in (whole, *words) if len(word) >= 4 and word not in _GENERIC_WORDS)


def typed_host(text: str) -> str:
    """The canonical host in what somebody typed or pasted, as an address bar would take it: with a scheme or path.

    Raises InvalidRequest when there is none.
    """
    bare = _SCHEME.sub("", text.strip(), count=1).partition("/")[0]
    if not bare or len(bare) > 253:
        raise _refused("That is not a host name.", "Write it like shop.example.com.")
    return normalise_host(bare)


def canonical_address(text: str) -> str:
    """An IP address in its one spelling; what is none, as it is."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def _failing(standing: Standing, now: int) -> Standing:
    since = now if standing.failing_since is None else standing.failing_since
    failing = replace(standing, failing_since=since)
    days = (now - since) // DAY_US
    due = max((mark for mark in WARN_DAYS if days >= mark), default=0)
    if due > standing.warned_days:
        return replace(failing, warned_days=due, warned_at=now)
    long_warned = standing.warned_at is not None and now - standing.warned_at >= _GRACE_US
    if days >= DETACH_DAYS and standing.warned_days == WARN_DAYS[-1] and long_warned:
        return replace(failing, state="detached")
    return failing


def _pointed(found: Found, target: Target) -> bool | None:
    if found.cnames is not None and target.cname in found.cnames:
        return True
    if found.a is None or found.aaaa is None or found.cnames is None:
        return None
    addresses = {canonical_address(each) for each in (*found.a, *found.aaaa)}
    return bool(addresses) and addresses <= target.addresses


def _surplus(found: Found, host: str, target: Target) -> tuple[Record, ...]:
    """The records that lead elsewhere: of a host that is an alias, that alias; else its addresses."""
    if found.cnames:
        ours = target.cname in found.cnames or _pointed(found, target)
        return () if ours else (Record("CNAME", host, found.cnames[0]),)
    wrong: list[Record] = []
    kinds: tuple[tuple[Literal["A", "AAAA"], tuple[str, ...] | None], ...] = (("A", found.a), ("AAAA", found.aaaa))
    for kind, values in kinds:
        wrong += [Record(kind, host, each) for each in values or () if canonical_address(each) not in target.addresses]
    return tuple(wrong)


def _related(host: str, other: str) -> bool:
    """Whether one is the other, or lies below it."""
    return host == other or host.endswith(f".{other}") or other.endswith(f".{host}")


def _tells(host: str, name: str) -> bool:
    return contains_any(host, telling_words(name))


def contains_any(host: str, words: Iterable[str]) -> bool:
    """Whether a host holds one of the words, written with or without hyphens."""
    plain = host.replace("-", "")
    return any(word in plain or word in host for word in words)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _refused(message: str, fix: str) -> InvalidRequest:
    return InvalidRequest(message, param="host", fix=fix)
