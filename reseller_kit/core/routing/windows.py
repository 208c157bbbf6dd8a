"""Two counters over the last seconds, in constant memory. Reads no clock."""

from __future__ import annotations


class Window:
    """Sums of `all` and `some` over the last `seconds`, counted by whole seconds of the clock that callers pass in."""

    __slots__ = ("_all", "_at", "_over", "_place", "_some", "all", "some")

    def __init__(self, seconds: int) -> None:
        self._all, self._some = [0] * seconds, [0] * seconds
        self._at = self._place = 0
        self._over = 1
        """When the second is over that is counted in."""
        self.all = self.some = 0

    def move(self, now: float) -> None:
        """Forget what is older than the window at `now` (s)."""
        second = int(now)
        gap = second - self._at
        if gap <= 0:
            return
        size = len(self._all)
        for step in range(1, min(gap, size) + 1):
            place = (self._at + step) % size
            self.all -= self._all[place]
            self.some -= self._some[place]
            self._all[place] = self._some[place] = 0
        self._at, self._over, self._place = second, second + 1, second % size

    def add(self, now: float, *, some: bool, count: int = 1) -> None:
        """So many more of all, and of some if they are of them."""
        if now >= self._over:
            self.move(now)
        self.all += count
        self._all[self._place] += count
        if some:
            self.some += count
            self._some[self._place] += count

    def clear(self) -> None:
        """Forget everything."""
        size = len(self._all)
        self._all, self._some = [0] * size, [0] * size
        self.all = self.some = 0
