"""A plan as people read it, and as JSON. Decides nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final

import click
import msgspec

from ..core.manifest import CostSource, PriceMove, Serving
from ..core.merge import Change, pending
from ..core.times import format_time
from ..flows.provision import Plan

_SIGNS: Final = {"create": ("+", "green"), "update": ("~", "yellow"), "archive": ("-", "red")}
_KEPT: Final = {
    "drift": "changed outside the file and kept; --reset-drift restores the file's value",
    "orphan": "not in the file and kept; --prune archives it, whoever made it",
}
_KEPT_OWNER: Final = "not in the file and kept; member remove takes the log-in away"
_MAX_PRICES: Final = 30
_MAX_VALUE: Final = 100


def document(found: Plan, *, applied: bool = False) -> dict[str, Any]:
    """The plan as JSON; of an applied one, the changes that were made and the costs that moved."""
    changes = pending(found.changes) if applied else found.changes
    return {
        "changes": msgspec.to_builtins(changes),
        "prices": [_move(move) for move in found.prices],
        "scheduled": [
            {"effective_from": format_time(later.effective_from), **_move(later.move)} for later in found.scheduled
        ],
        "costs": [_cost(found, source) for source in found.costs if not applied or _moves(found, source)],
        "routes": [] if applied else msgspec.to_builtins(found.servings),
        "warnings": msgspec.to_builtins(found.warnings),
    }


def _cost(found: Plan, source: CostSource) -> dict[str, Any]:
    return {**msgspec.to_builtins(source), "moves": _moves(found, source)}


def _moves(found: Plan, source: CostSource) -> bool:
    return (source.model, source.upstream, source.upstream_model) in found.moved_costs


def _move(move: PriceMove) -> dict[str, Any]:
    return {
        "tenant": move.tenant,
        "group": move.group,
        "model": move.model,
        "class": move.usage_class,
        "above_input": move.above_input,
        "before": move.before,
        "after": move.after,
    }


def describe(found: Plan) -> str:
    """The plan for people."""
    blocks = [_paragraph(str(warning), "yellow") for warning in found.warnings]
    blocks += [_change(change) for change in found.changes]
    if found.prices:
        blocks.append(_prices("Prices that move", found.prices))
    for moment, later in groupby(found.scheduled, key=lambda later: later.effective_from):
        blocks.append(_prices(f"Scheduled for {format_time(moment)}", [one.move for one in later]))
    blocks += _costs(found)
    blocks += _servings(found)
    blocks.append(_summary(found))
    return "\n\n".join(blocks)


def outcome(done: Plan) -> str:
    """One line on what was made."""
    if not done.pending:
        return ""
    count = _count(done)
    parts = [f"{count[action]} {word}" for action, word in _DONE_WORDS.items() if count[action]]
    rest = "prices published" if done.prices else "costs noted"
    return click.style(f"Applied: {', '.join(parts) or rest}.", fg="green")


_DONE_WORDS: Final = {"create": "created", "update": "updated", "archive": "archived"}
_PLAN_WORDS: Final = {"create": "to create", "update": "to update", "archive": "to archive"}


def _count(found: Plan) -> Counter[str]:
    return Counter(change.action for change in found.changes)


def _summary(found: Plan) -> str:
    count = _count(found)
    kept = [f"{count[action]} {action}" for action in ("drift", "orphan") if count[action]]
    tail = f" Kept as it is: {', '.join(kept)}." if kept else ""
    if not found.pending:
        return f"No changes. The database is as the file says.{tail}"
    parts = [f"{count[action]} {word}" for action, word in _PLAN_WORDS.items() if count[action]]
    return f"Plan: {', '.join(parts) or ('prices to publish' if found.prices else 'costs to note')}.{tail}"


def _change(change: Change) -> str:
    name = change.kind if change.kind == change.id else f"{change.kind} {change.id}"
    if change.action in _KEPT:
        reason = _KEPT_OWNER if change.kind == "owner" else _KEPT[change.action]
        head = click.style(f"! {name}", fg="cyan") + f"  {change.action}: {reason}"
    else:
        sign, color = _SIGNS[change.action]
        head = click.style(f"{sign} {name}", fg=color, bold=True)
    width = max((len(field) for field in change.fields), default=0)
    return "\n".join([head, *(f"    {field:<{width}}  {_value(change, field)}" for field in change.fields)])


def _value(change: Change, field: str) -> str:
    value = change.fields[field]
    if not isinstance(value, Mapping):
        return str(value)
    old, new = value["old"], value["new"]
    if change.action == "create":
        return _shown(new)
    if change.action == "drift":
        return f"file says {_shown(old)}, now {_shown(new)}"
    return f"{_shown(old)} → {_shown(new)}"


def _shown(value: object) -> str:
    """A value as it would stand in the file."""
    if value is None:
        return "(default)"
    text = _inline(value)
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 1]}…"


def _inline(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_inline(item)}' for key, item in value.items())} }}"
    return msgspec.json.encode(value).decode()


def _prices(title: str, moves: Iterable[PriceMove]) -> str:
    rows: list[tuple[str, ...]] = [("tenant", "model", "class", "wholesale", "retail", "margin")]
    listed = list(moves)
    rows += [_price_row(move) for move in listed[:_MAX_PRICES]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines[0] = click.style(lines[0], bold=True)
    if len(listed) > _MAX_PRICES:
        lines.append(f"    … and {len(listed) - _MAX_PRICES} more; --json lists them all")
    return "\n".join([f"{title} (USD per million tokens, or per unit):", *lines])


def _costs(found: Plan) -> list[str]:
    """What the price catalogue stands in for: costs that move, and those that it knows to change."""
    shown = [row for row in found.costs if row.catalogue and (_moves(found, row) or row.following_from)]
    if not shown:
        return []
    head = click.style(f"Costs by the price catalogue of {shown[0].catalogue}:", bold=True)
    lines = [f"    {_priced(row)}{_days(row)}" for row in shown[:_MAX_PRICES]]
    if len(shown) > _MAX_PRICES:
        lines.append(f"    … and {len(shown) - _MAX_PRICES} more; --json lists them all")
    return ["\n".join([head, *lines])]


def _priced(row: CostSource) -> str:
    whom = f" for {row.tenant}" if row.tenant else ""
    return f"{row.model}{whom}  {row.upstream}/{row.upstream_model}"


def _servings(found: Plan) -> list[str]:
    """By which routes models are served, where that may have changed."""
    touched = {change.kind for change in pending(found.changes)}
    if not found.servings or touched.isdisjoint({"model", "upstream", "own_upstream", "tenant"}):
        return []
    lines = [_serving(row) for row in found.servings[:_MAX_PRICES]]
    if len(found.servings) > _MAX_PRICES:
        lines.append(f"    … and {len(found.servings) - _MAX_PRICES} more; --json lists them all")
    return ["\n".join([click.style("How models are served:", bold=True), *lines])]


def _serving(row: Serving) -> str:
    whom = "" if row.tenant is None else f" for {row.tenant}" + (f"'s group {row.group}" if row.group else "")
    if not row.routes:
        return f"    {row.model}{whom}  not offered: no route is left"
    by_priority = [
        " | ".join(f"{way.upstream}/{way.model}" + (f" ×{way.weight}" if way.weight != 1 else "") for way in ways)
        for _, ways in groupby(row.routes, key=lambda way: way.priority)
    ]
    tail = f"  else {', '.join(row.fallbacks)}" if row.fallbacks else ""
    return f"    {row.model}{whom}  {row.strategy}: {', then '.join(by_priority)}{tail}"


def _days(row: CostSource) -> str:
    since = f"  since {row.effective_from}" if row.effective_from else ""
    if row.following_from is None:
        return since
    return f"{since}  another price from {row.following_from}: apply on that day or later takes it over"


def _price_row(move: PriceMove) -> tuple[str, ...]:
    name = f"{move.usage_class} > {move.above_input}" if move.above_input else move.usage_class
    cells = [_moved(move, level) for level in ("wholesale", "retail", "margin")]
    whose = move.tenant if move.group is None else f"{move.tenant} ({move.group})"
    return (whose, move.model, name, *cells)


def _moved(move: PriceMove, level: str) -> str:
    if move.before is None:
        return move.after[level] if move.after else ""
    if move.after is None:
        return f"{move.before[level]} → no longer offered"
    old, new = move.before[level], move.after[level]
    return old if old == new else f"{old} → {new}"


def _paragraph(text: str, color: str) -> str:
    first, _, rest = text.partition("\n")
    return click.style(first, fg=color) + (f"\n{rest}" if rest else "")
