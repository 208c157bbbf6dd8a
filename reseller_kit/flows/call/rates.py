"""Which limits a call must find room in, and what its caller is told when it finds none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from ...core.errors import InvalidRequest, RateLimited
from ...core.limits import Kind, Limit, Room, Scope
from ...core.rates import rates_of
from ...core.storefront import CallLimits, Storefront
from ...db.authentication import KeyAccount

_BYTES_PER_TOKEN: Final = 4
"""A hold takes every byte for a token, which no request reaches; a limit is better served by what is likely."""
_UNNAMED_OUTPUT: Final = 1024
"""What an answer is taken for until it is known, where the caller names no limit."""
_WHOSE: Final[dict[Scope, str]] = {"key": "this key", "customer": "your account", "tenant": "this service"}


def tokens_expected(input_bound: int, output_limit: int | None, choices: int) -> tuple[int, int]:
    """Likely tokens of the input, and of the output at most."""
    return -(-input_bound // _BYTES_PER_TOKEN), (_UNNAMED_OUTPUT if output_limit is None else output_limit) * choices


def limits_of(storefront: Storefront, account: KeyAccount, expected: tuple[int, int]) -> Sequence[Limit]:
    """Everything that a call of this key is counted in; `expected` tokens of input and output.

    Of the output no more is set aside than a limit has beside the input, so that a call fits into an empty minute.
    Raises InvalidRequest for an input that is larger than a limit of tokens: no wait would help it.
    """
    known = _KNOWN.get(account.key_id)
    if known is None or known.account is not account or known.of_storefront is not storefront.limits:
        known = _find_out(storefront, account)
    if not known.of_tokens:
        return known.limits
    return [_of_tokens(limit, expected) if limit.kind == "tokens" else limit for limit in known.limits]


def refusal(limits: Sequence[Limit], room: Room) -> RateLimited:
    """What the caller is told of a limit that had no room."""
    limit = limits[room.refused or 0]
    whose = _WHOSE[limit.scope]
    if limit.kind == "concurrency":
        message = f"Too many requests of {whose} are under way at once: the limit is {limit.most}."
        if limit.scope == "tenant":
            message = "Too many requests are under way at once."
    elif limit.scope == "tenant":
        message = "This service has reached its limit for the present minute."
    else:
        message = f"The limit of {limit.most} {limit.kind} per minute for {whose} is reached."
    seconds = max(1, -(-room.wait // 1_000_000))
    return RateLimited(message, retry_after_seconds=seconds, rates=rates_of(limits, room))


class _Known(Struct, frozen=True):
    """The limits of a key, as long as its account and its storefront's limits are these."""

    account: KeyAccount
    of_storefront: CallLimits
    limits: tuple[Limit, ...]
    of_tokens: bool
    """Whether there is one of tokens, of which each call takes another amount."""


_KNOWN: dict[str, _Known] = {}
_MAX_KNOWN: Final = 100_000


def _find_out(storefront: Storefront, account: KeyAccount) -> _Known:
    """The limits without what a call takes of them: worked out once for each key."""
    if len(_KNOWN) >= _MAX_KNOWN:
        _KNOWN.clear()
    limits = _limits(storefront, account)
    known = _Known(account, storefront.limits, limits, any(limit.kind == "tokens" for limit in limits))
    _KNOWN[account.key_id] = known
    return known


def _limits(storefront: Storefront, account: KeyAccount) -> tuple[Limit, ...]:
    limits, tenant = storefront.limits, str(storefront.tenant_id)
    found: tuple[tuple[Scope, Kind, str, int | None], ...] = (
        ("key", "requests", account.key_id, account.requests_per_minute),
        ("key", "tokens", account.key_id, account.tokens_per_minute),
        ("key", "concurrency", account.key_id, account.concurrent_requests),
        ("customer", "requests", account.customer_id, limits.requests_per_minute),
        ("customer", "tokens", account.customer_id, limits.tokens_per_minute),
        ("customer", "concurrency", account.customer_id, limits.concurrent_requests),
        ("tenant", "requests", tenant, limits.tenant_requests_per_minute),
        ("tenant", "tokens", tenant, limits.tenant_tokens_per_minute),
        ("tenant", "concurrency", tenant, limits.tenant_concurrent_requests),
    )
    return tuple(Limit(scope, kind, ref, most) for scope, kind, ref, most in found if most is not None)


def _of_tokens(limit: Limit, expected: tuple[int, int]) -> Limit:
    """What a call takes of a limit of tokens."""
    read, written = expected
    if read > limit.most:
        raise InvalidRequest(
            f"The request has about {read} tokens, more than {_WHOSE[limit.scope]} may use in a minute ({limit.most}).",
            fix="Send a shorter one.",
        )
    return Limit(limit.scope, limit.kind, limit.ref, limit.most, min(read + written, limit.most), limit.name)
