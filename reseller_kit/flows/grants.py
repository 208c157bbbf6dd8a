"""Giving a customer credit of any kind: bought, given, or an offered package. Moves money through the ledger alone."""

from __future__ import annotations

from typing import Any, Final, get_args

from msgspec import Struct

from ..core.errors import InvalidRequest, NotFound
from ..core.ids import new_id
from ..core.ledger import PAID_KINDS, Grant, LotKind
from ..core.manifest.texts import GLOB
from ..core.money import format_amount, parse_amount
from ..core.offers import bonus, daily_of, roll_over_of
from ..core.times import DAY_US
from ..db.engine import Connection, Database, now_us
from ..db.ledger import GrantCredit, Posted
from ..db.packages import Offer, offered, offered_codes
from .credits import find_owner, idempotency, note, positive, post, was_done

LOT_KINDS: Final = get_args(LotKind)
MAX_PRIORITY: Final = 1_000
OPERATION: Final = "credit.grant"
"""What a grant's idempotency key belongs to."""
_MAX_GLOBS: Final = 100
_PERIOD_DAYS: Final = {"week": 7, "month": 31, "year": 366}


class GrantTerms(Struct, frozen=True, kw_only=True):
    """What kind of credit it is: lower priority is spent first; no `models` means every model; `cash` was paid for it.

    `package` names an offer of the tenant, which then decides kind, amount, models, expiry and `daily`: how much of it
    may be used in a day, None for all of it.
    """

    kind: LotKind = "manual"
    priority: int = 0
    models: tuple[str, ...] = ()
    expires_at: int | None = None
    cash: int = 0
    package: str | None = None
    daily: int | None = None


_PLAIN: Final = GrantTerms()


class Credit(Struct, frozen=True, kw_only=True):
    """What is to be credited, with the package worked out."""

    amount: int
    terms: GrantTerms
    ref: str = ""


async def grant_credit(
    db: Database,
    *,
    tenant_slug: str,
    customer: str,
    amount: int | None,
    reason: str,
    terms: GrantTerms = _PLAIN,
    idempotency_key: str | None,
    actor: str,
) -> Posted:
    """Credit a customer `amount` nano-USD, or what a package says, as one lot.

    The same idempotency key with the same arguments answers as the first time; with others it raises Conflict.
    Raises InvalidRequest for terms that make no sense and NotFound for a package that is not offered.
    """
    owner = await find_owner(db, tenant_slug, customer)
    once = idempotency(OPERATION, idempotency_key, _arguments(owner.customer.id, amount, reason, terms))
    repeated = await was_done(db, owner.tenant, once)
    now = now_us()
    async with db.read(owner.tenant.id) as connection:
        credit = await _credit(connection, owner.tenant.id, amount, terms, now)
    _check(credit, now, repeated=repeated)
    request = Grant(
        lot_id=new_id("lot"),
        txn_id=new_id("txn"),
        tenant_id=owner.tenant.id,
        wallet_id=owner.customer.wallet_id,
        kind=credit.terms.kind,
        amount=credit.amount,
        at=now,
        ref=reason,
        priority=credit.terms.priority,
        expires_at=credit.terms.expires_at,
        models=credit.terms.models,
        cash=credit.terms.cash,
        lot_ref=credit.ref,
        daily=credit.terms.daily,
    )
    posted = await post(db, GrantCredit(request, once))
    if posted.id == request.lot_id:
        await note(db, owner, actor, "credit.grant", posted, reason)
    return posted


def _arguments(customer_id: str, amount: int | None, reason: str, terms: GrantTerms) -> list[Any]:
    """What a repetition must have the same; what is left out does not count, so that old keys keep their meaning."""
    arguments: list[Any] = [customer_id, amount, reason, terms.expires_at]
    others = {
        name: getattr(terms, name)
        for name in ("kind", "priority", "models", "cash", "package")
        if getattr(terms, name) != getattr(_PLAIN, name)
    }
    return [*arguments, others] if others else arguments


async def _credit(connection: Connection, tenant_id: int, amount: int | None, terms: GrantTerms, now: int) -> Credit:
    if terms.package is None:
        if amount is None:
            raise InvalidRequest("There is no amount.", param="amount", fix="Give an amount, or a package.")
        return Credit(amount=amount, terms=terms)
    if (terms.kind, terms.models, terms.expires_at) != (_PLAIN.kind, _PLAIN.models, _PLAIN.expires_at):
        raise InvalidRequest(
            "A package says itself what kind it is, for which models and how long it lasts.",
            param="package",
            fix="Leave out kind, models and expires, or the package.",
        )
    offer = await offered(connection, tenant_id, terms.package)
    if offer is None:
        codes = await offered_codes(connection, tenant_id)
        fix = f"Offered are: {', '.join(codes)}." if codes else "Add [[tenants.packages]] to tenants.toml and apply it."
        raise NotFound(f"There is no package {terms.package[:80]!r} on offer.", fix=fix)
    return credit_of(offer, amount, now, terms)


def credit_of(offer: Offer, amount: int | None, now: int, terms: GrantTerms = _PLAIN) -> Credit:
    """What an offer comes to when it is credited at `now`. A top-up needs its amount, which its bonus goes on top of.

    Raises InvalidRequest for an amount that the offer does not have.
    """
    stated = offer.terms
    kind = stated.get("kind", "package")
    days = stated.get("valid_days")
    if days is None and kind == "subscription":
        days = _PERIOD_DAYS[stated["period"]] * (1 + roll_over_of(stated))
    return Credit(
        amount=_topup(offer, amount) if kind == "topup" else _credits(offer, amount),
        terms=GrantTerms(
            kind=kind,
            priority=terms.priority,
            models=tuple(stated.get("models", ())),
            expires_at=None if days is None else now + days * DAY_US,
            cash=terms.cash,
            daily=daily_of(stated),
        ),
        ref=f"package:{offer.code}@{offer.version}",
    )


def _topup(offer: Offer, amount: int | None) -> int:
    low, high = parse_amount(offer.terms["min"]), parse_amount(offer.terms["max"])
    if amount is None or not low <= amount <= high:
        raise InvalidRequest(
            f"{offer.code} is a top-up of {format_amount(low)} to {format_amount(high)}.",
            param="amount",
            fix="Give an amount between them.",
        )
    return amount + bonus(offer.terms, amount)


def _credits(offer: Offer, amount: int | None) -> int:
    credited = parse_amount(offer.terms["credits"])
    if amount is not None and amount != credited:
        raise InvalidRequest(
            f"{offer.code} credits {format_amount(credited)}.", param="amount", fix="Leave the amount out."
        )
    return credited


def _check(credit: Credit, now: int, *, repeated: bool) -> None:
    terms = credit.terms
    positive(credit.amount)
    if terms.kind not in LOT_KINDS:
        raise InvalidRequest(
            f"{terms.kind!r} is no kind of credit.", param="kind", fix=f"One of {', '.join(LOT_KINDS)}."
        )
    if terms.cash < 0 or (terms.cash and terms.kind not in PAID_KINDS):
        raise InvalidRequest(
            f"Credit of kind {terms.kind} was not paid for.",
            param="cash",
            fix=f"Only {', '.join(sorted(PAID_KINDS))} can have been paid for, with 0 or more.",
        )
    if abs(terms.priority) > MAX_PRIORITY:
        raise InvalidRequest(
            f"The priority {terms.priority} is out of range.",
            param="priority",
            fix=f"Give a number from -{MAX_PRIORITY} to {MAX_PRIORITY}; lower is spent first.",
        )
    check_models(terms.models)
    if terms.expires_at is not None and terms.expires_at <= now and not repeated:
        raise InvalidRequest("The credit would be expired at once.", param="expires", fix="Give a time in the future.")


def check_models(models: tuple[str, ...]) -> None:
    """Raises InvalidRequest unless these are model names or patterns, and not too many."""
    if len(models) > _MAX_GLOBS or not all(GLOB.fullmatch(glob) for glob in models):
        raise InvalidRequest(
            "The models hold what is no pattern.",
            param="models",
            fix=f"Give at most {_MAX_GLOBS} model names or patterns such as gpt-*, separated by commas.",
        )
