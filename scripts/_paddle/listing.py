"""Lists of the API: filters, order and pages as the service has them. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, Final
from urllib.parse import urlencode

from scripts._paddle.account import Entity
from scripts._paddle.clock import read
from scripts._paddle.errors import invalid

_COMPARISONS: Final[dict[str, Callable[[int, int], bool]]] = {
    "": lambda left, right: left == right,
    "[LT]": lambda left, right: left < right,
    "[LTE]": lambda left, right: left <= right,
    "[GT]": lambda left, right: left > right,
    "[GTE]": lambda left, right: left >= right,
}
_PAGING: Final = frozenset({"after", "order_by", "per_page", "include", "search"})


def by_name(*names: str) -> dict[str, Callable[[Entity], Any]]:
    """Filters by members of their own names."""
    return {name: itemgetter(name) for name in names}


class Listing:
    """What a list can be filtered and ordered by, and how long its pages are."""

    def __init__(
        self,
        *,
        words: Mapping[str, Callable[[Entity], Any]],
        moments: tuple[str, ...] = (),
        orders: tuple[str, ...] = ("id",),
        usual: int = 50,
        most: int = 200,
    ) -> None:
        self._words, self._moments, self._orders = words, moments, orders
        self._usual, self._most = usual, most

    def page(
        self, entities: Iterable[Entity], query: Mapping[str, str], url: str, key: str = "id"
    ) -> tuple[list[Entity], dict[str, Any]]:
        """The page that `query` asks for and what `meta.pagination` says of it. Raises Refused."""
        found = self._ordered(self._filtered(list(entities), query), query.get("order_by", f"{key}[DESC]"), key)
        size = self._size(query.get("per_page"))
        start = 0
        if "after" in query:
            places = [place for place, entity in enumerate(found) if entity[key] == query["after"]]
            if not places:
                raise invalid("after", "is not the id of an entity of this list")
            start = places[0] + 1
        shown = found[start : start + size]
        last = shown[-1][key] if shown else query.get("after")
        following = {**query, "after": last} if last is not None else dict(query)
        return shown, {
            "per_page": size,
            "next": f"{url}?{urlencode(following)}",
            "has_more": start + size < len(found),
            "estimated_total": len(found),
        }

    def _size(self, asked: str | None) -> int:
        if asked is None:
            return self._usual
        if not asked.isdecimal() or int(asked) < 1:
            raise invalid("per_page", "must be a positive integer")
        return min(int(asked), self._most)

    def _filtered(self, found: list[Entity], query: Mapping[str, str]) -> list[Entity]:
        for name, value in query.items():
            if name in self._words:
                known = value.split(",")
                found = [entity for entity in found if _matches(self._words[name](entity), known)]
            elif name.partition("[")[0] in self._moments:
                found = _by_moment(found, name, value)
            elif name not in _PAGING:
                raise invalid(name, "is not a parameter of this list")
        return found

    def _ordered(self, found: list[Entity], order: str, key: str) -> list[Entity]:
        field, _, direction = order.partition("[")
        direction = direction.removesuffix("]").upper() or "ASC"
        if field not in {*self._orders, key} or direction not in {"ASC", "DESC"}:
            raise invalid("order_by", f"must be one of {', '.join(self._orders)} with [ASC] or [DESC]")
        return sorted(found, key=lambda entity: (entity[field] or "", entity[key]), reverse=direction == "DESC")


def _matches(found: Any, known: list[str]) -> bool:
    if isinstance(found, (set, list)):
        return bool(set(found) & set(known))
    return ("null" if found is None else str(found)) in known


def _by_moment(found: list[Entity], name: str, value: str) -> list[Entity]:
    field, bracket, rest = name.partition("[")
    compare = _COMPARISONS.get(bracket + rest.upper())
    if compare is None:
        raise invalid(name, "has an operator other than LT, LTE, GT and GTE")
    try:
        moment = read(value)
    except ValueError:
        raise invalid(name, "must be an RFC 3339 datetime") from None
    return [entity for entity in found if entity[field] and compare(read(entity[field]), moment)]
