"""Looks up what a host's records are, with short deadlines. Keeps no answer: a check must see what is there now.

An answer that says "nothing there" is one; a server that fails, refuses or keeps silent gave none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.CAA import CAA
from dns.rdtypes.ANY.TXT import TXT

from ..core.domain import Found, Target, challenge_name

_log = logging.getLogger(__name__)
_ONE_SECONDS: Final = 2.0
"""For one server."""
_ALL_SECONDS: Final = 5.0
"""For one question, whatever number of servers there is."""
_AT_ONCE: Final = 16
_MOST: Final = 20
_LONGEST: Final = 300
_MOST_HOPS: Final = 8


class Resolver:
    """Asks these servers, or the machine's own where there are none."""

    def __init__(self, servers: Iterable[tuple[str, int]] = (), *, seconds: float = _ALL_SECONDS) -> None:
        """`servers`: addresses and ports. Reads the machine's own from its resolv.conf when first asked.

        `seconds`: for one question; a check as a whole takes no more than three times as long.
        """
        self._seconds = seconds
        self._servers = tuple(servers)
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def texts(self, name: str) -> tuple[str, ...] | None:
        """The TXT records of a name; None when nobody told."""
        return await self._texts(name)

    async def exists(self, name: str) -> bool | None:
        """Whether there is anything at a name or below it (RFC 8020); None when nobody told."""
        try:
            async with self._room:
                await self._own().resolve(name, "TXT", raise_on_no_answer=False, search=False, lifetime=self._seconds)
        except dns.resolver.NXDOMAIN:
            return False
        except (dns.exception.DNSException, OSError, ValueError):
            return None
        return True

    async def find(self, host: str) -> Found:
        """What is known of a canonical host. Raises nothing: what could not be found out is None."""
        try:
            # A chain of slow servers, each just in time, must not hold up whoever waits for the answer.
            async with asyncio.timeout(2 * self._seconds):
                txt, cnames, a, aaaa, issuers = await asyncio.gather(
                    self._texts(challenge_name(host)),
                    self._chain(host),
                    self._addresses(host, "A"),
                    self._addresses(host, "AAAA"),
                    self._issuers(host),
                )
        except TimeoutError:
            return Found()
        return Found(txt=txt, cnames=cnames, a=a, aaaa=aaaa, issuers=issuers)

    async def complete(self, target: Target) -> Target:
        """The target with the addresses behind its name beside its own: an apex can't be an alias, so it has these."""
        if target.cname is None:
            return target
        a, aaaa = await asyncio.gather(self._addresses(target.cname, "A"), self._addresses(target.cname, "AAAA"))
        return Target(
            cname=target.cname,
            a=tuple(dict.fromkeys((*target.a, *(a or ())))),
            aaaa=tuple(dict.fromkeys((*target.aaaa, *(aaaa or ())))),
            issuers=target.issuers,
        )

    async def _texts(self, name: str) -> tuple[str, ...] | None:
        answer = await self._ask(name, "TXT")
        if answer is None:
            return None
        records = [record for record in answer if isinstance(record, TXT)]
        return _bounded(b"".join(record.strings).decode("utf-8", "replace") for record in records)

    async def _addresses(self, name: str, kind: str) -> tuple[str, ...] | None:
        answer = await self._ask(name, kind)
        return None if answer is None else _bounded(record.to_text() for record in answer)

    async def _chain(self, host: str) -> tuple[str, ...] | None:
        """The names that a host stands for, one question each: an alias of a name that is gone is one too."""
        found: list[str] = []
        name = host
        for _ in range(_MOST_HOPS):
            answer = await self._ask(name, "CNAME")
            if answer is None:
                return None
            if not answer:
                break
            name = answer[0].to_text().removesuffix(".").lower()
            if name in found:
                break
            found.append(name)
        return _bounded(found)

    async def _issuers(self, host: str) -> tuple[str, ...] | None:
        """Whom CAA lets sign: the records of the nearest name that has any (RFC 8659, section 3)."""
        labels = host.split(".")
        for index in range(len(labels)):
            answer = await self._ask(".".join(labels[index:]), "CAA")
            if answer is None:
                return None
            records = [record for record in answer if isinstance(record, CAA)]
            if records:
                issue = [r.value.decode("ascii", "replace") for r in records if r.tag.lower() == b"issue"]
                # Without `issue` anybody may sign; with an empty one nobody.
                return _bounded(each.partition(";")[0].strip().lower() or ";" for each in issue)
        return ()

    async def _ask(self, name: str, kind: str) -> list[dns.rdata.Rdata] | None:
        try:
            async with self._room:
                answer = await self._own().resolve(
                    name, kind, raise_on_no_answer=False, search=False, lifetime=self._seconds
                )
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError, ValueError) as error:
            _log.info("no answer to %s of %s: %s", kind, name, type(error).__name__)
            return None
        return [] if answer.rrset is None else list(answer.rrset)

    def _own(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            resolver = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in self._servers]
            resolver.timeout = min(_ONE_SECONDS, self._seconds)
            resolver.cache = None
            self._resolver = resolver
        return self._resolver


def _bounded(texts: Iterable[str]) -> tuple[str, ...]:
    """Somebody else's texts, as many and as long as anybody reads."""
    return tuple(text[:_LONGEST] for text, _ in zip(texts, range(_MOST), strict=False))
