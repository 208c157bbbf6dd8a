"""What can be asked of the ledger writer, and what it answers. Values only."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from ...core.ledger import Capture, Grant, Hold, HoldRefused, HoldRequest, TakeBack, WholesaleMove
from .cold import ColdItem


class UsageRow(Struct, frozen=True, kw_only=True):
    """One usage record, fields in the order of the table's columns; the last one, `settled_at`, is the batch's.

    `quantities` is JSON: usage class → integer.
    """

    id: str
    tenant_id: int
    customer_id: str
    key_id: str
    model: str
    public_model: str
    upstream: str | None
    upstream_model: str | None
    dialect: str
    stream: bool
    status: str
    http_status: int
    quantities: str
    reasoning_tokens: int
    usage_source: str
    usage_capped: bool
    retail_nano: int
    wholesale_nano: int
    cost_nano: int
    retail_version: str
    wholesale_version: str
    cost_version: str | None
    attempts: int
    latency_ms: int
    first_byte_ms: int | None
    delivered_characters: int | None
    tokenizer: str | None
    created_at: int


class Idempotency(Struct, frozen=True):
    """The caller's key for an operation and the hash of what it asks for."""

    operation: str
    key: str
    request_hash: str


class PlaceHold(Struct, frozen=True, eq=False):
    """Reserve a call's money. `call` is JSON with what a usage record needs should the process die."""

    request: HoldRequest
    call: str


class Settle(Struct, frozen=True, eq=False, kw_only=True):
    """Resolve a hold and write its usage record. `final_state` names how a charge of zero resolves it.

    `window` is the hold's key period, None for a hold without one. `owner` and `epoch` are the hold's where it is
    another process's; None for the writer's own.
    """

    capture: Capture
    usage: UsageRow
    wallet_id: int
    reseller_wallet_id: int
    window: tuple[str, int] | None
    final_state: str = "voided"
    owner: str | None = None
    epoch: int = 0


class Checkpoint(Struct, frozen=True, eq=False):
    """What a stream has delivered so far, kept with its open hold."""

    request_id: str
    tenant_id: int
    checkpoint: str


class GrantCredit(Struct, frozen=True, eq=False):
    """Credit a customer, once per idempotency key."""

    grant: Grant
    once: Idempotency | None = None


class TakeCredit(Struct, frozen=True, eq=False):
    """Take credit away by hand, once per idempotency key."""

    take: TakeBack
    once: Idempotency | None = None


class MoveWholesale(Struct, frozen=True, eq=False):
    """Deposit to or withdraw from a reseller's wallet, once per idempotency key."""

    move: WholesaleMove
    once: Idempotency | None = None


class PayOut(Struct, frozen=True, eq=False):
    """Approve a requested payout: post it and change its state together, or neither. `move.ref` is its id."""

    move: WholesaleMove
    once: None = None


class ExpireLots(Struct, frozen=True, eq=False):
    """Move what is free of a wallet's run-out lots to breakage. `txn_id` begins the ids of what is posted.

    `share_id`: the reseller's revenue share, to which the cash behind it goes.
    """

    txn_id: str
    tenant_id: int
    wallet_id: int
    at: int
    share_id: int | None = None


class AccrueCash(Struct, frozen=True, eq=False):
    """Credit a revenue share with the cash of what is used up of these lots, as far as it has not been."""

    txn_id: str
    tenant_id: int
    wallet_id: int
    share_id: int
    lots: tuple[str, ...]
    at: int


class Settled(Struct, frozen=True):
    """How a hold ended; `repeated` when it had ended before and nothing was written."""

    state: str
    repeated: bool = False


class Posted(Struct, frozen=True):
    """A posted transaction: its id (of the lot, for a grant), the amount, and the wallet's balance behind it.

    For expired lots, of which there may be none: the id asked for and the sum, which is negative.
    """

    id: str
    amount: int
    balance: int


Item: TypeAlias = (
    PlaceHold
    | Settle
    | Checkpoint
    | GrantCredit
    | TakeCredit
    | MoveWholesale
    | PayOut
    | ExpireLots
    | AccrueCash
    | ColdItem
)
Outcome: TypeAlias = Hold | HoldRefused | Settled | Posted | None
