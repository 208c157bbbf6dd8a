"""What tests and demonstrations steer the double by, below /_double/. None of it exists at the service."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec

from scripts._paddle import adjustments, clock, collect, renewals, transactions
from scripts._paddle.account import Account, Entity, RefundPolicy
from scripts._paddle.deliveries import is_loopback
from scripts._paddle.errors import Refused, invalid, not_found
from scripts._paddle.faults import Fault
from scripts._paddle.http import Answer, Request
from scripts._paddle.world import World

_IDLE_SECONDS: Final = 60.0


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What of an account can be changed; see Account."""

    secrets: list[str] | msgspec.UnsetType = msgspec.UNSET
    webhook_url: str | msgspec.UnsetType | None = msgspec.UNSET
    default_checkout_url: str | msgspec.UnsetType | None = msgspec.UNSET
    success_url: str | msgspec.UnsetType | None = msgspec.UNSET
    approved_domains: list[str] | msgspec.UnsetType | None = msgspec.UNSET
    tax_mode: Literal["internal", "external"] | msgspec.UnsetType = msgspec.UNSET
    refunds: RefundPolicy | msgspec.UnsetType = msgspec.UNSET
    renewals: Literal["collect", "fail"] | msgspec.UnsetType = msgspec.UNSET
    payout_currency: str | msgspec.UnsetType = msgspec.UNSET


async def respond(world: World, request: Request) -> Answer:
    """The answer to a request below /_double/."""
    parts = urlsplit(request.target)
    path = parts.path.removeprefix("/_double/")
    try:
        body = msgspec.json.decode(request.body) if request.body else {}
        if (request.method, path) == ("GET", "idle"):
            return _json(await _idle(world, dict(parse_qsl(parts.query))))
        return _json(_act(world, request.method, path, body))
    except Refused as error:
        return Answer(error.status, msgspec.json.encode(error.body("admin")))
    except (msgspec.DecodeError, msgspec.ValidationError, TypeError, ValueError, AttributeError, KeyError) as error:
        return Answer(400, msgspec.json.encode(invalid("body", str(error)).body("admin")))


def _act(world: World, method: str, path: str, body: Any) -> Any:
    verb, _, rest = path.partition("/")
    known: dict[tuple[str, str], Callable[[World, str, Any], Any]] = {
        ("GET", "journal"): _journal,
        ("GET", "state"): _state,
        ("POST", "faults"): _add_faults,
        ("DELETE", "faults"): _clear_faults,
        ("POST", "accounts"): _open_account,
        ("PATCH", "accounts"): _set_account,
        ("PATCH", "transactions"): _tamper,
        ("POST", "transactions"): _collect,
        ("POST", "adjustments"): _adjust,
        ("POST", "clock"): _advance,
        ("POST", "events"): _replay,
    }
    found = known.get((method, verb))
    if found is None:
        raise Refused(404, "invalid_url", "The double has no such verb.")
    return found(world, rest, body)


async def _idle(world: World, query: Mapping[str, str]) -> dict[str, Any]:
    """Wait until every notification is delivered or given up."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(world.courier.idle.wait(), float(query.get("seconds", _IDLE_SECONDS)))
    return {"idle": world.courier.pending == 0, "pending": world.courier.pending}


def _journal(world: World, rest: str, body: Any) -> dict[str, Any]:  # noqa: ARG001  # one shape for all verbs
    return {"calls": list(world.calls), "deliveries": list(world.deliveries)}


def _state(world: World, rest: str, body: Any) -> dict[str, Any]:  # noqa: ARG001  # one shape for all verbs
    return {
        key: {kind: list(table.values()) for kind, table in account.tables.items()} | {"events": account.events}
        for key, account in world.accounts.items()
    }


def _add_faults(world: World, rest: str, body: Any) -> dict[str, Any]:  # noqa: ARG001  # one shape for all verbs
    world.faults.left += msgspec.convert(body if isinstance(body, list) else [body], list[Fault])
    return {"faults": msgspec.to_builtins(world.faults.left)}


def _clear_faults(world: World, rest: str, body: Any) -> dict[str, Any]:  # noqa: ARG001  # one shape for all verbs
    world.faults.left.clear()
    world.courier.release()
    return {"faults": []}


def _open_account(world: World, rest: str, body: Any) -> dict[str, Any]:  # noqa: ARG001  # one shape for all verbs
    account = world.open_account(body["api_key"], list(body.get("secrets") or []), None)
    return _settings(account, {name: found for name, found in body.items() if name != "api_key"})


def _set_account(world: World, rest: str, body: Any) -> dict[str, Any]:
    return _settings(_account(world, rest), body)


def _settings(account: Account, wanted: Mapping[str, Any]) -> dict[str, Any]:
    settings = msgspec.convert(wanted, Settings)
    if wanted.get("webhook_url") and not is_loopback(wanted["webhook_url"]):
        raise invalid("webhook_url", "must be on this machine")
    for name in wanted:
        setattr(account, name, getattr(settings, name))
    return {"api_key": account.api_key} | {name: getattr(account, name) for name in Settings.__struct_fields__}


def _tamper(world: World, rest: str, body: Any) -> Entity:
    """What a browser could change before it pays: items, currency, custom data. No limit of a price holds it back."""
    account, transaction = _transaction(world, rest)
    limits = [(price, price["quantity"]) for price in account.tables["prices"].values()]
    for price, _ in limits:
        price["quantity"] = {"minimum": 1, "maximum": 999_999}
    try:
        transactions.change(account, transaction, body)
    finally:
        for price, limit in limits:
            price["quantity"] = limit
    return transaction


def _collect(world: World, rest: str, body: Any) -> Entity:
    """transactions/{id}/pay or …/decline, with `email` and `country` of who pays; …/cancel."""
    identifier, _, verb = rest.partition("/")
    account, transaction = _transaction(world, identifier)
    if verb == "pay":
        collect.pay(account, transaction, body)
    elif verb == "decline":
        collect.decline(account, transaction, body)
    elif verb == "cancel":
        transactions.cancel(account, transaction)
    else:
        raise Refused(404, "invalid_url", "A transaction can be paid, declined or cancelled.")
    return transaction


def _adjust(world: World, rest: str, body: Any) -> Entity:
    """Adjustments with `transaction_id` and a bank's `action`; adjustments/{id}/approve or …/reject."""
    if not rest:
        account, transaction = _transaction(world, body["transaction_id"])
        if body["action"] not in adjustments.BY_BANKS:
            raise invalid("action", "must be what a bank does")
        return adjustments.by_bank(account, transaction, body["action"], body.get("amount"))
    identifier, _, verb = rest.partition("/")
    found = world.holder("adjustments", identifier)
    if found is None or verb not in {"approve", "reject"}:
        raise not_found(rest)
    adjustments.decide(*found, approved=verb == "approve")
    return found[1]


def _advance(world: World, rest: str, body: Any) -> dict[str, Any]:
    """Clock with `seconds` to go forward, or `to` a moment: every account, or the one of clock/{API key}."""
    accounts = [_account(world, rest)] if rest else list(world.accounts.values())
    for account in accounts:
        now = account.clock.now()
        moment = clock.read(body["to"]) if "to" in body else now + int(body["seconds"] * clock.MICROSECONDS)
        renewals.advance_to(account, moment)
    return {account.api_key: account.clock.text() for account in accounts}


def _replay(world: World, rest: str, body: Any) -> dict[str, Any]:  # noqa: ARG001  # one shape for all verbs
    """events/{id}/replay, or events/replay for all of them."""
    wanted = rest.removesuffix("replay").rstrip("/")
    made = [
        notification.identifier
        for account in world.accounts.values()
        for event in list(account.events)
        if not wanted or event["event_id"] == wanted
        for notification in world.courier.tell(account, event, origin="replay")
    ]
    return {"notifications": made}


def _account(world: World, api_key: str) -> Account:
    found = world.accounts.get(api_key) if api_key else next(iter(world.accounts.values()), None)
    if found is None:
        raise not_found("account")
    return found


def _transaction(world: World, identifier: str) -> tuple[Account, Entity]:
    found = world.holder("transactions", identifier)
    if found is None:
        raise not_found(identifier)
    return found


def _json(found: Any) -> Answer:
    return Answer(200, msgspec.json.encode(found))
