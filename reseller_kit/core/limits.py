"""Rate limits as arithmetic: token buckets and counters of one process. Knows no clock and no tenant."""

from __future__ import annotations

from msgspec import Struct


class Bucket(Struct):
    """A token bucket by the generic cell rate algorithm (ITU-T I.371): full at first, refilled evenly.

    `full_at` is the time in µs at which it will be full again.
    """

    full_at: int = 0

    def take(self, *, now: int, per_minute: int, amount: int = 1) -> int:
        """Take `amount` of a bucket that holds a minute's worth; 0 if granted, else µs until it would be."""
        interval = 60_000_000 // per_minute
        start = max(self.full_at, now)
        after = start + interval * amount
        wait = after - now - 60_000_000
        if wait > 0:
            return wait
        self.full_at = after
        return 0

    def spend(self, *, now: int, per_minute: int, amount: int) -> None:
        """Take what was already used, even below empty."""
        self.full_at = max(self.full_at, now) + 60_000_000 * amount // per_minute

    def wait(self, *, now: int) -> int:
        """µs until the bucket is no longer empty; 0 when there is something in it."""
        return max(0, self.full_at - now - 60_000_000)
