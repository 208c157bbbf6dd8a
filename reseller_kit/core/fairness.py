"""Whose turn it is: a bounded queue in which storefronts take turns, and within each its customers. Waits for nothing.

Round robin, which is start-time fair queueing for items of one size: in each round everybody who waits gets one turn,
and whoever comes newly still gets one in the present round. So a burst waits behind itself alone.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

from msgspec import Struct

T = TypeVar("T")
Path = tuple[int | str, ...]


class Turn(Struct, frozen=True):
    """On whose behalf an upstream is asked."""

    tenant_id: int
    customer_id: str


NOBODY: Final = Turn(0, "")
"""The operator's own requests, such as checks."""


class _Flow(Protocol[T]):
    """Items that wait; `path` says where below."""

    def __bool__(self) -> bool: ...
    def put(self, path: Path, item: T) -> None: ...
    def take(self) -> T: ...
    def drop(self, path: Path, item: T) -> None: ...


class _Line(Generic[T]):
    """First come, first served."""

    def __init__(self) -> None:
        self._items: OrderedDict[T, None] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._items)

    def put(self, path: Path, item: T) -> None:  # noqa: ARG002  # the path ends here
        self._items[item] = None

    def take(self) -> T:
        return self._items.popitem(last=False)[0]

    def drop(self, path: Path, item: T) -> None:  # noqa: ARG002  # the path ends here
        del self._items[item]


class _Rounds(Generic[T]):
    """Takes turns among flows, each of which has something."""

    def __init__(self, make: Callable[[], _Flow[T]]) -> None:
        self._make = make
        self._flows: dict[int | str, _Flow[T]] = {}
        self._now: OrderedDict[int | str, None] = OrderedDict()
        """Who still has a turn in this round."""
        self._next: OrderedDict[int | str, None] = OrderedDict()
        self._had: set[int | str] = set()
        """Who had a turn in this round and has nothing any more: it joins the next one when it comes back."""

    def __bool__(self) -> bool:
        return bool(self._flows)

    def put(self, path: Path, item: T) -> None:
        name = path[0]
        flow = self._flows.get(name)
        if flow is None:
            flow = self._flows[name] = self._make()
            (self._next if name in self._had else self._now)[name] = None
            self._had.discard(name)
        flow.put(path[1:], item)

    def take(self) -> T:
        if not self._now:
            self._now, self._next = self._next, self._now
            self._had.clear()
        name, _ = self._now.popitem(last=False)
        flow = self._flows[name]
        item = flow.take()
        if flow:
            self._next[name] = None
        else:
            del self._flows[name]
            self._had.add(name)
        self._rest()
        return item

    def drop(self, path: Path, item: T) -> None:
        name = path[0]
        flow = self._flows[name]
        flow.drop(path[1:], item)
        if not flow:
            del self._flows[name]
            if name in self._next:
                del self._next[name]
                self._had.add(name)
            else:
                del self._now[name]
        self._rest()

    def _rest(self) -> None:
        if not self._flows:
            self._had.clear()


class FairQueue(Generic[T]):
    """At most `most` items, `most_each` of one storefront. An item is in it once at a time."""

    def __init__(self, *, most: int, most_each: int) -> None:
        self.most = most
        self.most_each = most_each
        self._tenants: _Rounds[T] = _Rounds(lambda: _Rounds(_Line))
        self._counts: dict[int, int] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def waiting(self, tenant_id: int) -> int:
        """How many items of a storefront wait."""
        return self._counts.get(tenant_id, 0)

    def put(self, turn: Turn, item: T) -> bool:
        """Let an item wait; False if its storefront, or the queue, has no room."""
        waiting = self.waiting(turn.tenant_id)
        if self._size >= self.most or waiting >= self.most_each:
            return False
        self._tenants.put((turn.tenant_id, turn.customer_id), item)
        self._counts[turn.tenant_id] = waiting + 1
        self._size += 1
        return True

    def take(self, turn_of: Callable[[T], Turn]) -> T:
        """The item whose turn it is; there is one."""
        item = self._tenants.take()
        self._left(turn_of(item).tenant_id)
        return item

    def drop(self, turn: Turn, item: T) -> None:
        """An item that waits does not any more."""
        self._tenants.drop((turn.tenant_id, turn.customer_id), item)
        self._left(turn.tenant_id)

    def _left(self, tenant_id: int) -> None:
        self._size -= 1
        rest = self._counts[tenant_id] - 1
        if rest:
            self._counts[tenant_id] = rest
        else:
            del self._counts[tenant_id]
