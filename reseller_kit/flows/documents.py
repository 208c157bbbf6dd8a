"""What a reseller's documents hold, field by field: checked where they are made, described by the management API.

Holds no value and makes no document; `shapes` and the modules beside it do.
"""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from ..core.order import OrderState

Amount = Annotated[str, Meta(pattern=r"^-?[0-9]+\.[0-9]{2,9}$", description="USD.")]
Price = Annotated[str, Meta(pattern=r"^-?[0-9]+\.[0-9]{2,12}$", description="USD per million tokens, or per unit.")]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class Customer(TypedDict):
    """A customer; `link` sets a password and is there when it was just made."""

    id: str
    tenant: str
    email: str
    name: str
    status: str
    suspend_reason: str | None
    group: str | None
    verified_at: Time | None
    created_at: Time
    link: str | None


class Key(TypedDict):
    """An API key. `spent`, `reserved`, `resets_at`: of a key with a limit; `key`: itself, when it was just made."""

    id: str
    prefix: str
    name: str
    customer: str
    customer_id: str
    status: str
    limit: Amount | None
    reset: str | None
    spent: Amount | None
    reserved: Amount | None
    resets_at: Time | None
    models: list[str]
    rpm: int | None
    tpm: int | None
    concurrency: int | None
    allow_ips: list[str]
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None
    created_at: Time
    key: NotRequired[str]


class Posted(TypedDict):
    """A movement of credit, and the balance behind it."""

    id: str
    amount: Amount
    balance: Amount


class Lot(TypedDict):
    """Where a part of the credit came from. `left_today`: of what may be used in a day."""

    id: str
    kind: str
    amount: Amount
    remaining: Amount
    reserved: Amount
    expires_at: Time | None
    models: list[str]
    daily_allowance: Amount | None
    left_today: Amount | None
    created_at: Time


class Wallet(TypedDict):
    """Credit: what there is, what calls hold of it, what is free, what is owed."""

    currency: str
    balance: Amount
    held: Amount
    available: Amount
    debt: Amount


class Balance(Wallet):
    """A customer's credit with its lots."""

    lots: list[Lot]


class Movement(TypedDict):
    """One movement in the history of credit."""

    id: str
    created_at: Time
    code: str
    amount: Amount
    balance_after: Amount | None
    ref: str


class Voucher(TypedDict):
    """A voucher; `code` when it was just made."""

    id: str
    batch: str
    prefix: str
    amount: Amount
    status: str
    redeemed: int
    max_redemptions: int
    valid_days: int | None
    models: list[str]
    expires_at: Time | None
    revoked_at: Time | None
    created_at: Time
    code: NotRequired[str]


class Order(TypedDict):
    """An order."""

    id: str
    tenant: str
    customer: str
    customer_id: str
    package: str
    version: int
    kind: str
    title: str
    price: Amount
    credits: Amount
    refunded: Amount
    currency: str
    status: OrderState
    provider: str
    provider_ref: str | None
    lot: str | None
    terms_hash: str
    note: str
    created_at: Time
    paid_at: Time | None
    lapses_at: Time


class Payment(TypedDict):
    """What a payment provider tells of an order's payment."""

    id: str
    provider: str
    status: str
    total: str
    currency: str
    problem: str
    decision: str


class Refund(TypedDict):
    """What went back of a payment, or was asked to."""

    id: str
    payment: str
    amount: str
    currency: str
    status: str
    reason: str
    error: str | None
    created_at: Time


class OrderEvent(TypedDict):
    """A step in an order's life: by whom, from which state to which."""

    event: str
    before: str
    after: str
    actor: str
    facts: dict[str, Any]
    note: str
    created_at: Time


class OrderDetail(Order):
    """An order with its history and the number of its receipt."""

    receipt: str | None
    payments: list[Payment]
    refunds: list[Refund]
    timeline: list[OrderEvent]


class Call(TypedDict):
    """One call, as charged. `input_tokens` leaves out what was cached, `output_tokens` has reasoning."""

    id: str
    created_at: Time
    customer: str
    customer_id: str
    key: str
    key_prefix: str
    model: str
    dialect: str
    stream: bool
    status: str
    http_status: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    reasoning_tokens: int
    quantities: dict[str, int]
    usage_source: str
    usage_capped: bool
    retail: Amount
    wholesale: Amount
    latency_ms: int
    first_byte_ms: int | None


class Sums(TypedDict):
    """What calls came to."""

    calls: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    cache_write_1h_tokens: int
    output_tokens: int
    quantities: dict[str, int]
    retail: Amount
    wholesale: Amount


class SumsLine(Sums):
    """The sums of one day, one model or one key, by what was asked for."""

    day: NotRequired[str]
    model: NotRequired[str]
    key: NotRequired[str]


class Summary(TypedDict):
    """Sums of whole days in the storefront's time zone, and their total."""

    tenant: str
    customer: str | None
    timezone: str
    since: Time
    by: str
    rows: list[SumsLine]
    total: Sums


RetailLine = TypedDict(
    "RetailLine",
    {
        "model": str,
        "aliases": list[str],
        "class": str,
        "above_input": int,
        "per": str,
        "paid": Price | None,
        "retail": Price,
        "margin": Price | None,
    },
)
_Price = Price | None
GroupLine = TypedDict(
    "GroupLine",
    {"model": str, "class": str, "per": str, "paid": _Price, "usual": Price, "retail": Price, "margin": _Price},
)


class PriceChange(TypedDict):
    """A change of prices at a later moment: a markup, or prices set by usage class. `group`: whose own markup."""

    id: str
    group: str | None
    model: str | None
    effective_from: Time
    markup: str | None
    set: dict[str, Price]
    allow_loss: bool


class WaitingChange(PriceChange):
    """The same when it was just made."""

    state: str


class ScheduledChange(WaitingChange):
    """The same with what became of it."""

    reason: str | None
    created_at: Time
    ended_at: Time | None


class Webhook(TypedDict):
    """Where events are sent; `secret` signs them and is there when it was just made."""

    id: str
    url: str
    description: str
    events: list[str]
    status: str
    disabled_reason: str | None
    disabled_at: Time | None
    failing_since: Time | None
    created_at: Time
    secret: NotRequired[str]


class Attempt(TypedDict):
    """How one try to deliver ended; without `status` there was no answer, and `error` says why."""

    created_at: Time
    status: int | None
    duration_ms: int
    answer: str
    error: str | None


class Delivery(TypedDict):
    """An event on its way to a webhook; attempts latest first."""

    id: str
    endpoint: str
    event: str
    type: str
    status: str
    next_attempt_at: Time | None
    created_at: Time
    payload: dict[str, Any]
    attempts: list[Attempt]
