"""A storefront's snapshot as its pages show it: at retail, with no cost, wholesale or upstream near it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from ...core.money import parse_amount
from ...core.storefront import Storefront
from ...core.tenant import PLATFORM_SLUG
from ...core.times import SECOND_US
from ...core.urls import public_url
from ...flows import brand as flow_brand
from ...flows.circuits import health_of
from ...flows.identity.signup import policy_of
from ...flows.runtime import Runtime
from ...theming import Brand, ErrorInfo, Links, PackageRow, Page, StatusRow, Visitor
from ...theming.console import NAVIGATION, PLATFORM_NAVIGATION, Frame, Who, current_of, navigation_of
from ...theming.page import BonusRow, Viewing
from ...theming.support import AnnouncementRow
from ..members import Desk
from ..model_rows import models_of
from ..sessions import Session

_PAUSED = {"draft": 503, "suspended": 503, "archived": 410}


class Asked(Struct, frozen=True, kw_only=True):
    """What a request asks for, and who asks; `csrf` is what its forms have to bring back."""

    path: str
    nonce: str
    lang: str
    session: Session | None = None
    csrf: str = ""
    announcements: tuple[AnnouncementRow, ...] = ()
    desk: Desk | None = None
    viewing: Viewing | None = None
    query: str = ""


def brand_of(storefront: Storefront) -> Brand:
    """The storefront's face."""
    return flow_brand.brand_of(storefront.name, storefront.slug, storefront.settings)


def page_of(
    runtime: Runtime,
    storefront: Storefront,
    asked: Asked,
    port: int,
    *,
    error: ErrorInfo | None = None,
    view: Any = None,
    noindex: bool = False,
) -> Page:
    """The page that is asked for, `view` what it alone shows. Absolute URLs come from the tenant's own hosts."""
    template = runtime.snapshot.public_url
    origin = public_url(storefront.primary_host, template, port)
    return Page(
        path=asked.path.rstrip("/") or "/",
        origin=origin,
        base_url=public_url(storefront.api_host, template, port) + "/v1",
        nonce=asked.nonce,
        now=dt.datetime.now(dt.UTC),
        brand=brand_of(storefront),
        lang=asked.lang,
        models=models_of(storefront) if storefront.open else (),
        packages=tuple(package_row(terms) for terms in storefront.packages) if storefront.open else (),
        status=_status(runtime, storefront),
        announcements=asked.announcements,
        error=error,
        view=view,
        noindex=noindex or error is not None or not storefront.open,
        visitor=None if asked.session is None else _visitor(storefront, asked.session),
        csrf=asked.csrf,
        desk=None if asked.desk is None else _frame(storefront, asked.desk, asked.path),
        links=_links(storefront, asked.session),
        viewing=asked.viewing,
        query=asked.query,
    )


def _frame(storefront: Storefront, desk: Desk, path: str) -> Frame:
    """What surrounds a page of the console for whoever is there."""
    platform = storefront.slug == PLATFORM_SLUG
    member = desk.member
    items = () if member is None else navigation_of(member.role, PLATFORM_NAVIGATION if platform else NAVIGATION)
    notice = "suspended" if storefront.suspended else "draft" if storefront.status == "draft" else ""
    return Frame(
        base=desk.base,
        who=None if member is None else Who(email=member.email, name=member.name, role=member.role),
        navigation=items,
        current=current_of(path, items),
        platform=platform,
        notice=notice,
    )


def _visitor(storefront: Storefront, session: Session) -> Visitor:
    zone = ZoneInfo(session.timezone or storefront.timezone)
    delete_on = None
    if session.status == "closing" and session.delete_at is not None:
        delete_on = dt.datetime.fromtimestamp(session.delete_at // SECOND_US, zone).date()
    return Visitor(
        email=session.email,
        name=session.name,
        verified=session.verified,
        delete_on=delete_on,
        suspended=session.status == "suspended",
        restricted=session.restricted,
    )


def _links(storefront: Storefront, session: Session | None) -> Links:
    """Where the account is; a storefront that takes no sign-ups offers none."""
    if session is not None:
        return Links(account="/account")
    return Links(login="/login", signup="/signup" if policy_of(storefront.settings).mode == "open" else None)


def paused(storefront: Storefront) -> ErrorInfo | None:
    """The honest page of a storefront that is not open; None for one that is."""
    if storefront.open:
        return None
    kind = "suspended" if storefront.suspended and storefront.status != "archived" else storefront.status
    return ErrorInfo(status=_PAUSED[kind], kind=kind)  # type: ignore[arg-type]


def package_row(terms: Mapping[str, Any]) -> PackageRow:
    """An offer of credit by its terms."""
    return PackageRow(
        id=terms["id"],
        kind=terms.get("kind", "package"),
        title=terms["title"],
        price_nano=_amount(terms.get("price")),
        credits_nano=_amount(terms.get("credits")),
        daily_nano=_amount(terms.get("daily_allowance")),
        valid_days=terms.get("valid_days"),
        min_nano=_amount(terms.get("min")),
        max_nano=_amount(terms.get("max")),
        presets_nano=tuple(_amount(preset) for preset in terms.get("presets", ())),
        period=terms.get("period", "") or "",
        roll_over=bool(terms.get("roll_over", False)),
        roll_over_periods=terms.get("roll_over_periods") or 1,
        bonus=tuple(BonusRow(_amount(tier["from"]), tier["percent"]) for tier in terms.get("bonus") or ()),
        refund_days=terms.get("refund_days"),
        models=tuple(terms.get("models") or ()),
    )


def _amount(text: str | None) -> int:
    return 0 if text is None else parse_amount(text)


def _status(runtime: Runtime, storefront: Storefront) -> tuple[StatusRow, ...]:
    """The API, which answers as this page does, and each public model by what its latest calls said."""
    api = StatusRow(name="API", state="operational" if storefront.open and not runtime.draining else "down")
    rows = [
        StatusRow(name=name, state=health_of(runtime, storefront, model))
        for name, model in sorted(storefront.models.items())
    ]
    return (api, *rows)
