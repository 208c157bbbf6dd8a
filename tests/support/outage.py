"""What every outage of the database has in common: calls before, during and behind it, and what must come of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from tests.support.crowd import Call, Crowd
from tests.support.product import Customer, Shop
from tests.support.verdict import Books, judge, was_asked

SHORT: Final = "[[input=500 cached=0 output=40 pace=0.05]]"
LIVES_ON_SECONDS: Final = 4.0
"""How long streams go on behind the outage."""
REFUSED_WITHIN_SECONDS: Final = 8.0
BACK_WITHIN_SECONDS: Final = 20.0

Harm = Callable[[Shop], AbstractContextManager[None]]


def live_through(shop: Shop, callers: Crowd, harm: Harm, *, seconds: float) -> None:
    """Streams that end during and after the outage, a client that leaves in it, and calls that come too late."""
    port = shop.server.port
    customers = [shop.customer() for _ in range(4)]
    long = f"[[input=500 cached=0 output={int((seconds + LIVES_ON_SECONDS) * 20)} pace=0.05]]"
    during = [callers.call(port, customers[n % 4], SHORT) for n in range(8)]
    after = [callers.call(port, customers[n % 4], long) for n in range(8)]
    leaver = callers.call(port, customers[0], long)
    callers.wait_for_tokens([*during, *after, leaver], 10)
    with harm(shop):
        began_at = time.monotonic()
        late = refused_calls(port, callers, customers)
        callers.leave(leaver)
        callers.wait(late, REFUSED_WITHIN_SECONDS)
        assert [call.status for call in late] == [503] * len(late), [call.received[:200] for call in late]
        # Clients come again by themselves, unless they are told not to.
        final = [call.received for call in late if b"\r\nretry-after: 1\r\n" not in call.received]
        assert final == [], final
        # A stream that ends meanwhile gets its end after five seconds, and is paid for later.
        callers.wait(during, 15)
        assert all(call.finished for call in during)
        time.sleep(max(0.0, seconds - (time.monotonic() - began_at)))
    callers.wait(after, 60)
    assert all(call.finished for call in after), [call.received[-200:] for call in after if not call.finished]
    Books(shop).wait_until_resolved(customers, time.time(), BACK_WITHIN_SECONDS)
    fresh = callers.calls_of(port, customers, "[[input=50 output=9]]", stream=False)
    callers.wait(fresh, 30)
    assert all(call.finished for call in fresh), [call.received[:300] for call in fresh]
    judge(shop, [*during, *after, leaver, *late, *fresh])
    assert was_asked(shop, late) == []


def refused_calls(port: int, callers: Crowd, customers: list[Customer]) -> list[Call]:
    streamed = callers.calls_of(port, customers, "[[output=5]]")
    time.sleep(0.2)
    return streamed + callers.calls_of(port, customers, "[[output=5]]", stream=False)
