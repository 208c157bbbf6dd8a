"""Use cases on domains: what a tenant has, what is to be set at whoever runs its DNS, and what was found there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from ...core.domain import (
    DomainState,
    Found,
    PlatformNames,
    Record,
    Target,
    Verdict,
    challenge_name,
    challenge_value,
    judge,
)
from ...core.errors import NotFound
from ...db import domains, operator, tenants
from ...db.domains import Claim, Hosted
from ...db.engine import Connection, Database

ViewState = Literal["claimed"] | DomainState


class Check(Struct, frozen=True):
    """What a check was told, and where the host should have pointed then."""

    found: Found
    target: Target


class DomainView(Struct, frozen=True, kw_only=True):
    """A host or a claim as people see it; times in µs.

    `to_set`: the records that make it work, the proof first; at an apex the addresses are used instead of the alias.
    """

    host: str
    role: str
    state: ViewState
    source: str = "console"
    primary: bool = False
    fallback: bool = False
    to_set: tuple[Record, ...] = ()
    check: Check | None = None
    verdict: Verdict = Verdict()
    checked_at: int | None = None
    verified_at: int | None = None
    expires_at: int | None = None
    failing_since: int | None = None
    warned_days: int = 0
    ended_at: int | None = None
    released: bool = False
    secured_at: int | None = None


async def list_domains(db: Database, tenant_id: int) -> list[DomainView]:
    """A tenant's hosts, its claims behind them, and last the fallback host that always works."""
    async with db.read(tenant_id) as connection:
        return await read_domains(connection, tenant_id)


async def read_domains(connection: Connection, tenant_id: int) -> list[DomainView]:
    """As `list_domains`, within a transaction."""
    platform = await tenants.platform_settings(connection)
    slug = await slug_of(connection, tenant_id)
    held = await domains.hosts(connection, tenant_id)
    claimed = await domains.claims(connection, tenant_id)
    target = target_of(platform, slug)
    views = [view_of_host(row, target) for row in held] + [view_of_claim(row, target) for row in claimed]
    suffix = platform.get("storefront_suffix")
    if suffix:
        views.append(DomainView(host=f"{slug}.{suffix}", role="storefront", state="live", source="file", fallback=True))
    return views


async def show_domain(db: Database, tenant_id: int, host: str) -> DomainView:
    """One of the tenant's hosts or claims; of a host that is claimed again, the claim. Raises NotFound."""
    async with db.read(tenant_id) as connection:
        target = target_of(await tenants.platform_settings(connection), await slug_of(connection, tenant_id))
        claim = await domains.find_claim(connection, tenant_id, host)
        if claim is not None:
            return view_of_claim(claim, target)
        row = await domains.find(connection, tenant_id, host)
    if row is None:
        raise unknown(host)
    return view_of_host(row, target)


async def slug_of(connection: Connection, tenant_id: int) -> str:
    """The slug of a tenant that is known by its id."""
    found = await operator.tenant_by_id(connection, tenant_id)
    if found is None:
        raise NotFound("There is no such storefront.")
    return found.slug


def target_of(platform: Mapping[str, Any], slug: str) -> Target:
    """Where a tenant's hosts have to point: what the operator says, else the tenant's fallback host."""
    ingress = dict(platform.get("ingress", {}))
    suffix = platform.get("storefront_suffix")
    if "cname" not in ingress and suffix:
        ingress["cname"] = f"{slug}.{suffix}"
    return msgspec.convert(ingress, Target)


def platform_names(platform: Mapping[str, Any]) -> PlatformNames:
    """What no reseller may take."""
    return PlatformNames(
        name=platform.get("name", ""),
        hosts=tuple(platform.get("hosts", ())),
        suffix=platform.get("storefront_suffix"),
        cname=platform.get("ingress", {}).get("cname"),
    )


def view_of_claim(row: Claim, target: Target) -> DomainView:
    """A claim as people see it."""
    check = _check_of(row.found)
    return DomainView(
        host=row.host,
        role=row.role,
        state="claimed",
        to_set=records_to_set(row.host, row.challenge, _newest(check, target)),
        check=check,
        verdict=Verdict() if check is None else judge(check.found, row.host, row.challenge, check.target),
        checked_at=row.checked_at,
        expires_at=row.expires_at,
    )


def view_of_host(row: Hosted, target: Target) -> DomainView:
    """A host as people see it."""
    check = _check_of(row.found)
    return DomainView(
        host=row.host,
        role=row.role,
        state=row.state,
        source=row.source,
        primary=row.is_primary,
        to_set=() if row.state == "tombstone" else records_to_set(row.host, row.challenge, _newest(check, target)),
        check=check,
        verdict=Verdict() if check is None else judged(check.found, row, check.target),
        checked_at=row.checked_at,
        verified_at=row.verified_at,
        failing_since=row.failing_since,
        warned_days=row.warned_days,
        ended_at=row.ended_at,
        released=row.released_at is not None,
        secured_at=row.secured_at,
    )


def records_to_set(host: str, challenge: str | None, target: Target) -> tuple[Record, ...]:
    """The proof, then the alias, then the addresses that stand for it where there can be no alias."""
    proof = () if challenge is None else (Record("TXT", challenge_name(host), challenge_value(challenge)),)
    alias = () if target.cname is None else (Record("CNAME", host, target.cname),)
    return (
        *proof,
        *alias,
        *(Record("A", host, each) for each in target.a),
        *(Record("AAAA", host, each) for each in target.aaaa),
    )


def judged(found: Found, row: Hosted, target: Target) -> Verdict:
    """What an answer means for a stored host; whether it is proven is nobody's question where the operator vouches."""
    verdict = judge(found, row.host, row.challenge or "", target)
    return verdict if row.challenge else msgspec.structs.replace(verdict, proven=None)


def unknown(host: str) -> NotFound:
    """There is no such host of this tenant."""
    return NotFound(f"{host[:253]} is not among your domains.", fix="Add it first.")


def _newest(check: Check | None, target: Target) -> Target:
    """The target with the addresses that the last check saw behind its name."""
    if check is None or target.a or target.aaaa or check.target.cname != target.cname:
        return target
    return check.target


def _check_of(stored: Any) -> Check | None:
    return None if stored is None else msgspec.convert(stored, Check)
