"""`domain`: storefronts' own hosts, proven by DNS."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..core.domain import Record
from ..flows import domains as flow
from ..flows import shapes
from ..flows.domains import DomainView
from ..flows.domains.change import role_of
from ..flows.shapes import Document
from ..flows.tenants import tenant_id_of
from .invocation import actor, current, with_database
from .options import TEXT, Group, tenant_option
from .output import emit, facts, table, tell

if TYPE_CHECKING:
    from ..db.engine import Database
    from ..dns import Resolver

T = TypeVar("T")
_ROLES = ("storefront", "api", "alias")
role_option = click.option("--role", type=click.Choice(_ROLES), default="storefront", show_default=True)
host_argument = click.argument("host", type=TEXT, metavar="HOST")


@click.group(cls=Group)
def domain() -> None:
    """Storefronts' own hosts: add, check, list, change, remove."""


@domain.command()
@host_argument
@tenant_option
@role_option
@click.option("--vouch", is_flag=True, help="Live at once, on your word: DNS is not asked.")
def add(host: str, tenant: str, role: str, vouch: bool) -> None:  # noqa: FBT001  # click's flag
    """Claim a host for a tenant; shows the records to set."""

    async def work(db: Database, tenant_id: int) -> DomainView:
        if vouch:
            return await flow.vouch(db, tenant_id=tenant_id, typed=host, role=role_of(role), actor=actor())
        return await flow.add(db, _resolver(), tenant_id=tenant_id, typed=host, role=role_of(role), actor=actor())

    _show(_with_tenant(tenant, work))


@domain.command("list")
@tenant_option
def list_(tenant: str) -> None:
    """A tenant's hosts and claims, the primary one first."""
    views = _with_tenant(tenant, flow.list_domains)
    rows = [(view.host, view.role, _state(view), view.primary, _time(view.checked_at)) for view in views]
    emit(
        {"domains": [_document(view) for view in views], "next_cursor": None},
        table(["HOST", "ROLE", "STATE", "PRIMARY", "CHECKED (UTC)"], rows, empty="No domains yet."),
    )


@domain.command()
@host_argument
@tenant_option
def check(host: str, tenant: str) -> None:
    """Ask DNS now; what it says takes effect at once."""

    async def work(db: Database, tenant_id: int) -> DomainView:
        return await flow.check(db, _resolver(), tenant_id=tenant_id, host=host.lower(), actor=actor())

    _show(_with_tenant(tenant, work))


@domain.command()
@host_argument
@tenant_option
@click.option("--primary", is_flag=True, help="The host of absolute URLs.")
@click.option("--role", type=click.Choice(_ROLES), help="What it is for.")
def change(host: str, tenant: str, primary: bool, role: str | None) -> None:  # noqa: FBT001  # click's flag
    """Change what a host is for."""
    if not primary and role is None:
        raise click.UsageError("Say what to change: --role or --primary.")

    async def work(db: Database, tenant_id: int) -> DomainView:
        if role is not None:
            await flow.set_role(db, tenant_id=tenant_id, host=host.lower(), role=role_of(role), actor=actor())
        if primary:
            await flow.make_primary(db, tenant_id=tenant_id, host=host.lower(), actor=actor())
        return await flow.show_domain(db, tenant_id, host.lower())

    _show(_with_tenant(tenant, work))


@domain.command()
@host_argument
@tenant_option
def remove(host: str, tenant: str) -> None:
    """Stop answering at a host, or give up a claim."""

    async def work(db: Database, tenant_id: int) -> DomainView | None:
        return await flow.remove(db, _resolver(), tenant_id=tenant_id, host=host.lower(), actor=actor())

    view = _with_tenant(tenant, work)
    if view is None:
        emit({"host": host.lower(), "state": "unclaimed"}, "The claim is given up.")
    else:
        _show(view)


@domain.command()
@host_argument
def release(host: str) -> None:
    """Let another tenant prove and take a host that is detached or removed."""
    with_database(lambda db: flow.release(db, host=host.lower(), actor=actor()))
    emit({"host": host.lower(), "released": True}, "Another tenant may prove and take it.")


def _with_tenant(slug: str, work: Callable[[Database, int], Awaitable[T]]) -> T:
    async def found(db: Database) -> T:
        return await work(db, await tenant_id_of(db, slug))

    return with_database(found)


def _resolver() -> Resolver:
    from ..dns import Resolver

    return Resolver(current().settings.dns_servers)


def _show(view: DomainView) -> None:
    pairs: list[tuple[str, object]] = [
        ("Host", view.host),
        ("Role", view.role),
        ("State", _state(view)),
        ("Primary", view.primary),
        ("Checked", _time(view.checked_at)),
        ("Proven", view.verdict.proven),
        ("Points here", view.verdict.pointed),
        ("Certificate possible", view.verdict.certifiable),
    ]
    waiting = view.state == "claimed" or not (view.verdict.proven and view.verdict.pointed)
    parts: list[Any] = [facts(pairs)]
    if waiting and view.source == "console" and view.to_set:
        parts.append(_records("Set at your DNS provider", view.to_set))
        tell("Addresses stand for the CNAME where there can be none, as at an apex.")
    if view.verdict.surplus:
        parts.append(_records("Remove there", view.verdict.surplus))
    emit(_document(view), *parts)


def _records(what: str, records: tuple[Record, ...]) -> str:
    """A line each, never wrapped: they are copied from here."""
    return "\n".join([f"{what}:", *(f"  {each.kind:<5} {each.name}  {each.value}" for each in records)])


def _state(view: DomainView) -> str:
    if view.state == "live" and view.failing_since is not None:
        return "live (failing)"
    return view.state


def _time(at: int | None) -> str | None:
    return None if at is None else shapes.short_time(at)


def _document(view: DomainView) -> Document:
    found = None if view.check is None else view.check.found
    return {
        "host": view.host,
        "role": view.role,
        "state": view.state,
        "source": view.source,
        "primary": view.primary,
        "fallback": view.fallback,
        "proven": view.verdict.proven,
        "pointed": view.verdict.pointed,
        "certifiable": view.verdict.certifiable,
        "records": [_record(each) for each in view.to_set],
        "surplus": [_record(each) for each in view.verdict.surplus],
        "found": None
        if found is None
        else {"txt": found.txt, "cname": found.cnames, "a": found.a, "aaaa": found.aaaa, "caa": found.issuers},
        "checked_at": shapes.optional_time(view.checked_at),
        "verified_at": shapes.optional_time(view.verified_at),
        "expires_at": shapes.optional_time(view.expires_at),
        "failing_since": shapes.optional_time(view.failing_since),
        "secured_at": shapes.optional_time(view.secured_at),
        "released": view.released,
    }


def _record(record: Record) -> Document:
    return {"type": record.kind, "name": record.name, "value": record.value}
