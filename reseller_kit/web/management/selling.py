"""Packages and prices for the management API: thin handlers over the flows of the console."""

from __future__ import annotations

from typing import Any, Final, Literal, TypedDict

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ...core.catalog import TOKEN_CLASSES, USAGE_CLASSES
from ...core.errors import InvalidRequest
from ...core.manifest.texts import GLOB
from ...core.money import format_markup, parse_markup, parse_token_price, parse_unit_price
from ...core.price_draft import RuleDraft
from ...flows import documents as doc
from ...flows import package_editor, price_editor, schedule
from ...flows.price_shapes import price_change, retail_line, scheduled_change
from ...flows.schedule import NewChange
from .endpoint import PAGE, Call, Endpoint, time_of


class Bonus(Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from"}):
    """What a top-up from an amount on adds."""

    start: str
    percent: str


class PackageTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """All terms of a package; what is left out is not set."""

    title: str
    kind: str
    price: str | None = None
    credits: str | None = None
    min: str | None = None
    max: str | None = None
    presets: tuple[str, ...] | None = None
    bonus: tuple[Bonus, ...] | None = None
    period: str | None = None
    roll_over: bool | None = None
    roll_over_periods: int | None = None
    daily_allowance: str | None = None
    valid_days: int | None = None
    refund_days: int | None = None
    models: tuple[str, ...] | None = None


class PriceRule(Struct, frozen=True, forbid_unknown_fields=True):
    """The first rule whose pattern fits a model decides on it. `prices`: USD by usage class."""

    match: str
    markup: str | None = None
    prices: dict[str, str] = {}
    allow_loss: bool = False


class Prices(Struct, frozen=True, forbid_unknown_fields=True):
    """Markup and rules to hold from now on; what is left out stays. `mark`: refuse if others changed them since."""

    markup: str | UnsetType = UNSET
    rules: tuple[PriceRule, ...] | UnsetType = UNSET
    allow_loss: bool | UnsetType = UNSET
    notice_days: int | UnsetType = UNSET
    mark: str | None = None


class NewPrices(Struct, frozen=True, forbid_unknown_fields=True):
    """Prices that begin later: a markup, or absolute prices by usage class of the models that `model` fits.

    `group`: the group whose own markup changes, without model and prices.
    """

    effective_from: str
    model: str | None = None
    markup: str | None = None
    prices: dict[str, str] = {}
    allow_loss: bool = False
    group: str | None = None


class OfferedTerms(TypedDict, total=False):
    """Terms of a package, as they are put; what is not there is not set."""

    title: str
    kind: Literal["topup", "package", "subscription"]
    price: doc.Amount
    credits: doc.Amount
    min: doc.Amount
    max: doc.Amount
    presets: list[doc.Amount]
    bonus: list[Bonus]
    period: str
    roll_over: bool
    roll_over_periods: int
    daily_allowance: doc.Amount
    valid_days: int
    refund_days: int
    models: list[str]


class ShelfPackage(TypedDict):
    """A package in its latest version: how often it was sold, and how many orders wait for their payment."""

    id: str
    version: int
    status: Literal["offered", "past"]
    sold: int
    waiting: int
    terms: OfferedTerms


class Packages(TypedDict):
    """What is sold, then what was; one page."""

    packages: list[ShelfPackage]
    next_cursor: str | None


class SheetRule(TypedDict):
    """A rule as it was put."""

    match: str
    markup: str | None
    prices: dict[str, doc.Price]
    allow_loss: bool


class PriceSheet(TypedDict):
    """What retail prices follow from, and the prices. `retail_floor`: the least markup allowed.

    `mark`: to publish other ones against.
    """

    markup: str
    allow_loss: bool
    notice_days: int
    retail_floor: str | None
    rules: list[SheetRule]
    mark: str
    prices: list[doc.RetailLine]


class Changes(TypedDict):
    """A page of scheduled changes."""

    changes: list[doc.ScheduledChange]
    next_cursor: str | None


async def _packages(call: Call) -> Packages:
    found = await package_editor.shelf(call.db, call.slug)
    documents: list[ShelfPackage] = [
        {
            "id": row.offer.code,
            "version": row.offer.version,
            "status": "past" if row.past else "offered",
            "sold": row.sold,
            "waiting": row.waiting,
            "terms": msgspec.convert(row.offer.terms, OfferedTerms),
        }
        for row in (*found.offered, *found.past)
    ]
    return {"packages": documents, "next_cursor": None}


async def _put_package(call: Call) -> ShelfPackage:
    code, body = call.path["package"], msgspec.json.decode(msgspec.json.encode(call.body))
    found = await package_editor.shelf(call.db, call.slug)
    await package_editor.save_package(call.db, call.vault, call.slug, code, body, expected=found.mark, actor=call.actor)
    return await _one_package(call, code)


async def _withdraw_package(call: Call) -> ShelfPackage:
    code = call.path["package"]
    found = await package_editor.shelf(call.db, call.slug)
    await package_editor.withdraw_package(call.db, call.vault, call.slug, code, expected=found.mark, actor=call.actor)
    return await _one_package(call, code)


async def _one_package(call: Call, code: str) -> ShelfPackage:
    return next(one for one in (await _packages(call))["packages"] if one["id"] == code)


async def _prices(call: Call) -> PriceSheet:
    sheet = await price_editor.price_sheet(call.db, call.slug)
    draft = sheet.draft
    return {
        "markup": draft.markup,
        "allow_loss": draft.allow_loss,
        "notice_days": int(draft.notice_days),
        "retail_floor": None if sheet.floor is None else format_markup(sheet.floor),
        "rules": [
            {"match": one.match, "markup": one.markup or None, "prices": dict(one.prices), "allow_loss": one.allow_loss}
            for one in draft.rules
        ],
        "mark": sheet.mark,
        "prices": [retail_line(one, line) for one in sheet.models if not one.hidden for line in one.lines],
    }


async def _put_prices(call: Call) -> PriceSheet:
    body: Prices = call.body
    sheet = await price_editor.price_sheet(call.db, call.slug)
    changes: dict[str, Any] = {
        "markup": body.markup,
        "allow_loss": body.allow_loss,
        "rules": UNSET if isinstance(body.rules, UnsetType) else tuple(_rule(one) for one in body.rules),
        "notice_days": UNSET if isinstance(body.notice_days, UnsetType) else str(body.notice_days),
    }
    given = {name: value for name, value in changes.items() if value is not UNSET}
    draft = msgspec.structs.replace(sheet.draft, **given)
    await price_editor.publish_draft(
        call.db, call.vault, call.slug, draft, expected=body.mark or sheet.mark, actor=call.actor
    )
    return await _prices(call)


def _rule(rule: PriceRule) -> RuleDraft:
    _check_classes(rule.prices)
    return RuleDraft(match=rule.match, markup=rule.markup or "", prices=rule.prices, allow_loss=rule.allow_loss)


async def _changes(call: Call) -> Changes:
    page = await schedule.list_scheduled(call.db, call.slug, call.window())
    return {"changes": [scheduled_change(row) for row in page.items], "next_cursor": page.next_cursor}


async def _schedule(call: Call) -> doc.WaitingChange:
    body: NewPrices = call.body
    if body.model is not None and not GLOB.fullmatch(body.model):
        raise InvalidRequest("The model is no pattern.", param="model", fix="Write a name, with * for any text.")
    _check_classes(body.prices)
    new = NewChange(
        effective_from=time_of(body.effective_from, "effective_from") or 0,
        match=body.model,
        markup_ppm=None if body.markup is None else parse_markup(body.markup),
        prices={
            name: (parse_token_price if name in TOKEN_CLASSES else parse_unit_price)(price)
            for name, price in body.prices.items()
        },
        allow_loss=body.allow_loss,
        group=body.group,
    )
    made = await schedule.schedule_price(call.db, call.slug, new, call.actor, with_notice=True)
    return {**price_change(made.change), "state": "waiting"}


async def _cancel(call: Call) -> doc.ScheduledChange:
    return scheduled_change(await schedule.cancel_price(call.db, call.slug, call.path["change"], call.actor))


def _check_classes(prices: dict[str, str]) -> None:
    for name in prices:
        if name not in USAGE_CLASSES:
            raise InvalidRequest(
                f"There is no usage class {name[:40]!r}.", param="prices", fix=f"One of {', '.join(USAGE_CLASSES)}."
            )


SELLING: Final = (
    Endpoint(method="GET", path="/packages", scope="packages", summary="What is sold, and what was.", handle=_packages),
    Endpoint(
        method="PUT",
        path="/packages/{package}",
        scope="packages",
        summary="Offer a package with these terms: a new one, or a new version.",
        handle=_put_package,
        body=PackageTerms,
    ),
    Endpoint(
        method="DELETE",
        path="/packages/{package}",
        scope="packages",
        summary="Sell a package no longer.",
        handle=_withdraw_package,
    ),
    Endpoint(
        method="GET",
        path="/prices",
        scope="prices:read",
        summary="Markup, rules, and the price of every model on offer.",
        handle=_prices,
    ),
    Endpoint(
        method="PUT",
        path="/prices",
        scope="prices:write",
        summary="Publish another markup or other rules, at once.",
        handle=_put_prices,
        body=Prices,
    ),
    Endpoint(
        method="GET",
        path="/prices/changes",
        scope="prices:read",
        summary="Price changes that were scheduled.",
        handle=_changes,
        query=PAGE,
    ),
    Endpoint(
        method="POST",
        path="/prices/changes",
        scope="prices:write",
        summary="Let prices change at a later moment; what rises, not before customers had their days of notice.",
        handle=_schedule,
        body=NewPrices,
        status=201,
    ),
    Endpoint(
        method="DELETE",
        path="/prices/changes/{change}",
        scope="prices:write",
        summary="Take a change back before it begins.",
        handle=_cancel,
    ),
)
