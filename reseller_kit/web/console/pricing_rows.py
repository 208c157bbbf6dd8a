"""Prices, their changes and what they would earn, as the console's pages show them. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from ...core.catalog import TOKEN_CLASSES
from ...core.days import local
from ...core.manifest.prices import format_price
from ...core.manifest.schedule import ScheduledChange
from ...core.money import format_markup
from ...db.scheduled_prices import StoredChange
from ...flows.price_editor import Effect, Line, ModelPrices, Move
from ...flows.price_history import PriceChange
from ...flows.simulate import Earnings, Outlook
from ...theming import console_pricing as views

MAIN: Final = ("input", "output")
_SHOWN_MOVES: Final = 200
_LABELS: Final[Mapping[str, str]] = {
    "input": "Input",
    "cached_input": "Cached input",
    "cache_write": "Cache write",
    "cache_write_1h": "Cache write, 1 hour",
    "output": "Output",
    "input_audio": "Audio input",
    "output_audio": "Audio output",
    "input_image": "Image input",
    "output_image": "Image output",
    "seconds": "Audio",
    "characters": "Text",
    "images": "Image",
    "request": "Request",
    "tool_call": "Tool call",
}
_UNITS: Final[Mapping[str, str]] = {
    "seconds": "second",
    "characters": "character",
    "images": "image",
    "request": "request",
    "tool_call": "call",
}
_PARTS: Final[Mapping[str, str]] = {
    "pricing.markup": "Markup",
    "pricing.allow_loss": "Prices below wholesale",
    "pricing.notice_days": "Days of notice",
    "pricing.rules": "Rules",
    "catalog.allow": "Models on offer",
    "catalog.deny": "Hidden models",
    "catalog.fallbacks": "Models with a substitute",
}


def price_text(usage_class: str, pico: int | None) -> str:
    """A price as people read it; empty for none."""
    if pico is None:
        return ""
    text = format_price(usage_class, pico)
    return f"−${text[1:]}" if text.startswith("-") else f"${text}"


def label_of(usage_class: str, above_input: int) -> str:
    """What is paid for."""
    label = _LABELS.get(usage_class, usage_class)
    return f"{label} above {above_input:,} tokens" if above_input else label


def unit_of(usage_class: str) -> str:
    """What a price is for."""
    return "1M tokens" if usage_class in TOKEN_CLASSES else _UNITS.get(usage_class, usage_class)


def percent_of(part: int | None, whole: int | None) -> str:
    """A margin as a share of the price, with one decimal."""
    if part is None or not whole:
        return ""
    tenths = (abs(part) * 1000 + whole // 2) // whole
    return f"{'−' if part < 0 and tenths else ''}{tenths // 10}.{tenths % 10}%"


def model_line(found: ModelPrices) -> views.ModelLine:
    """A model of the table."""
    main = [line for line in found.lines if line.usage_class in MAIN and not line.above_input]
    others = [line for line in found.lines if line not in main]
    margins = [(line.margin, line.retail) for line in found.lines if line.margin is not None and line.retail]
    texts = list(dict.fromkeys(percent_of(*one) for one in sorted(margins, key=lambda one: one[0] / one[1])))
    return views.ModelLine(
        model=found.model,
        hidden=found.hidden,
        aliases=found.aliases,
        main=tuple(_cell(line) for line in main),
        others=tuple(_cell(line) for line in others),
        margin=texts[0] if len(texts) == 1 else f"{texts[0]} – {texts[-1]}" if texts else "",
        tone="bad" if any(margin < 0 for margin, _ in margins) else "",
    )


def _cell(line: Line) -> views.PriceCell:
    return views.PriceCell(
        label=label_of(line.usage_class, line.above_input),
        unit=unit_of(line.usage_class),
        retail=price_text(line.usage_class, line.retail),
        paid=price_text(line.usage_class, line.paid),
        margin=price_text(line.usage_class, line.margin),
        percent=percent_of(line.margin, line.retail),
        tone="bad" if line.margin is not None and line.margin < 0 else "",
    )


def preview_of(effect: Effect, found: Outlook, days: int) -> views.Preview:
    """What publishing would do, and what the last calls would have earned."""
    return views.Preview(
        moves=tuple(_move(move) for move in effect.moves[:_SHOWN_MOVES]),
        count=len(effect.moves),
        added=effect.added,
        removed=effect.removed,
        warnings=effect.warnings,
        earnings=earnings_of(found.models),
        total=_earning("", found.total) if found.calls else None,
        left_out=found.left_out,
        complete=found.complete,
        days=days,
    )


def earnings_of(models: Mapping[str, Earnings]) -> tuple[views.EarningRow, ...]:
    """By model, those that earned most first."""
    rows = sorted(models.items(), key=lambda item: (-item[1].retail_now, item[0]))
    return tuple(_earning(name, earned) for name, earned in rows)


def _earning(name: str, earned: Earnings) -> views.EarningRow:
    return views.EarningRow(
        model=name,
        calls=earned.calls,
        retail_now=earned.retail_now,
        retail_then=earned.retail_then,
        margin_now=earned.margin_now,
        margin_then=earned.margin_then,
    )


def _move(move: Move) -> views.MoveRow:
    margin = None if move.new is None or move.paid is None else move.new - move.paid
    return views.MoveRow(
        model=move.model if move.group is None else f"{move.model}, {move.group}",
        label=label_of(move.usage_class, move.above_input),
        unit=unit_of(move.usage_class),
        paid=price_text(move.usage_class, move.paid),
        old=price_text(move.usage_class, move.old),
        new=price_text(move.usage_class, move.new),
        percent=percent_of(margin, move.new),
        tone="bad" if margin is not None and margin < 0 else "",
    )


def scheduled_row(row: StoredChange, zone: ZoneInfo, notice_us: int) -> views.ScheduledRow:
    """A scheduled change. Customers hear of it its notice ahead, or at once where that is past."""
    change = row.change
    told_at = max(row.created_at, change.effective_from - notice_us)
    return views.ScheduledRow(
        id=change.id,
        at=local(change.effective_from, zone),
        told_at=local(told_at, zone),
        what=terms_of(change),
        models=change.match or "",
        group=change.group or "",
        state=row.state,
        reason=row.reason or "",
        actor=actor_of(row.actor),
    )


def terms_of(change: ScheduledChange) -> str:
    """What a scheduled change sets."""
    parts = [] if change.markup_ppm is None else [f"Markup {format_markup(change.markup_ppm)}"]
    parts += [f"{label_of(name, 0)} {price_text(name, price)}" for name, price in change.prices.items()]
    return ", ".join(parts)


def change_row(change: PriceChange, zone: ZoneInfo) -> views.ChangeRow:
    """A past change, in sentences."""
    return views.ChangeRow(
        id=change.id,
        at=local(change.at, zone),
        actor=actor_of(change.actor),
        lines=tuple(_sentence(name, *values) for name, values in change.fields.items()),
    )


def actor_of(actor: str) -> str:
    """Who did something, as a team reads it: its own members by their address."""
    kind, _, name = actor.partition(":")
    if kind == "member":
        return name
    return "Schedule" if kind == "schedule" else "The operator"


def _sentence(name: str, old: Any, new: Any) -> str:
    alias = name.removeprefix("catalog.aliases.")
    if alias != name:
        return f"Name {alias}: {old or '—'} → {new or '—'}"
    return f"{_PARTS.get(name, name.rpartition('.')[2])}: {_value(name, old)} → {_value(name, new)}"


def _value(name: str, value: Any) -> str:
    if name == "pricing.rules":
        return _rules(value or ())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value)) or "none"
    return "default" if value is None else str(value)


def _rules(rules: Iterable[Mapping[str, Any]]) -> str:
    texts = []
    for rule in rules:
        terms = [f"+{rule['markup']}"] if "markup" in rule else []
        terms += [f"{label_of(name, 0)} ${price}" for name, price in rule.items() if name in _LABELS]
        texts.append(f"{rule.get('match')} ({', '.join(terms)})" if terms else str(rule.get("match")))
    return "; ".join(texts) or "none"
