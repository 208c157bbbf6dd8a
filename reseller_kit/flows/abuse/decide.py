"""What becomes of a report of abuse: restrict, dismiss, appeal, uphold, lift. Files none, and charges nobody.

Every change of a report settles what its customer is: the gate of all calls (`authenticate`) reads the customer alone.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from ...core.abuse import Move, after, team_moves
from ...core.errors import Conflict, InvalidForm, InvalidRequest, NotFound
from ...core.ids import is_public_id
from ...core.lines import cleaned
from ...core.times import format_time
from ...db import abuse, audit_log, customers, operator_abuse, revisions
from ...db.abuse import Listed
from ...db.engine import EVERY_TENANT, NO_TENANT, Connection, Database, now_us
from ...db.tenants import Tenant
from ..tenants import require_tenant
from . import letters

MAX_TEXT: Final = 2_000
_ACTIONS: Final = {
    "restrict": "abuse.restrict",
    "force": "abuse.force",
    "dismiss": "abuse.dismiss",
    "appeal": "abuse.appeal",
    "uphold": "abuse.uphold",
    "lift": "abuse.lift",
    "expire": "abuse.expire",
    "withdraw": "abuse.withdraw",
}


class Decision(Struct, frozen=True, kw_only=True):
    """What somebody decides. `words`: what the customer reads, of a restriction its reason; `until` in µs."""

    move: Move
    words: str = ""
    until: int | None = None


async def decide(db: Database, tenant_slug: str, report_id: str, decision: Decision, actor: str) -> Listed:
    """The team's decision. Raises InvalidRequest, NotFound, Conflict for what is not the team's to decide now."""
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        found = await _require(connection, tenant.id, report_id)
        if decision.move not in team_moves(found.report.state, forced=found.report.forced):
            after(found.report.state, decision.move)
            raise Conflict(
                "The platform's operator restricted this customer, and alone lifts it.", fix="Write to the operator."
            )
        return await _carry_out(connection, tenant, found, decision, actor)


async def overrule(db: Database, report_id: str, decision: Decision, actor: str) -> Listed:
    """The operator's: force a restriction, or withdraw the report. Raises InvalidRequest, NotFound or Conflict."""
    async with db.write(EVERY_TENANT) as connection:
        filed = await operator_abuse.find(connection, report_id) if is_public_id(report_id, "rep") else None
        if filed is None:
            raise NotFound(f"There is no report {report_id[:80]!r}.", fix="See: reseller-kit abuse list")
        tenant = await require_tenant(connection, filed.tenant)
        return await _carry_out(connection, tenant, filed.listed, decision, actor)


async def appeal(db: Database, tenant_slug: str, customer_id: str, report_id: str, text: str) -> None:
    """The customer appeals once against a restriction; the team is told by mail.

    Raises InvalidForm, Conflict, and NotFound for another customer's report as for one that is not there.
    """
    try:
        words = _words(text)
    except InvalidRequest as error:
        key = "form.needed" if not text.strip() else "form.too_long"
        raise InvalidForm({"text": (key, {"count": MAX_TEXT})}) from error
    async with db.write(NO_TENANT) as connection:
        tenant = await require_tenant(connection, tenant_slug)
        found = await _require(connection, tenant.id, report_id)
        if found.report.customer_id != customer_id:
            raise NotFound("There is no such report.")
        now = now_us()
        changed = await _move(
            connection, found, "appeal", f"customer:{customer_id}", {"appeal": words, "appealed_at": now}, {}
        )
        await letters.to_team(connection, tenant, "abuse_appealed", changed, words)


async def end_restrictions(db: Database) -> int:
    """Lift up to 100 restrictions whose end has come; how many. Safe in several processes."""
    async with db.read(EVERY_TENANT) as connection:
        ended = await operator_abuse.ended(connection, now_us(), 100)
    for slug, report_id in ended:
        async with db.write(NO_TENANT) as connection:
            tenant = await require_tenant(connection, slug)
            found = await _require(connection, tenant.id, report_id)
            if found.report.until is not None and found.report.until <= now_us():
                await _carry_out(connection, tenant, found, Decision(move="expire"), "sweep")
    return len(ended)


async def _carry_out(connection: Connection, tenant: Tenant, found: Listed, decision: Decision, actor: str) -> Listed:
    now, move, held = now_us(), decision.move, found.report.restricted_at is not None
    words = _words(decision.words) if move in {"restrict", "force", "uphold"} or decision.words.strip() else ""
    if move in {"restrict", "force"}:
        if decision.until is not None and decision.until <= now:
            raise InvalidRequest("The restriction would be over already.", param="until", fix="Give a later moment.")
        customer = await customers.find(connection, tenant.id, found.report.customer_id)
        if customer is None or customer.status == "deleted":
            raise Conflict("The customer's account was deleted.", fix="Dismiss or close the report.")
        fresh = after(found.report.state, move) == "restricted"
        values: dict[str, Any] = {"reason": words, "until": decision.until, "forced": move == "force"}
        values |= {"restricted_at": now, "appeal": "", "appealed_at": None, "answer": ""} if fresh else {}
        facts = {"reason": words, **({} if decision.until is None else {"until": format_time(decision.until)})}
        changed = await _move(connection, found, move, actor, values, facts)
        await letters.to_customer(connection, tenant, "access_restricted", changed, words)
        return changed
    changed = await _move(
        connection, found, move, actor, {"answer": words, "answered_at": now}, {"answer": words} if words else {}
    )
    if move == "uphold":
        await letters.to_customer(connection, tenant, "appeal_upheld", changed, words)
    elif changed.report.state == "lifted" and held and not await _is_held(connection, changed):
        await letters.to_customer(connection, tenant, "access_restored", changed, words)
    return changed


async def _is_held(connection: Connection, listed: Listed) -> bool:
    """Whether another report goes on restricting the customer."""
    customer = await customers.find(connection, listed.report.tenant_id, listed.report.customer_id)
    return customer is not None and customer.restricted_at is not None


async def _move(
    connection: Connection, found: Listed, move: Move, actor: str, values: dict[str, Any], facts: dict[str, Any]
) -> Listed:
    """Bring a report into its next state, and its customer to what all its reports say."""
    report, now = found.report, now_us()
    state = after(report.state, move)
    done = await abuse.change(
        connection, report.tenant_id, report.id, report.state, state=state, changed_at=now, **values
    )
    if not done:
        raise Conflict("The report has changed meanwhile.", fix="Look at it again.")
    await abuse.settle(connection, report.tenant_id, report.customer_id, now)
    await revisions.bump(connection, "customer", report.customer_id)
    await audit_log.record(
        connection,
        report.tenant_id,
        actor,
        _ACTIONS[move],
        "abuse",
        report.id,
        before={"state": report.state},
        after={"state": state, "customer": report.customer_id, **facts},
    )
    return await _require(connection, report.tenant_id, report.id)


async def _require(connection: Connection, tenant_id: int, report_id: str) -> Listed:
    found = await abuse.find(connection, tenant_id, report_id) if is_public_id(report_id, "rep") else None
    if found is None:
        raise NotFound("There is no such report.")
    return found


def _words(text: str) -> str:
    words = cleaned(text)
    if not 0 < len(words) <= MAX_TEXT:
        raise InvalidRequest(f"What the customer reads has 1 to {MAX_TEXT} characters.", param="words")
    return words
