"""The end of a held call: its charge at the three levels, one usage record, one resolved hold, exactly once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, NoReturn

from msgspec import Struct

from ...core import pricing
from ...core.errors import InvalidRequest, KitError, NotFound, ServiceUnavailable, UpstreamRejected
from ...core.ledger import Capture
from ...core.usage import Usage, clamp
from ...db.engine import now_us
from ...db.ledger import LostLease, Settle, UsageRow
from ..runtime import SETTLE_SECONDS, Runtime
from .admit import let_go
from .job import Job, encode_json

_log = logging.getLogger(__name__)
_RETRY_SECONDS: Final = 0.5
_NOTHING: Final = Usage()
LEFT: Final = 499
"""The status of a call whose client left before there was one."""


class Ending(Struct, frozen=True, kw_only=True):
    """How a call ended. `usage` None: nothing was delivered, nothing is charged."""

    status: str
    http_status: int
    usage: Usage | None = None
    estimated: bool = False
    delivered_characters: int | None = None
    tokenizer: str | None = None


class Charges(Struct, frozen=True):
    """Nano-USD at the three levels, and the price versions behind the first two."""

    retail: int
    wholesale: int
    cost: int
    retail_version: str
    wholesale_version: str


def believed(job: Job, usage: Usage) -> tuple[Usage, bool]:
    """The usage as far as it is believed, and whether it was cut."""
    served, n = job.served, job.wanted.choices
    return clamp(
        usage,
        context=served.context * job.wanted.inputs,
        output_limit=job.output_limit * n,
        max_output=served.max_output * n,
        units=job.units,
    )


def quantities_of(usage: Usage) -> dict[str, int]:
    """Quantities by class with the request that they came by; nothing for a call that used nothing."""
    quantities = usage.quantities()
    if quantities:
        quantities.setdefault("request", 1)
    return quantities


def charges(job: Job, quantities: Mapping[str, int]) -> Charges:
    """What a call costs its customer, its reseller and the operator.

    Where a fallback answered, customer and reseller pay the lower of the two models' charges.
    """
    route, offered = job.route, job.offered
    if route is None or not quantities:
        return Charges(0, 0, 0, offered.retail.id, offered.wholesale.id)
    cost = pricing.charge(route.cost.price_list, quantities)
    if job.served is offered:
        retail = pricing.charge(offered.retail.price_list, quantities)
        wholesale = pricing.charge(offered.wholesale.price_list, quantities)
        return Charges(retail, wholesale, cost, offered.retail.id, offered.wholesale.id)
    retail_version, retail = pricing.lowest(job.retail, quantities)
    wholesale_version, wholesale = pricing.lowest(job.wholesale, quantities)
    return Charges(retail, wholesale, cost, retail_version.id, wholesale_version.id)


async def settle(runtime: Runtime, job: Job, ending: Ending) -> Usage:
    """Resolve the job's hold and write its usage record; the usage that was charged.

    Returns once that is durable, or after five seconds of trying; then the settle goes on in the background and the
    money stays held until it succeeds. Raises LostLease when another process took this one for dead and resolved the
    hold: then nothing was written, and the answer must not look like one that was paid for.
    """
    if job.epoch != runtime.ledger.epoch:
        _lose(runtime, job)
    usage, capped = believed(job, ending.usage) if ending.usage is not None else (_NOTHING, False)
    item = _item(job, ending, usage, capped=capped)
    job.settled = True
    job.read, job.written = usage.total_input_tokens, usage.total_output_tokens
    job.caller.note.outcome = ending.status
    done = runtime.ledger.submit(item)
    since = runtime.settling[done] = time.monotonic()
    error: Exception | None = None
    try:
        await job.caller.note.step.around("settle", done, outcome=ending.status)
    except asyncio.CancelledError:
        # It is carried out all the same; what comes of it is asked for beside.
        _settle_beside(runtime, job, item)
        raise
    except Exception as fault:  # noqa: BLE001  # whatever it is, the answer is there and the call is over
        error = fault
    finally:
        del runtime.settling[done]
    if _may_pass(error):
        await _settle_on(runtime, job, item, since)
    else:
        _end(runtime, job, item, error)
    _note(runtime, job, item, usage, ending)
    if capped:
        _log.warning("upstream %s reported usage beyond its bounds for %s", item.usage.upstream, job.caller.request_id)
    return usage


async def settle_failed(runtime: Runtime, job: Job, error: BaseException) -> None:
    """Release the hold of a call that brought nothing; does nothing for one that is settled."""
    if job.settled:
        return
    # Nobody answered: the record is of the model that was asked for.
    job.served = job.offered
    if isinstance(error, UpstreamRejected):
        ending = Ending(status="refused", http_status=error.http_status)
    elif isinstance(error, InvalidRequest | NotFound):
        ending = Ending(status="refused", http_status=error.status)
    elif job.caller.note.left:
        ending = Ending(status="failed", http_status=LEFT)
    else:
        ending = Ending(status="failed", http_status=error.status if isinstance(error, KitError) else 500)
    with suppress(LostLease):
        await asyncio.shield(settle(runtime, job, ending))


async def settle_left(runtime: Runtime, job: Job, ending: Callable[[], Ending], error: asyncio.CancelledError) -> None:
    """Settle a plain call that was ended before its answer came.

    Where its client left while the request was with an upstream, that one may charge for it, so `ending` is charged.
    """
    if job.settled or not (job.caller.note.left and job.in_flight):
        await settle_failed(runtime, job, error)
        return
    with suppress(LostLease):
        await asyncio.shield(settle(runtime, job, ending()))


def _lose(runtime: Runtime, job: Job) -> NoReturn:
    """The hold is of an epoch that this process has lost: whoever sweeps resolves it."""
    job.settled = True
    let_go(runtime, job)
    _log.warning("the hold of %s is left to the sweep", job.caller.request_id)
    raise LostLease


def _may_pass(error: Exception | None) -> bool:
    """Whether a settle that failed by this is to be tried again: the database was away."""
    return isinstance(error, ServiceUnavailable) and not isinstance(error, LostLease)


def _end(runtime: Runtime, job: Job, item: Settle, error: Exception | None) -> None:
    """The settle is over, well or by an error that stays. Raises LostLease if that is the error."""
    if error is None:
        _count(runtime, job, item)
    elif isinstance(error, LostLease):
        runtime.metrics.settles.labels("lost").inc()
        _log.warning("the hold of %s was resolved by another process", job.caller.request_id)
    else:
        runtime.metrics.settles.labels("failed").inc()
        _log.error("settling %s failed; its money stays held", job.caller.request_id, exc_info=error)
    let_go(runtime, job)
    if isinstance(error, LostLease):
        raise error


async def _settle_on(runtime: Runtime, job: Job, item: Settle, since: float) -> None:
    """Wait for a settle that is tried again, until five seconds after `since`. Raises LostLease."""
    runtime.unsettled.add(job.caller.request_id)
    trying = _settle_beside(runtime, job, item)
    await asyncio.wait([trying], timeout=max(0, since + SETTLE_SECONDS - time.monotonic()))
    if trying.done() and (lost := trying.result()) is not None:
        raise lost


def _settle_beside(runtime: Runtime, job: Job, item: Settle) -> asyncio.Task[LostLease | None]:
    return runtime.spawn(_try_again(runtime, job, item), f"settle {job.caller.request_id}")


async def _try_again(runtime: Runtime, job: Job, item: Settle) -> LostLease | None:
    """Settle however long the database is away; the error if another process resolved the hold."""
    error: Exception | None = ServiceUnavailable("It was not settled.")
    while _may_pass(error):
        runtime.metrics.settle_retries.inc()
        await asyncio.sleep(_RETRY_SECONDS)
        try:
            await runtime.ledger.submit(item)
        except Exception as fault:  # noqa: BLE001  # as in `settle`
            error = fault
        else:
            error = None
    runtime.unsettled.discard(job.caller.request_id)
    try:
        _end(runtime, job, item, error)
    except LostLease as lost:
        return lost
    return None


def _note(runtime: Runtime, job: Job, item: Settle, usage: Usage, ending: Ending) -> None:
    """What the settled call tells of its model, its upstream's key and the upstream."""
    if ending.http_status != LEFT:
        runtime.health.note(job.offered, failed=ending.status == "failed", now=item.capture.at)
    if job.ticket is not None:
        job.ticket.used(job.read + job.written)
    runtime.endpoints.speeds.note_output(job.served.model, usage.output_tokens)
    if usage.cached_input_tokens:
        _count_cached(runtime, job, usage.cached_input_tokens)


def _count(runtime: Runtime, job: Job, item: Settle) -> None:
    """A settled call in the metrics."""
    usage = item.usage
    series = runtime.metrics.settled_calls(job.caller.storefront.slug, usage.public_model, usage.status, usage.upstream)
    series.count(
        ms=usage.latency_ms,
        first_byte_ms=usage.first_byte_ms,
        read=job.read,
        written=job.written,
        retail=usage.retail_nano,
        wholesale=usage.wholesale_nano,
        cost=usage.cost_nano,
    )


def _item(job: Job, ending: Ending, usage: Usage, *, capped: bool) -> Settle:
    quantities = quantities_of(usage)
    spent = charges(job, quantities)
    caller = job.caller
    return Settle(
        capture=Capture(
            request_id=caller.request_id, retail=spent.retail, wholesale=spent.wholesale, cost=spent.cost, at=now_us()
        ),
        usage=_usage_row(job, ending, usage, quantities, spent, capped=capped),
        wallet_id=caller.account.wallet_id,
        reseller_wallet_id=caller.storefront.reseller_wallet_id,
        window=job.window,
    )


def _usage_row(
    job: Job, ending: Ending, usage: Usage, quantities: Mapping[str, int], spent: Charges, *, capped: bool
) -> UsageRow:
    caller, route = job.caller, job.route
    return UsageRow(
        id=caller.request_id,
        tenant_id=caller.storefront.tenant_id,
        customer_id=caller.account.customer_id,
        key_id=caller.account.key_id,
        model=job.offered.name,
        public_model=job.served.model,
        upstream=None if route is None else route.upstream,
        upstream_model=None if route is None else route.upstream_model,
        dialect=caller.dialect,
        stream=job.wanted.stream,
        status=ending.status,
        http_status=ending.http_status,
        quantities=encode_json(quantities).decode(),
        reasoning_tokens=usage.reasoning_tokens,
        usage_source="estimated" if ending.estimated else "upstream",
        usage_capped=capped,
        retail_nano=spent.retail,
        wholesale_nano=spent.wholesale,
        cost_nano=spent.cost,
        retail_version=spent.retail_version,
        wholesale_version=spent.wholesale_version,
        cost_version=None if route is None else route.cost.id,
        attempts=job.attempts,
        latency_ms=job.elapsed_ms(),
        first_byte_ms=job.first_byte_ms(),
        delivered_characters=ending.delivered_characters,
        tokenizer=ending.tokenizer,
        created_at=caller.now,
    )


def _count_cached(runtime: Runtime, job: Job, tokens: int) -> None:
    """In the metrics: what the upstream read from its cache, and what that saved the operator."""
    if job.route is not None:
        cost = job.route.cost.price_list
        prices = cost.charged[cost.place(job.read)]
        saved = prices.get("input", 0) - prices.get("cached_input", 0)
        runtime.metrics.count_cached(job.route.upstream, tokens, max(0, saved * tokens // 1000))
