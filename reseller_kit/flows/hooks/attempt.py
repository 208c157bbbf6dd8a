"""One attempt to deliver a webhook: signed, sent, judged, and noted. Chooses no delivery.

It runs between two transactions: the claim before it, the note behind it. A process that dies in between leaves a claim
that runs out; the repeated attempt bears the same id.
"""

from __future__ import annotations

import logging
import random
import time
from typing import Any, Final

from msgspec import Struct

from ...core.errors import KitError
from ...core.hook import GIVE_UP_US, MAX_ATTEMPTS, Outcome, judge, signatures, wait_us
from ...core.hook_address import hook_address
from ...core.times import SECOND_US
from ...db import audit_log, hook_deliveries, hook_endpoints, operator, outbox, tenants
from ...db.engine import Connection, Database, now_us
from ...db.hook_deliveries import HookAttempt
from ...db.hook_endpoints import HookEndpoint
from ...db.operator_hooks import ClaimedDelivery
from ...telemetry.redaction import redact
from ...upstream.faults import TransportFailed
from ...upstream.posting import Answer, post
from ...vault import Vault
from ...wire.retry_after import retry_after
from .endpoints import is_private_allowed
from .sealing import signing_secrets

_log = logging.getLogger(__name__)
ATTEMPT_SECONDS: Final = 15.0
_USER_AGENT: Final = "webhooks/1"
_MAX_ERROR: Final = 300
_ACTOR: Final = "webhooks"


class _Known(Struct, frozen=True):
    endpoint: HookEndpoint
    private: bool


async def attempt(db: Database, vault: Vault, claimed: ClaimedDelivery) -> None:
    """Try a claimed delivery once and note how that went."""
    known = await _known(db, claimed)
    if known is None:
        return
    if known.endpoint.disabled_at is not None:
        await _give_up(db, claimed, "The endpoint was switched off.")
    elif claimed.attempts > MAX_ATTEMPTS:
        await _give_up(db, claimed, "The last attempt did not end.")
    else:
        began_at = now_us()
        outcome = await _send(vault, known, claimed, began_at)
        await _note(db, claimed, outcome, began_at)


async def _known(db: Database, claimed: ClaimedDelivery) -> _Known | None:
    async with db.read(claimed.tenant_id) as connection:
        endpoint = await hook_endpoints.find(connection, claimed.tenant_id, claimed.endpoint_id)
        private = await is_private_allowed(connection)
    return None if endpoint is None else _Known(endpoint, private)


async def _send(vault: Vault, known: _Known, claimed: ClaimedDelivery, now: int) -> Outcome:
    """Sign and send; every failure is an outcome."""
    body, at = claimed.body.encode(), now // SECOND_US
    started = time.monotonic()

    def passed() -> int:
        return int((time.monotonic() - started) * 1000)

    try:
        address = hook_address(known.endpoint.url, private=known.private)
        headers = (
            ("content-type", "application/json"),
            ("user-agent", _USER_AGENT),
            ("webhook-id", claimed.event_id),
            ("webhook-timestamp", str(at)),
            ("webhook-signature", signatures(signing_secrets(vault, known.endpoint, now), claimed.event_id, at, body)),
        )
        answer = await post(address, headers, body, private=known.private, seconds=ATTEMPT_SECONDS)
    except TransportFailed as fault:
        return Outcome(
            status=None, duration_ms=passed(), error=_sentence(f"{fault.reason[:1].upper()}{fault.reason[1:]}.")
        )
    except KitError as refusal:
        return Outcome(status=None, duration_ms=passed(), error=_sentence(refusal.message))
    except Exception as fault:  # noqa: BLE001  # one bad endpoint must not hold up the others; the log says what it was
        _log.exception("%s could not be sent", claimed.id)
        return Outcome(status=None, duration_ms=passed(), error=f"{type(fault).__name__} while sending.")
    return _outcome(answer, passed())


def _outcome(answer: Answer, duration_ms: int) -> Outcome:
    told = {name: value for name, value in answer.headers.items() if name == b"retry-after"}
    seconds = retry_after(told, {}, time.time())
    return Outcome(
        status=answer.status,
        duration_ms=duration_ms,
        answer=_shown(answer.beginning),
        retry_after=None if seconds is None else int(seconds),
    )


async def _note(db: Database, claimed: ClaimedDelivery, outcome: Outcome, began_at: int) -> None:
    verdict, now = judge(outcome, claimed.attempts), now_us()
    async with db.write(claimed.tenant_id) as connection:
        # Whoever changes an endpoint and its deliveries locks the endpoint first.
        endpoint = await hook_endpoints.find(connection, claimed.tenant_id, claimed.endpoint_id, lock=True)
        if endpoint is None:
            return
        if verdict == "again":
            ended: dict[str, Any] = {"due_at": now + wait_us(outcome, claimed.attempts, random.random())}  # noqa: S311  # no secret
        else:
            ended = {"state": "delivered" if verdict == "delivered" else "failed", "ended_at": now}
        await hook_deliveries.conclude(connection, claimed.tenant_id, claimed.id, claimed.claim, **ended)
        await hook_deliveries.log(connection, claimed.tenant_id, _line(claimed, outcome, began_at))
        if verdict == "delivered":
            await hook_endpoints.note_success(connection, claimed.tenant_id, claimed.endpoint_id)
            return
        since = await hook_endpoints.note_failure(connection, claimed.tenant_id, claimed.endpoint_id, now)
        if verdict == "gone" or now - since >= GIVE_UP_US:
            await _switch_off(connection, endpoint, "gone" if verdict == "gone" else "failing", now)


async def _switch_off(connection: Connection, endpoint: HookEndpoint, why: str, now: int) -> None:
    """Nothing more goes there; the owners hear of it."""
    if not await hook_endpoints.disable(connection, endpoint.tenant_id, endpoint.id, why, now):
        return
    facts = {"why": why, "url": endpoint.url}
    await audit_log.record(
        connection, endpoint.tenant_id, _ACTOR, "webhook.disable", "webhook", endpoint.id, after=facts
    )
    tenant = await operator.tenant_by_id(connection, endpoint.tenant_id)
    if tenant is None:
        return
    for member in await tenants.members(connection, endpoint.tenant_id):
        if member.role == "owner" and member.status != "removed":
            await outbox.add(
                connection,
                endpoint.tenant_id,
                kind="webhook_disabled",
                recipient=member.email,
                payload={"storefront": tenant.name, **facts},
                dedupe=f"webhook_disabled:{endpoint.id}:{now}:{member.email}"[:200],
                now=now,
            )


async def _give_up(db: Database, claimed: ClaimedDelivery, why: str) -> None:
    now = now_us()
    async with db.write(claimed.tenant_id) as connection:
        endpoint = await hook_endpoints.find(connection, claimed.tenant_id, claimed.endpoint_id, lock=True)
        if endpoint is None:
            return
        ended = {"state": "failed", "ended_at": now}
        if await hook_deliveries.conclude(connection, claimed.tenant_id, claimed.id, claimed.claim, **ended):
            outcome = Outcome(status=None, duration_ms=0, error=why)
            await hook_deliveries.log(connection, claimed.tenant_id, _line(claimed, outcome, now))


def _line(claimed: ClaimedDelivery, outcome: Outcome, at: int) -> HookAttempt:
    return HookAttempt(
        delivery_id=claimed.id,
        created_at=at,
        status=outcome.status,
        duration_ms=outcome.duration_ms,
        answer=outcome.answer,
        error=outcome.error,
    )


def _sentence(text: str) -> str:
    return redact(text)[:_MAX_ERROR]


def _shown(beginning: bytes) -> str:
    """An answer's first bytes as text that can be kept and shown."""
    text = beginning.decode("utf-8", "replace")
    return "".join(one if one.isprintable() or one in "\n\t" else "\ufffd" for one in text)
