"""Limits and the hold: whether a call may be made. Nothing is asked of an upstream before the hold is durable."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Sequence
from typing import Final

from ...core.catalog import OfferedModel
from ...core.errors import (
    DailyAllowanceUsed,
    InsufficientCredit,
    ModelNotFound,
    Overloaded,
    Restarting,
    ServiceUnavailable,
)
from ...core.ledger import NO_WINDOW, Hold, HoldRefused, HoldRequest, HoldTerms
from ...core.limits import Limit
from ...core.money import format_amount
from ...core.periods import period_of
from ...core.pricing import bound_for, units_bound
from ...core.storefront import Storefront
from ...core.times import format_time
from ...core.usage import ONE_REQUEST
from ...db.authentication import KeyAccount
from ...db.ledger import LostLease, PlaceHold
from ..limiter import Admission
from ..prepared import PreparedModel
from ..runtime import Runtime
from .job import Caller, CallFacts, Job, Wanted, encode_json
from .passage import leave_upstream
from .rates import limits_of, refusal, tokens_expected

_MIN_SHRUNK_OUTPUT: Final = 256


def find_model(storefront: Storefront, account: KeyAccount, name: str) -> OfferedModel:
    """The model that the storefront offers under this name and the key allows. Raises ModelNotFound."""
    offered = storefront.models.get(name)
    if offered is None or not is_allowed(offered, account.models):
        raise ModelNotFound(f"The model {name!r} does not exist or you do not have access to it.")
    return offered


def prepared_for(runtime: Runtime, caller: Caller, name: str) -> PreparedModel:
    """What calls of the model have in common. Raises ModelNotFound."""
    offered = find_model(caller.storefront, caller.account, name)
    return runtime.prepared.of(offered, caller.storefront, runtime.snapshot.upstreams)


async def admit(runtime: Runtime, caller: Caller, prepared: PreparedModel, wanted: Wanted) -> Job:
    """Place the hold of a call and begin its job.

    Raises RateLimited, InsufficientCredit, or ServiceUnavailable when the reseller's balance is empty or the database
    is away.
    """
    offered = prepared.offered
    caller.note.model = offered.model
    runtime.last_call_at = time.monotonic()
    if runtime.draining:
        raise Restarting
    if runtime.unsettled:
        # A database may have room for holds and none for what they settle to.
        raise Overloaded("The service is not available right now. Please try again in a moment.", retry_after_seconds=1)
    expected = tokens_expected(wanted.input_bound, wanted.output_limit, wanted.choices)
    limits = limits_of(caller.storefront, caller.account, expected)
    admission = runtime.limiter.take_at_once(limits) or await runtime.limiter.take(limits)
    if admission.room.refused is not None:
        raise refusal(limits, admission.room)
    window = _window(caller)
    request = _hold_request(caller, prepared, wanted, window)
    runtime.active.add(caller.request_id)
    try:
        item = PlaceHold(request, _facts(prepared, caller.dialect, stream=wanted.stream))
        outcome = await caller.note.step.around("hold", _place(runtime, item))
    except BaseException:
        runtime.metrics.holds.labels("failed").inc()
        # The hold may be durable all the same; the sweep voids it once it is no longer active.
        _give_up(runtime, caller.request_id, admission)
        raise
    if isinstance(outcome, HoldRefused):
        runtime.metrics.holds.labels("refused").inc()
        _give_up(runtime, caller.request_id, admission)
        raise _refused(outcome, caller.storefront)
    runtime.metrics.placed.inc()
    return Job(
        caller=caller,
        wanted=wanted,
        offered=offered,
        served=offered,
        output_limit=outcome.output_limit,
        window=window,
        epoch=outcome.epoch,
        units=wanted.units or ONE_REQUEST,
        lowered=outcome.output_limit < request.terms.output_limit,
        first=prepared.first,
        admission=admission,
        expected=expected,
    )


async def _place(runtime: Runtime, item: PlaceHold) -> Hold | HoldRefused:
    """Place a hold; once more under the next epoch where the lease had run out. Raises what the writer does.

    A hold whose epoch ended while its commit was answered belongs to the sweep, so that is raised as a lost lease, too.
    """
    epoch = runtime.ledger.epoch
    try:
        outcome = await runtime.ledger.place(item)
    except LostLease:
        if runtime.ledger.epoch == epoch:
            runtime.heartbeat.doubt()
            await runtime.heartbeat.confirmed()
        if runtime.ledger.epoch == epoch:
            raise
        outcome = await runtime.ledger.place(item)
    if isinstance(outcome, Hold) and outcome.epoch != runtime.ledger.epoch:
        raise LostLease
    return outcome


def _facts(prepared: PreparedModel, dialect: str, *, stream: bool) -> str:
    """What the hold says of its call."""
    found = prepared.facts.get((dialect, stream))
    if found is None:
        offered = prepared.offered
        facts = CallFacts(model=offered.name, public_model=offered.model, dialect=dialect, stream=stream)
        found = prepared.facts[dialect, stream] = encode_json(facts).decode()
    return found


async def enter(runtime: Runtime, limits: Sequence[Limit]) -> Admission:
    """Find room in these limits. Raises RateLimited."""
    admission = await runtime.limiter.take(limits)
    if admission.room.refused is not None:
        raise refusal(limits, admission.room)
    return admission


def let_go(runtime: Runtime, job: Job) -> None:
    """The call is over: it no longer counts as under way, and its limits know what it used."""
    if job.upstream_admission is not None:
        leave_upstream(runtime, job, tokens=job.tokens)
    runtime.limiter.end(job.admission, job.tokens)
    runtime.active.discard(job.caller.request_id)


def _give_up(runtime: Runtime, request_id: str, admission: Admission) -> None:
    """There is no hold: the call is none."""
    runtime.limiter.end(admission, 0)
    runtime.active.discard(request_id)


def _hold_request(
    caller: Caller, prepared: PreparedModel, wanted: Wanted, window: tuple[str, int] | None
) -> HoldRequest:
    account, storefront, offered = caller.account, caller.storefront, prepared.offered
    return HoldRequest(
        request_id=caller.request_id,
        tenant_id=storefront.tenant_id,
        customer_id=account.customer_id,
        wallet_id=account.wallet_id,
        reseller_wallet_id=storefront.reseller_wallet_id,
        key_id=account.key_id,
        key_limit=account.limit_nano,
        window_started_at=window[1] if window else NO_WINDOW,
        overdraft=storefront.overdraft,
        model=offered.model,
        retail_version=offered.retail.id,
        wholesale_version=offered.wholesale.id,
        terms=_terms(prepared, wanted),
        created_at=caller.now,
    )


def _terms(prepared: PreparedModel, wanted: Wanted) -> HoldTerms:
    """The call's greatest possible charge: every token at the dearest class that it could land in.

    A fallback never costs more than the model itself would for the same usage, but may read more than it can.
    """
    offered, named, units = prepared.offered, wanted.output_limit, wanted.units
    input_bound = min(wanted.input_bound, prepared.context * wanted.inputs)
    output_limit = offered.max_output if named is None else min(named, offered.max_output)
    retail, wholesale = bound_for(prepared.retail, input_bound), bound_for(prepared.wholesale, input_bound)
    return HoldTerms(
        retail_fixed=input_bound * retail.per_input
        + (units_bound(offered.retail.price_list, units) if units else retail.per_request),
        retail_per_output=retail.per_output,
        wholesale_fixed=input_bound * wholesale.per_input
        + (units_bound(offered.wholesale.price_list, units) if units else wholesale.per_request),
        wholesale_per_output=wholesale.per_output,
        output_limit=output_limit,
        choices=wanted.choices,
        shrink_to=_MIN_SHRUNK_OUTPUT if named is None or prepared.storefront.limits.shorten else None,
    )


def _window(caller: Caller) -> tuple[str, int] | None:
    account = caller.account
    if account.limit_nano is None:
        return None
    return account.key_id, period_of(account.limit_reset, caller.storefront.timezone, caller.now)


def is_allowed(offered: OfferedModel, globs: tuple[str, ...]) -> bool:
    """Whether a key with these patterns may ask for a model; one without any may ask for all."""
    return not globs or any(fnmatch.fnmatchcase(name, glob) for glob in globs for name in (offered.name, offered.model))


def _refused(refusal: HoldRefused, storefront: Storefront) -> InsufficientCredit | ServiceUnavailable:
    if refusal.reason == "wholesale":
        return ServiceUnavailable("The service is not available right now. Please try again in a moment.")
    needed, free = format_amount(refusal.required), format_amount(max(0, refusal.available))
    page = "/account/billing"
    if refusal.reason == "key_limit":
        page = "/account/keys"
        message = (
            f"The spending limit of this key does not cover the request: it may cost up to ${needed}, ${free} is left."
        )
    elif refusal.reason == "daily_allowance":
        message = (
            f"Today's allowance of your {storefront.name} credit does not cover the request: it may cost up to"
            f" ${needed}, ${free} is left for today. It renews at {format_time(refusal.renews_at or 0)}."
        )
    else:
        message = (
            f"Your {storefront.name} credit does not cover the request: it may cost up to ${needed},"
            f" ${free} is available."
        )
    if refusal.affordable_output > 0:
        message += f" An output limit of {refusal.affordable_output} tokens would be covered."
    kind = DailyAllowanceUsed if refusal.reason == "daily_allowance" else InsufficientCredit
    return kind(message, page=page)


def monotonic_ns() -> int:
    """The clock of `Caller.started_ns`."""
    return time.monotonic_ns()
