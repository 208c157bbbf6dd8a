"""Limits as arithmetic: sliding windows, counts of what is under way, and what a call asks of them. Knows no clock.

A window counts in pieces of a quarter of a second and forgets a piece once all of it is a minute old. So what it lets
through is never more than the limit in any 60 seconds, and comes back at most a quarter of a second late.
`reseller_kit/bus/limits.lua` is the same arithmetic for several processes; a test holds the two together.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import force_setattr

Kind = Literal["requests", "tokens", "concurrency"]
Scope = Literal["key", "customer", "tenant", "upstream", "token"]

PIECE_US: Final = 250_000
PIECES: Final = 241
"""A minute overlaps this many pieces."""
CONCURRENCY_WAIT_US: Final = 1_000_000
"""Nobody knows when a call ends; this is what those that wait for it are told."""
_FORGOTTEN_AT_ONCE: Final = 2


class Limit(Struct, frozen=True):
    """A counter that a call must find room in. `most`: in a minute, or at once; `amount`: what the call takes of it.

    `ref` names whose it is, unique among all tenants within its scope. An `amount` is never above `most`.
    """

    scope: Scope
    kind: Kind
    ref: str
    most: int
    amount: int = 1
    name: str = ""
    """The counter's, which follows from the first three."""

    def __post_init__(self) -> None:
        if not self.name:
            force_setattr(self, "name", f"{self.kind[0]}:{self.scope}:{self.ref}")


class Fill(Struct, frozen=True):
    """How full a counter is: what is `used`, and µs until a window is empty again."""

    used: int
    empty_in: int


class Room(Struct, frozen=True):
    """Whether a call found room everywhere.

    `fills` has each counter behind it, in the order asked. Where it found none, nothing was taken: `refused` is the
    index of the limit that it must wait longest for, `wait` how long (µs). `piece`: the time at which it was counted.
    """

    refused: int | None
    wait: int
    piece: int
    fills: tuple[Fill, ...]


class Window:
    """What was used in the last minute."""

    __slots__ = ("pieces", "used")

    def __init__(self) -> None:
        self.pieces: deque[list[int]] = deque()
        """[piece, amount], oldest first."""
        self.used = 0

    def forget(self, piece: int) -> None:
        """Let go of what is over a minute old at the time of a piece."""
        pieces, oldest = self.pieces, piece - PIECES
        while pieces and pieces[0][0] <= oldest:
            self.used -= pieces.popleft()[1]

    def add(self, piece: int, amount: int) -> None:
        """Use an amount; pieces only move on."""
        self.used += amount
        pieces = self.pieces
        if pieces and pieces[-1][0] >= piece:
            pieces[-1][1] += amount
        elif amount:
            pieces.append([piece, amount])

    def give_back(self, piece: int, amount: int) -> None:
        """Use less, after all, of what was used at the time of a piece; nothing to do once that is forgotten."""
        for found in reversed(self.pieces):
            if found[0] <= piece:
                back = min(amount, found[1]) if found[0] == piece else 0
                found[1] -= back
                self.used -= back
                return

    def free_at(self, amount: int) -> int:
        """The first piece at which `amount` of what is used has been forgotten."""
        for piece, used in self.pieces:
            amount -= used
            if amount <= 0:
                return piece + PIECES
        return self.empty_at()

    def empty_at(self) -> int:
        """The first piece at which nothing is used."""
        return self.pieces[-1][0] + PIECES if self.pieces else 0


class Counters:
    """The counters of one process, by name; windows that nobody used for a minute are dropped on the way."""

    def __init__(self) -> None:
        self._windows: OrderedDict[str, Window] = OrderedDict()
        self._open: dict[str, int] = {}

    def take(self, limits: Sequence[Limit], now: int) -> Room:
        """Take each limit's amount, or nothing if there is one without room; `now` in µs of a steady clock."""
        piece, refused, longest = now // PIECE_US, None, 0
        for index, limit in enumerate(limits):
            wait = self._wait(limit, piece, now)
            if wait > longest:
                refused, longest = index, wait
        fills = self._count(limits, piece, now) if refused is None else self._fills(limits, piece, now)
        return Room(refused, longest, piece, fills)

    def note(self, limits: Sequence[Limit], now: int) -> None:
        """Count what somebody else let through."""
        self._count(limits, now // PIECE_US, now)

    def end(self, limits: Sequence[Limit], tokens: int, *, taken: int, now: int) -> None:
        """A call that took these at the piece `taken` is over and has used so many tokens."""
        piece = now // PIECE_US
        for limit in limits:
            name = limit.name
            if limit.kind == "concurrency":
                self._leave(name, limit.amount)
            elif limit.kind == "tokens":
                window = self._window(name, piece)
                if tokens < limit.amount:
                    window.give_back(taken, limit.amount - tokens)
                else:
                    window.add(piece, tokens - limit.amount)

    def open(self) -> dict[str, int]:
        """What is under way, by counter."""
        return dict(self._open)

    def __len__(self) -> int:
        return len(self._windows) + len(self._open)

    def _wait(self, limit: Limit, piece: int, now: int) -> int:
        """µs until there is room; 0 when there is."""
        if limit.kind == "concurrency":
            return CONCURRENCY_WAIT_US if self._open.get(limit.name, 0) + limit.amount > limit.most else 0
        window = self._windows.get(limit.name)
        if window is None:
            return 0
        window.forget(piece)
        over = window.used + limit.amount - limit.most
        return max(1, window.free_at(over) * PIECE_US - now) if over > 0 else 0

    def _count(self, limits: Sequence[Limit], piece: int, now: int) -> tuple[Fill, ...]:
        """Take each limit's amount: how full its counter is with it."""
        fills = []
        for limit in limits:
            name = limit.name
            if limit.kind == "concurrency":
                used = self._open[name] = self._open.get(name, 0) + limit.amount
                fills.append(Fill(used, 0))
            else:
                window = self._window(name, piece)
                window.add(piece, limit.amount)
                fills.append(Fill(window.used, max(0, window.empty_at() * PIECE_US - now)))
        return tuple(fills)

    def _fills(self, limits: Sequence[Limit], piece: int, now: int) -> tuple[Fill, ...]:
        return tuple([self._fill(limit, piece, now) for limit in limits])

    def _fill(self, limit: Limit, piece: int, now: int) -> Fill:
        if limit.kind == "concurrency":
            return Fill(self._open.get(limit.name, 0), 0)
        window = self._windows.get(limit.name)
        if window is None:
            return Fill(0, 0)
        window.forget(piece)
        return Fill(window.used, max(0, window.empty_at() * PIECE_US - now))

    def _window(self, name: str, piece: int) -> Window:
        """The window, made where there is none. What it should forget it does when somebody looks for room in it."""
        windows = self._windows
        window = windows.get(name)
        if window is None:
            for _ in range(min(_FORGOTTEN_AT_ONCE, len(windows))):
                oldest = next(iter(windows))
                if windows[oldest].empty_at() > piece:
                    break
                del windows[oldest]
            window = windows[name] = Window()
        else:
            windows.move_to_end(name)
        return window

    def _leave(self, name: str, amount: int) -> None:
        rest = self._open.get(name, 0) - amount
        if rest > 0:
            self._open[name] = rest
        else:
            self._open.pop(name, None)


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
