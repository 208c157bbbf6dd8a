"""How long attempts have to wait after failures: free ones first, then delays that double. Counts and stores nothing.

An attempt is counted before its secret is looked at, so a hundred at once are a hundred attempts, not one.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from .times import SECOND_US

MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US


class Rule(Struct, frozen=True, kw_only=True):
    """`free` attempts cost nothing; each later one waits twice as long as that before it, up to `longest_us`.

    After `forget_us` without an attempt all are forgotten.
    """

    free: int
    first_us: int
    longest_us: int
    forget_us: int


class Count(Struct, frozen=True):
    """What is known of a subject: attempts without a success, and when the next one may be made (µs)."""

    attempts: int = 0
    next_at: int = 0
    last_at: int = 0


class Verdict(Struct, frozen=True):
    """Whether the attempt may be made: `wait_us` is 0 then, and `count` is what to store before making it."""

    count: Count
    wait_us: int = 0


PASSWORD: Final = Rule(free=5, first_us=2 * SECOND_US, longest_us=15 * MINUTE_US, forget_us=24 * HOUR_US)
"""Passwords and codes of one account: some 100 guesses a day, from however many addresses."""
ADDRESS: Final = Rule(free=100, first_us=SECOND_US, longest_us=MINUTE_US, forget_us=HOUR_US)
"""Failed log-ins from one address, over all accounts of a storefront."""
MAILS: Final = Rule(free=5, first_us=2 * MINUTE_US, longest_us=6 * HOUR_US, forget_us=24 * HOUR_US)
"""Mails to one mailbox that anybody can ask for; a link that is opened shows that its owner wants them."""
SIGN_UPS: Final = Rule(free=60, first_us=5 * SECOND_US, longest_us=2 * MINUTE_US, forget_us=HOUR_US)
"""Sign-ups and requests for mails from one address."""

VOUCHERS: Final = Rule(free=5, first_us=2 * SECOND_US, longest_us=15 * MINUTE_US, forget_us=24 * HOUR_US)
"""Wrong voucher codes of one customer, and from one address."""
EXPORTS: Final = Rule(free=5, first_us=30 * SECOND_US, longest_us=10 * MINUTE_US, forget_us=HOUR_US)
"""Exports of everything by one customer."""


def attempt(rule: Rule, count: Count, now: int) -> Verdict:
    """What an attempt at `now` comes to. A refused one is not counted, so waiting is never in vain."""
    if now - count.last_at >= rule.forget_us:
        count = Count()
    if now < count.next_at:
        return Verdict(count, count.next_at - now)
    attempts = count.attempts + 1
    delay = delay_us(rule, attempts)
    # Attempts at once read the clock before they are counted, in any order: a free one must not hold up another.
    return Verdict(Count(attempts, now + delay if delay else 0, max(now, count.last_at)))


def delay_us(rule: Rule, attempts: int) -> int:
    """How long to wait after so many attempts without a success."""
    beyond = attempts - rule.free
    if beyond < 0:
        return 0
    return min(rule.first_us << min(beyond, 40), rule.longest_us)
