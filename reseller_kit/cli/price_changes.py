"""`price schedule`, `cancel` and `simulate`: retail prices that are to change, or might."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from ..core.catalog import TOKEN_CLASSES, USAGE_CLASSES
from ..core.errors import InvalidRequest
from ..core.manifest.texts import GLOB
from ..core.money import format_amount, parse_markup, parse_token_price, parse_unit_price
from ..core.paging import Window
from ..core.times import DAY_US, format_time, parse_time
from ..core.usage_file import read_usage
from ..db.engine import now_us
from ..flows import schedule as schedules
from ..flows import shapes
from ..flows import simulate as simulations
from ..flows.price_shapes import PRICE_COLUMNS, price_change, price_line, price_row, scheduled_change
from ..flows.schedule import NewChange
from .invocation import actor, with_database
from .options import TEXT, Command, page_options, tenant_option, window_of
from .output import emit, more, table

F = TypeVar("F", bound=Callable[..., Any])

_EARNING_COLUMNS: Final = (
    "MODEL",
    "CALLS>",
    "RETAIL NOW>",
    "RETAIL THEN>",
    "WHOLESALE>",
    "MARGIN NOW>",
    "MARGIN THEN>",
)
_MAX_USAGE_BYTES: Final = 256 * 1024 * 1024


def class_price(text: str) -> tuple[str, int]:
    """CLASS=PRICE, in USD per million tokens or per unit, as (class, pico-USD per unit). Raises InvalidRequest."""
    name, separator, value = text.partition("=")
    if not separator or name not in USAGE_CLASSES:
        raise InvalidRequest(
            f"{text[:80]!r} sets no usage class.",
            param="set",
            fix=f"Write CLASS=PRICE; classes: {', '.join(USAGE_CLASSES)}.",
        )
    return name, (parse_token_price if name in TOKEN_CLASSES else parse_unit_price)(value)


def model_glob(text: str) -> str:
    """A pattern of public model names. Raises InvalidRequest."""
    if not GLOB.fullmatch(text):
        raise InvalidRequest(
            f"{text[:80]!r} is no pattern.", param="model", fix='Write a model name, with * for any text: "gpt-*".'
        )
    return text


def _change_options(command: F) -> F:
    """--model, --markup and --set, which say how prices change."""
    model = click.option("--model", type=model_glob, metavar="GLOB", help="Only these models, by public name.")
    markup = click.option("--markup", type=parse_markup, metavar="PCT", help='On wholesale, such as "40%".')
    prices = click.option(
        "--set", "prices", type=class_price, multiple=True, metavar="CLASS=PRICE", help="Absolute price of a class."
    )
    return model(markup(prices(command)))


@click.command(cls=Command)
@tenant_option
@_change_options
@click.option(
    "--effective-from", type=parse_time, metavar="ISO", help="When it begins. Left out: list what is scheduled."
)
@click.option("--allow-loss", is_flag=True, help="Let retail lie below wholesale.")
@click.option("--group", type=TEXT, metavar="ID", help="Change the own markup of this group of customers alone.")
@page_options
def schedule(
    *,
    tenant: str,
    model: str | None,
    markup: int | None,
    prices: tuple[tuple[str, int], ...],
    effective_from: int | None,
    allow_loss: bool,
    group: str | None,
    limit: int,
    cursor: str | None,
) -> None:
    """Let retail prices change at a later moment, or list what is scheduled."""
    if effective_from is None:
        if markup is not None or prices or allow_loss or group:
            raise click.UsageError("Missing option '--effective-from'.", ctx=click.get_current_context())
        _list_scheduled(tenant, model, window_of(limit, cursor))
        return
    change = NewChange(
        effective_from=effective_from,
        match=model,
        markup_ppm=markup,
        prices=_set(prices),
        allow_loss=allow_loss,
        group=group,
    )
    who = actor()
    made = with_database(lambda db: schedules.schedule_price(db, tenant, change, who))
    documents = [price_line(line) for line in made.lines]
    emit(
        {**price_change(made.change), "state": "waiting", "prices": documents},
        f"Scheduled {made.change.id}: from {format_time(made.change.effective_from)} on these prices hold.",
        table(PRICE_COLUMNS, [price_row(row) for row in documents], empty=""),
    )


@click.command(cls=Command)
@tenant_option
@click.argument("change_id", metavar="ID")
def cancel(tenant: str, change_id: str) -> None:
    """Take a scheduled change back before it begins."""
    who = actor()
    stored = with_database(lambda db: schedules.cancel_price(db, tenant, change_id, who))
    emit(scheduled_change(stored), f"Cancelled {stored.change.id}: the prices before it go on.")


@click.command(cls=Command)
@tenant_option
@_change_options
@click.option(
    "--usage",
    "usage_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Calls to compute with: what `usage list --json` prints, or CSV.",
)
@click.option(
    "--since", type=parse_time, metavar="ISO", help="The tenant's own calls from then on. [default: 30 days ago]"
)
@click.option("--until", type=parse_time, metavar="ISO", help="The tenant's own calls before then. [default: now]")
def simulate(
    *,
    tenant: str,
    model: str | None,
    markup: int | None,
    prices: tuple[tuple[str, int], ...],
    usage_file: Path | None,
    since: int | None,
    until: int | None,
) -> None:
    """What past calls would have earned under other retail prices."""
    if usage_file is not None and (since is not None or until is not None):
        raise click.UsageError("--usage takes neither --since nor --until.", ctx=click.get_current_context())
    calls = _period(since, until) if usage_file is None else read_usage(_text_of(usage_file), str(usage_file))
    change = NewChange(effective_from=0, match=model, markup_ppm=markup, prices=_set(prices), allow_loss=True)
    found = with_database(lambda db: simulations.simulate(db, tenant, change, calls))
    documents = [_earnings(name, earned) for name, earned in found.models.items()]
    total = _earnings("total", found.total)
    rows = [tuple(row.values()) for row in (*documents, total)] if documents else []
    left_out = ", ".join(f"{name} ({count} calls)" for name, count in found.unpriced.items())
    emit(
        {
            "models": documents,
            "total": {name: value for name, value in total.items() if name != "model"},
            "unpriced": [{"model": name, "calls": count} for name, count in found.unpriced.items()],
            "prices": [price_line(line) for line in found.lines],
        },
        table(_EARNING_COLUMNS, rows, empty="No calls were charged in that time."),
        f"Left out, as they have no price now: {left_out}" if left_out else "",
    )


def _period(since: int | None, until: int | None) -> simulations.Period:
    end = now_us() if until is None else until
    begin = end - 30 * DAY_US if since is None else since
    if begin >= end:
        raise InvalidRequest("--since is not before --until.", param="since", fix="Give an earlier --since.")
    return simulations.Period(begin, end)


def _text_of(file: Path) -> str:
    if file.stat().st_size > _MAX_USAGE_BYTES:
        raise InvalidRequest(f"{file} is too large.", param="usage", fix="Split it; at most 256 MiB.")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest(f"{file} is not UTF-8 text.", param="usage", fix="Save it as UTF-8.") from None


def _set(prices: tuple[tuple[str, int], ...]) -> dict[str, int]:
    found = dict(prices)
    if len(found) < len(prices):
        raise InvalidRequest("--set names a class twice.", param="set", fix="Give each class once.")
    return found


def _list_scheduled(tenant: str, model: str | None, window: Window) -> None:
    page = with_database(lambda db: schedules.list_scheduled(db, tenant, window))
    items = [row for row in page.items if model is None or row.change.match == model]
    documents = [scheduled_change(row) for row in items]
    rows = [
        (
            row.change.id,
            shapes.short_time(row.change.effective_from),
            row.state,
            row.change.match or (f"(group {row.change.group})" if row.change.group else "(all that follow the markup)"),
            _terms(document),
            row.reason or "",
        )
        for row, document in zip(items, documents, strict=True)
    ]
    emit(
        shapes.listing("scheduled", page, documents),
        table(["ID", "FROM (UTC)", "STATE", "MODELS", "CHANGE", "REASON"], rows, empty="Nothing is scheduled."),
        more(page.next_cursor),
    )


def _terms(document: Mapping[str, Any]) -> str:
    parts = [f"markup {document['markup']}"] if document["markup"] else []
    return ", ".join([*parts, *(f"{name} {value}" for name, value in document["set"].items())])


def _earnings(model: str, earned: simulations.Earnings) -> dict[str, Any]:
    return {
        "model": model,
        "calls": earned.calls,
        "retail_now": format_amount(earned.retail_now),
        "retail_then": format_amount(earned.retail_then),
        "wholesale": format_amount(earned.wholesale),
        "margin_now": format_amount(earned.margin_now),
        "margin_then": format_amount(earned.margin_then),
    }
