"""What of the audit log a reseller's team may read, as differences between before and after. Pure.

The log is the operator's as well: whatever tells what the operator pays, to whom its calls go, or at which markup it
sells to the reseller, is left out here, for pages, searches and exports alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

Author = Literal["member", "customer", "token", "operator", "system"]

_OPERATOR: Final = frozenset({"cli", "operator"})
_HIDDEN_PARTS: Final = frozenset(
    {"cost", "costs", "cost_nano", "margin", "margins", "routing", "routes", "route", "upstream", "upstreams"}
)
_HIDDEN_PATHS: Final = ("wholesale.markup",)
_LONGEST: Final = 2_000


class Difference(Struct, frozen=True):
    """One value that was changed: its dotted path, and what it was and is as text; None where there was or is none."""

    path: str
    before: str | None
    after: str | None


def author_of(actor: str) -> tuple[Author, str]:
    """Who did something, as a team may know: members by address, others by id, the operator by no name."""
    kind, _, who = actor.partition(":")
    if kind == "member":
        return "member", who
    if kind == "customer":
        return "customer", who
    if kind == "token":
        return "token", who
    return ("operator", "") if kind in _OPERATOR else ("system", "")


def differences(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, *, everything: bool = False
) -> tuple[Difference, ...]:
    """What differs between the two, by path; `everything`: as the operator may read it."""
    old, new = dict(_flat(before or {})), dict(_flat(after or {}))
    return tuple(
        Difference(path, _text(old.get(path)), _text(new.get(path)))
        for path in sorted({*old, *new})
        if old.get(path) != new.get(path) and (everything or _may_be_read(path))
    )


def _may_be_read(path: str) -> bool:
    parts = path.split(".")
    return _HIDDEN_PARTS.isdisjoint(parts) and not any(
        path == hidden or path.startswith(f"{hidden}.") or path.endswith(f".{hidden}") for hidden in _HIDDEN_PATHS
    )


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves by dotted path; a list of objects is taken apart too, by their ids or places."""
    for name, value in document.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{path}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for place, item in enumerate(value):
                if isinstance(item, Mapping):
                    yield from _flat(item, f"{path}.{item.get('id') or item.get('match') or place}.")
                else:
                    yield f"{path}.{place}", item
        else:
            yield path, value


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
