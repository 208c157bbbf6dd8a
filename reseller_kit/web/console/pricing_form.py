"""The form of the price editor: from fields to a draft, rows that move, and problems at their fields. Asks nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct, structs

from ...core.catalog import USAGE_CLASSES
from ...core.errors import InvalidForm, InvalidManifest
from ...core.price_draft import Draft, RuleDraft
from ...flows.provision.edit import problems_of
from ...theming.console_pricing import RuleRow
from ..forms import Form

MAX_FIELDS: Final = 2_000
MAX_RULES: Final = 100
_MAX_TEXT: Final = 500
_MAX_AREA: Final = 20_000
_OWN_FIELDS: Final = ("input", "output")
_ROW: Final = re.compile(r"(rules|aliases)\.(\d{1,3})\.\w+", re.ASCII)
_RULE_PATH: Final = re.compile(r"pricing\.rules\[(\d+)\](?:\.(\w+))?")
_DAYS: Final = re.compile(r"\d{1,3}", re.ASCII)
_SAID: Final = "{text}"
"""What is wrong, as the configuration's checks put it."""


class Typed(Struct, frozen=True, kw_only=True):
    """The editor's fields as they are shown and were typed, one row a rule."""

    markup: str
    notice_days: str
    allow_loss: bool
    rules: tuple[RuleRow, ...]
    aliases: tuple[tuple[str, str], ...]
    allow: str
    deny: str


def typed_in(form: Form) -> Typed:
    """What was typed, whatever it is; rows that nobody filled in are kept."""
    rules, aliases = _rows(form, "rules"), _rows(form, "aliases")
    return Typed(
        markup=_text(form, "markup"),
        notice_days=_text(form, "notice_days"),
        allow_loss=form.ticked("allow_loss"),
        rules=tuple(_rule(form, number) for number in range(min(rules, MAX_RULES))),
        aliases=tuple(
            (_text(form, f"aliases.{number}.name"), _text(form, f"aliases.{number}.model"))
            for number in range(min(aliases, MAX_RULES))
        ),
        allow=form.raw("allow")[:_MAX_AREA],
        deny=form.raw("deny")[:_MAX_AREA],
    )


def typed_of(draft: Draft) -> Typed:
    """A draft as its fields show it."""
    return Typed(
        markup=draft.markup,
        notice_days=draft.notice_days,
        allow_loss=draft.allow_loss,
        rules=tuple(_rule_row(rule) for rule in draft.rules),
        aliases=draft.aliases,
        allow="\n".join(draft.allow),
        deny="\n".join(draft.deny),
    )


def draft_in(typed: Typed) -> Draft:
    """The draft that the fields stand for. Raises InvalidForm for what no draft can hold."""
    names = [name for name, _ in typed.aliases]
    for number, (name, model) in enumerate(typed.aliases):
        if not (name and model):
            missing = "model" if name else "name"
            raise said("A name of your own needs both: the name, and the model.", f"aliases.{number}.{missing}")
        if names.count(name) > 1:
            raise said("This name stands here twice. Keep one of them.", f"aliases.{number}.name")
    draft = Draft(
        markup=typed.markup,
        notice_days=typed.notice_days,
        allow_loss=typed.allow_loss,
        rules=tuple(_rule_draft(rule, number) for number, rule in enumerate(typed.rules)),
        aliases=typed.aliases,
        allow=_patterns(typed.allow),
        deny=_patterns(typed.deny),
    )
    if not draft.markup:
        raise InvalidForm({"markup": ("form.needed", {})})
    if not _DAYS.fullmatch(draft.notice_days):
        raise said("Give a whole number of days, 0 to 365.", "notice_days")
    return draft


def without_blanks(typed: Typed) -> Typed:
    """The fields without rows that nobody filled in."""
    return structs.replace(
        typed,
        rules=tuple(rule for rule in typed.rules if rule != RuleRow()),
        aliases=tuple(row for row in typed.aliases if any(row)),
    )


def edited(typed: Typed, action: str) -> Typed | None:
    """The fields after a button of their rows, such as `up:3`; None where the action is none of these."""
    name, _, index = action.partition(":")
    number = int(index) if index.isascii() and index.isdigit() and len(index) < 4 else 0
    if name == "add-rule":
        return structs.replace(typed, rules=(*typed.rules, RuleRow())[:MAX_RULES])
    if name == "add-alias":
        return structs.replace(typed, aliases=(*typed.aliases, ("", ""))[:MAX_RULES])
    if name in {"up", "down"}:
        return structs.replace(typed, rules=_swapped(typed.rules, number if name == "down" else number - 1))
    if name == "remove-rule":
        return structs.replace(typed, rules=(*typed.rules[:number], *typed.rules[number + 1 :]))
    if name == "remove-alias":
        return structs.replace(typed, aliases=(*typed.aliases[:number], *typed.aliases[number + 1 :]))
    return None


def form_problem(error: InvalidManifest, draft: Draft) -> InvalidForm:
    """What the configuration's checks found, at the fields that it was typed in."""
    found: dict[str, tuple[str, Mapping[str, object]]] = {}
    for path, text in problems_of(error.details).items():
        found.setdefault(_field(path, draft), (_SAID, {"text": text}))
    return InvalidForm(found)


def said(text: str, field: str = "") -> InvalidForm:
    """A problem in words of its own."""
    return InvalidForm({field: (_SAID, {"text": text})})


def more_text(prices: Mapping[str, str]) -> str:
    """Prices of further classes in one field."""
    return ", ".join(f"{name}={price}" for name, price in prices.items())


def read_more(text: str, field: str) -> dict[str, str]:
    """The prices that such a field names. Raises InvalidForm for what is no list of them."""
    found = {}
    for part in filter(None, re.split(r"[,;\s]+", text)):
        name, separator, price = part.partition("=")
        if not separator or name not in USAGE_CLASSES or name in found or not price:
            classes = ", ".join(one for one in USAGE_CLASSES if one not in _OWN_FIELDS)
            told = f"{part[:60]!r} is no price. Write class=price, such as cached_input=0.05. Classes: {classes}."
            raise said(told, field)
        found[name] = price.removeprefix("$")
    return found


def _rows(form: Form, kind: str) -> int:
    """How many rows of this kind there are."""
    numbers = [int(match[2]) for name in form.fields if (match := _ROW.fullmatch(name)) and match[1] == kind]
    return max(numbers, default=-1) + 1


def _rule(form: Form, number: int) -> RuleRow:
    prefix = f"rules.{number}"
    texts = {name: _text(form, f"{prefix}.{name}") for name in ("match", "markup", "input", "output", "more")}
    return RuleRow(**texts, allow_loss=form.ticked(f"{prefix}.allow_loss"))


def _rule_draft(rule: RuleRow, number: int) -> RuleDraft:
    if not rule.match:
        raise said("Say which models: a name, with * for any text.", f"rules.{number}.match")
    prices = {"input": rule.input.removeprefix("$"), "output": rule.output.removeprefix("$")}
    more = read_more(rule.more, f"rules.{number}.more")
    return RuleDraft(
        match=rule.match,
        markup=rule.markup,
        prices={name: price for name, price in {**prices, **more}.items() if price},
        allow_loss=rule.allow_loss,
    )


def _rule_row(rule: RuleDraft) -> RuleRow:
    return RuleRow(
        match=rule.match,
        markup=rule.markup,
        input=rule.prices.get("input", ""),
        output=rule.prices.get("output", ""),
        more=more_text({name: price for name, price in rule.prices.items() if name not in _OWN_FIELDS}),
        allow_loss=rule.allow_loss,
    )


def _text(form: Form, name: str) -> str:
    return form.raw(name).strip()[:_MAX_TEXT]


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def _swapped(rules: tuple[RuleRow, ...], first: int) -> tuple[RuleRow, ...]:
    """The rule `first` and the one behind it change places, where there are both."""
    if not 0 <= first < len(rules) - 1:
        return rules
    moved = list(rules)
    moved[first], moved[first + 1] = moved[first + 1], moved[first]
    return tuple(moved)


def _field(path: str, draft: Draft) -> str:
    rule = _RULE_PATH.match(path)
    if rule:
        part = rule[2] or "match"
        return f"rules.{rule[1]}.{part if part in {'match', 'markup', *_OWN_FIELDS} else 'more'}"
    if path.startswith("catalog.aliases."):
        alias = path.removeprefix("catalog.aliases.").strip('"')
        number = next((number for number, row in enumerate(draft.aliases) if row[0] == alias), None)
        return "" if number is None else f"aliases.{number}.name"
    head, _, name = path.partition(".")
    part = name.partition("[")[0]
    return part if head in {"pricing", "catalog"} and part in {"markup", "notice_days", "allow", "deny"} else ""
