"""`reconcile`: our records against someone else's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..core.errors import InvalidRequest
from ..core.money import parse_amount, parse_markup
from ..core.times import parse_time
from ..flows.reconcile_usage import Tolerance, Wanted, reconcile_usage
from ..plugins.installed import PAYMENTS, installed
from .failures import DONE, FINDINGS
from .invocation import with_database
from .options import Command, any_tenant_option
from .output import emit, facts, table
from .reconcile_payments import reconcile_payments


@click.command(cls=Command)
@click.option("--upstream", metavar="NAME", help="The upstream that served the calls.")
@click.option(
    "--usage",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Its usage export: CSV, JSON lines or JSON, by request or by day and model.",
)
@click.option("--provider", metavar="NAME", help="Of payments: only this provider.")
@any_tenant_option
@click.option("--since", type=parse_time, metavar="ISO", help="Only from then on; of payments, 30 days by default.")
@click.option("--until", type=parse_time, metavar="ISO", help="Only calls before then.")
@click.option(
    "--tolerance", type=parse_markup, default="0%", metavar="PERCENT", help="Differences up to this share are none."
)
@click.option(
    "--cost-tolerance", type=parse_amount, default="0", metavar="USD", help="Cost differences up to this are none."
)
def reconcile(
    *,
    upstream: str | None,
    usage: Path | None,
    provider: str | None,
    tenant: str | None,
    since: int | None,
    until: int | None,
    tolerance: int,
    cost_tolerance: int,
) -> int:
    """Compare our records with somebody else's.

    With --upstream and --usage: usage records with an upstream's own export; corrects nothing. Without: asks payment
    providers for all that changed, and brings orders and credit there, as their webhooks would have.
    """
    if upstream is None and usage is None:
        _check_provider(provider)
        document, tables, ok = reconcile_payments(provider, since, tenant)
        emit(document, *tables)
        return DONE if ok else FINDINGS
    if provider is not None:
        raise InvalidRequest("Payments or usage?", fix="Give --provider, or --upstream and --usage.")
    if upstream is None or usage is None:
        raise InvalidRequest("What is to be compared?", fix="Give both --upstream NAME and --usage FILE.")
    if tolerance < 0:
        raise InvalidRequest("--tolerance is negative.", fix="Give a percentage of 0 or more.")
    allowed = Tolerance(ppm=tolerance, cost=cost_tolerance)
    wanted = Wanted(upstream=upstream, file=usage, since=since, until=until, tolerance=allowed)
    document = with_database(lambda db: reconcile_usage(db, wanted))
    emit(document, *_shown(document))
    return DONE if document["ok"] else FINDINGS


def _check_provider(name: str | None) -> None:
    """Raises InvalidRequest for a provider that there is none of here: nothing to compare would look like agreement."""
    known = ["paddle", *installed(PAYMENTS)]
    if name is not None and name not in known:
        raise InvalidRequest(f"There is no payment provider {name[:40]!r}.", fix=f"Known are {', '.join(known)}.")


def _shown(document: dict[str, Any]) -> list[Any]:
    pairs: list[tuple[str, object]] = [
        ("Compared by", document["compared_by"]),
        ("Lines in the export", document["lines"]),
        ("Usage records", document["records"]),
        ("Missing here", document["missing_here"]),
        ("Missing there", document["missing_there"]),
        ("Differences", document["difference_count"]),
    ]
    totals = [(row["class"], row["ours"], row["theirs"], row["difference"]) for row in document["totals"]]
    rows = [
        (_where(row), row["class"], row["ours"], row["theirs"], row["difference"], _remark(row))
        for row in document["differences"]
    ]
    return [
        facts(pairs),
        table(["TOTAL", "OURS>", "THEIRS>", "DIFFERENCE>"], totals, empty="Nothing to compare."),
        table(["WHERE", "CLASS", "OURS>", "THEIRS>", "DIFFERENCE>", ""], rows, empty="Both sides agree."),
    ]


def _where(row: dict[str, Any]) -> str:
    return str(row["request"]) if "request" in row else f"{row['day']} {row['model']}"


def _remark(row: dict[str, Any]) -> str:
    if row["missing"] is not None:
        return f"missing {row['missing']}"
    return "estimated" if row["estimated"] else ""
