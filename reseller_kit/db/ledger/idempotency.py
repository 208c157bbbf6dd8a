"""What an idempotency key stands for: kept with its first outcome, a refusal included. Stores nothing itself."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from ...core.errors import Conflict, LedgerFault
from ...core.ledger import HoldRefused
from .items import Idempotency, Posted


class _Remembered(Struct, frozen=True, omit_defaults=True):
    """One of the two."""

    posted: Posted | None = None
    refused: HoldRefused | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Remembered).decode


def remember(outcome: Posted | HoldRefused) -> str:
    """The outcome as JSON."""
    if isinstance(outcome, Posted):
        return _encode(_Remembered(posted=outcome)).decode()
    return _encode(_Remembered(refused=outcome)).decode()


def replay(once: Idempotency, request_hash: str, outcome: bytes | str) -> Posted | HoldRefused:
    """The first outcome again. Raises Conflict when the key was used for something else."""
    if request_hash != once.request_hash:
        raise Conflict(
            f"The idempotency key {once.key!r} was used with other arguments.",
            fix="Use a new key for a new operation, or repeat the first one word for word.",
        )
    remembered = _decode(outcome)
    found = remembered.posted or remembered.refused
    if found is None:
        raise LedgerFault(f"what the idempotency key {once.key!r} stands for was not kept")
    return found
