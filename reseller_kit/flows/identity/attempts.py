"""Counts attempts per account and per address, in the database, so that every process and restart knows them.

An attempt is counted before its secret is looked at. A browser that has logged in to the account before has a count of
its own: others' guesses do not lock its customer out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ...core.errors import RateLimited
from ...core.throttle import ADDRESS, EXPORTS, MAILS, PASSWORD, SIGN_UPS, VOUCHERS, Count, Rule, attempt
from ...core.times import SECOND_US
from ...core.visitors import throttled_as
from ...db import throttles
from ...db.engine import Connection, now_us
from .visit import Identity, Visit

_RULES: Final[dict[str, Rule]] = {
    "password": PASSWORD,
    "code": PASSWORD,
    "address": ADDRESS,
    "mail": MAILS,
    "sign_up": SIGN_UPS,
    "contact": SIGN_UPS,
    "export": EXPORTS,
    "voucher": VOUCHERS,
    "voucher_address": VOUCHERS,
}


class Subject(Struct, frozen=True):
    """Whose attempts are counted: a kind of `_RULES` and the keyed hash of whom it is about."""

    kind: str
    digest: bytes


def by_address(identity: Identity, visit: Visit, kind: str = "address") -> Subject:
    """Everything that comes from the visit's address."""
    return Subject(kind, identity.digest("throttle", f"{kind}\0{throttled_as(visit.address)}"))


def by_account(identity: Identity, kind: str, account: str, device: bytes | None = None) -> Subject:
    """An account, whether it exists or not; with `device`, of a browser that it knows."""
    return Subject(kind, identity.digest("throttle", f"{kind}\0{account}\0{device.hex() if device else ''}"))


async def count(identity: Identity, tenant_id: int, *subjects: Subject) -> None:
    """Count one attempt of all subjects, or of none. Raises RateLimited with the longest wait."""
    now = now_us()
    # Looked at first: who has to wait anyway costs no turn to write.
    async with identity.db.read(tenant_id) as connection:
        waits = [wait for subject in subjects if (wait := await _wait(connection, tenant_id, subject, now))]
    if not waits:
        async with identity.write(tenant_id) as connection:
            waits = await _count(connection, tenant_id, subjects, now)
    if waits:
        seconds = -(-max(waits) // SECOND_US)
        raise RateLimited("There were too many attempts. Wait and try again.", retry_after_seconds=seconds)


async def may(identity: Identity, tenant_id: int, *subjects: Subject) -> bool:
    """As `count`, answering instead of raising."""
    try:
        await count(identity, tenant_id, *subjects)
    except RateLimited:
        return False
    return True


async def succeed(connection: Connection, tenant_id: int, account: Subject, address: Subject | None = None) -> None:
    """The attempt was right: the account's are forgotten, and the address' last one did not happen."""
    # In the order in which attempts are counted, so that neither waits for the other.
    if address is not None:
        await lower(connection, tenant_id, address)
    await throttles.clear(connection, tenant_id, account.kind, account.digest)


async def mailbox_answered(connection: Connection, identity: Identity, tenant_id: int, address: str) -> None:
    """A link that was mailed there was opened: whoever reads the mailbox wants its mails."""
    mailed = by_account(identity, "mail", address)
    await throttles.clear(connection, tenant_id, mailed.kind, mailed.digest)


async def lower(connection: Connection, tenant_id: int, subject: Subject) -> None:
    """The last attempt was right: it does not count, while those before it do."""
    was = await throttles.lock(connection, tenant_id, subject.kind, subject.digest)
    lowered = Count(max(was.attempts - 1, 0), was.next_at, was.last_at)
    await throttles.put(connection, tenant_id, subject.kind, subject.digest, lowered)


async def _wait(connection: Connection, tenant_id: int, subject: Subject, now: int) -> int:
    known = await throttles.find(connection, tenant_id, subject.kind, subject.digest)
    return attempt(_RULES[subject.kind], known, now).wait_us


async def _count(connection: Connection, tenant_id: int, subjects: Sequence[Subject], now: int) -> list[int]:
    """The waits of the subjects that must wait; without one, every subject's attempt is stored."""
    verdicts = []
    # In one order everywhere, so that two attempts never wait for one another's rows.
    for subject in sorted(subjects, key=lambda subject: (subject.kind, subject.digest)):
        known = await throttles.lock(connection, tenant_id, subject.kind, subject.digest)
        verdicts.append((subject, attempt(_RULES[subject.kind], known, now)))
    waits = [verdict.wait_us for _, verdict in verdicts if verdict.wait_us]
    if not waits:
        for subject, verdict in verdicts:
            await throttles.put(connection, tenant_id, subject.kind, subject.digest, verdict.count)
    return waits
