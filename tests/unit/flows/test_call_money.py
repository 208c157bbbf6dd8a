"""How a call meets the ledger: what its hold covers, what its end charges, what the sweep makes of a dead one."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from reseller_kit.core.catalog import OfferedModel, PriceList, PriceVersion, Route, Tier
from reseller_kit.core.errors import ModelNotFound
from reseller_kit.core.ledger import NO_WINDOW
from reseller_kit.core.storefront import CallLimits, Storefront
from reseller_kit.core.usage import Usage
from reseller_kit.db import leases, price_versions
from reseller_kit.db.authentication import KeyAccount
from reseller_kit.db.leases import OrphanHold
from reseller_kit.db.ledger import Settle
from reseller_kit.db.operator_audit import UsageFacts
from reseller_kit.flows import sweep
from reseller_kit.flows.call.admit import (
    _hold_request,
    _terms,
    _window,
    find_model,
)
from reseller_kit.flows.call.candidates import _prices_units
from reseller_kit.flows.call.endings import stream_ending
from reseller_kit.flows.call.generate import _wanted
from reseller_kit.flows.call.job import Caller, CheckpointFacts, FallbackFacts, Job, Wanted
from reseller_kit.flows.call.settle import Ending, _item, believed, charges, quantities_of
from reseller_kit.flows.prepared import prepare
from reseller_kit.flows.recompute import LEVELS, PinnedPrices, recompute
from reseller_kit.wire.codec import Call

RETAIL = PriceList(
    prices={"input": 40, "output": 400, "request": 9_000},
    tiers=(Tier(above_input=500, prices={"input": 80, "output": 300, "request": 9_000}),),
)
WHOLESALE = PriceList(prices={"input": 20, "output": 200, "request": 5_000})
COST = PriceList(prices={"input": 10, "output": 100, "request": 1_000})
ROUTE = Route(
    id=1,
    upstream="emulator",
    upstream_model="gpt-real",
    priority=0,
    weight=1,
    cost=PriceVersion(id="prc_cost", level="cost", price_list=COST),
)
OFFERED = OfferedModel(
    name="fast",
    model="gpt-test",
    context=1_000,
    max_output=2_000,
    retail=PriceVersion(id="prc_retail", level="retail", price_list=RETAIL),
    wholesale=PriceVersion(id="prc_wholesale", level="wholesale", price_list=WHOLESALE),
    routes=(ROUTE,),
    created_at=0,
)
ACCOUNT = KeyAccount(
    key_id="key_1",
    tenant_id=1,
    customer_id="cus_1",
    wallet_id=1,
    customer_status="active",
    limit_nano=None,
    limit_reset=None,
    models=(),
    requests_per_minute=None,
    expires_at=None,
    group_id=None,
)


def make_storefront(**changes: Any) -> Storefront:
    values: dict[str, Any] = {
        "tenant_id": 1,
        "slug": "aurora",
        "name": "Aurora",
        "status": "active",
        "suspended": False,
        "theme": "base",
        "timezone": "UTC",
        "primary_host": "aurora.localhost",
        "api_host": "aurora.localhost",
        "reseller_wallet_id": 2,
        "overdraft": 0,
        "limits": CallLimits(),
        "models": {"fast": OFFERED},
        "settings": {},
        "packages": (),
        "later": {},
    }
    return Storefront(**(values | changes))


def make_caller(storefront: Storefront | None = None, account: KeyAccount = ACCOUNT, now: int = 0) -> Caller:
    return Caller(
        request_id="req_1",
        storefront=storefront or make_storefront(),
        account=account,
        dialect="openai",
        started_ns=0,
        now=now,
    )


def make_job(asked: Wanted | None = None, **changes: Any) -> Job:
    values: dict[str, Any] = {
        "caller": make_caller(),
        "wanted": asked or wanted(),
        "offered": OFFERED,
        "served": changes.get("offered", OFFERED),
        "output_limit": 100,
        "window": None,
        "epoch": 1,
        "route": ROUTE,
    }
    return Job(**(values | changes))


def wanted(input_bound: int = 300, output_limit: int | None = None, choices: int = 1) -> Wanted:
    return Wanted(stream=False, choices=choices, input_bound=input_bound, output_limit=output_limit)


def terms(asked: Wanted, limits: CallLimits | None = None) -> tuple[Any, ...]:
    found = _terms(prepare(OFFERED, make_storefront(limits=limits or CallLimits()), {}), asked)
    return (
        found.retail_fixed,
        found.retail_per_output,
        found.wholesale_fixed,
        found.wholesale_per_output,
        found.output_limit,
        found.choices,
        found.shrink_to,
    )


# --- The hold ---------------------------------------------------------------------------------------------------------


def test_a_hold_covers_the_input_the_request_and_the_models_longest_answers() -> None:
    assert terms(wanted(choices=3)) == (300 * 40 + 9_000, 400, 300 * 20 + 5_000, 200, 2_000, 3, 256)


def test_a_named_limit_is_held_and_not_lowered() -> None:
    assert terms(wanted(output_limit=70))[4:] == (70, 1, None)
    assert terms(wanted(output_limit=9_000))[4:] == (2_000, 1, None)
    assert terms(wanted(output_limit=70), CallLimits(shorten=True))[6] == 256


def test_a_long_call_is_held_at_the_dearest_prices_it_can_meet_and_within_the_context() -> None:
    assert terms(wanted(input_bound=501))[:2] == (501 * 80 + 9_000, 400)
    assert terms(wanted(input_bound=500))[:2] == (500 * 40 + 9_000, 400)
    assert terms(wanted(input_bound=5_000))[0] == 1_000 * 80 + 9_000


def test_a_hold_names_wallets_period_and_overdraft() -> None:
    account = replace(ACCOUNT, limit_nano=77, limit_reset="daily")
    caller = make_caller(make_storefront(overdraft=5), account, now=3_600_000_000)
    window = _window(caller)
    request = _hold_request(caller, prepare(OFFERED, caller.storefront, {}), wanted(), window)
    assert (request.wallet_id, request.reseller_wallet_id, request.overdraft, request.model) == (1, 2, 5, "gpt-test")
    assert (window, request.key_limit, request.window_started_at) == (("key_1", 0), 77, 0)
    without = _hold_request(make_caller(), prepare(OFFERED, make_storefront(), {}), wanted(), None)
    assert without.window_started_at == NO_WINDOW


def test_a_key_calls_only_the_models_it_may() -> None:
    storefront = make_storefront()
    for allowed in ((), ("fast",), ("gpt-*",)):
        assert find_model(storefront, replace(ACCOUNT, models=allowed), "fast") is OFFERED
    with pytest.raises(ModelNotFound):
        find_model(storefront, replace(ACCOUNT, models=("claude-*",)), "fast")
    with pytest.raises(ModelNotFound):
        find_model(storefront, ACCOUNT, "gpt-unknown")


# --- The end ----------------------------------------------------------------------------------------------------------


def test_a_call_is_charged_each_level_with_its_one_request() -> None:
    quantities = quantities_of(Usage(input_tokens=10, output_tokens=5))
    assert quantities == {"input": 10, "output": 5, "request": 1}
    spent = charges(make_job(), quantities)
    assert (spent.retail, spent.wholesale, spent.cost) == (12, 7, 2)


def test_a_ranking_is_charged_for_all_the_requests_it_came_to() -> None:
    assert quantities_of(Usage(requests=3)) == {"request": 3}


def test_other_units_than_tokens_are_charged_and_recomputed_at_each_level() -> None:
    units = {"seconds": 7, "characters": 11, "images": 13, "tool_call": 17}
    lists = [PriceList(prices=dict.fromkeys(units, price) | {"request": 1}) for price in (5_000, 3_000, 1_000)]
    levels = [
        PriceVersion(id=f"prc_{level}", level=level, price_list=found)
        for level, found in zip(LEVELS, lists, strict=True)
    ]
    offered = replace(OFFERED, retail=levels[0], wholesale=levels[1])
    job = make_job(offered=offered, route=replace(ROUTE, cost=levels[2]))
    usage = Usage(seconds=7, characters=11, images=13, tool_calls=17)
    item = _item(job, Ending(status="ok", http_status=200, usage=usage), usage, capped=False)
    assert (item.capture.retail, item.capture.wholesale, item.capture.cost) == (48 * 5 + 1, 48 * 3 + 1, 48 + 1)
    row = item.usage
    assert row.quantities == '{"seconds":7,"characters":11,"images":13,"tool_call":17,"request":1}'
    facts = UsageFacts(
        **{name: getattr(row, name) for name in UsageFacts.__struct_fields__ if name != "settled_at"}, settled_at=0
    )
    pinned = {
        version.id: PinnedPrices(
            id=version.id,
            tenant_id=None,
            level=version.level,
            model="gpt-test",
            price_list=version.price_list,
            effective_from=0,
        )
        for version in levels
    }
    shown = recompute(facts, pinned)
    assert [level.matches for level in shown] == [True, True, True]
    assert {line.usage_class: line.quantity for line in shown[0].lines} == {**units, "request": 1}


def test_searches_are_held_for_believed_and_asked_only_where_they_have_a_price() -> None:
    call = Call(
        api="messages", model="fast", stream=False, fields={}, input_bound=10, output_limit=100, inputs=3, tool_calls=2
    )
    wanted = _wanted(call)
    assert (wanted.inputs, wanted.units) == (3, {"request": 1, "tool_call": 2})
    assert _wanted(replace(call, tool_calls=0)).units == {}
    assert (wanted.choices, _wanted(replace(call, n=3, summaries=1)).choices) == (1, 4)
    job = make_job(wanted, units=wanted.units)
    usage = Usage(input_tokens=3 * OFFERED.context, tool_calls=3)
    assert believed(job, usage) == (replace(usage, tool_calls=2), True)
    priced = replace(ROUTE, cost=replace(ROUTE.cost, price_list=PriceList(prices={"input": 1, "tool_call": 1})))
    assert (
        _prices_units(priced, job.units),
        _prices_units(ROUTE, job.units),
        _prices_units(ROUTE, make_job().units),
    ) == (
        True,
        False,
        True,
    )


def test_a_call_that_used_nothing_pays_nothing_not_even_the_request() -> None:
    assert quantities_of(Usage()) == {}
    ending = Ending(status="failed", http_status=502)
    item = _item(make_job(), ending, Usage(), capped=False)
    assert (item.capture.retail, item.capture.wholesale, item.capture.cost) == (0, 0, 0)


def test_an_estimate_is_charged_and_marked() -> None:
    used = Usage(input_tokens=10, output_tokens=5)
    for estimated, source in ((True, "estimated"), (False, "upstream")):
        ending = Ending(status="cut", http_status=200, usage=used, estimated=estimated)
        item = _item(make_job(), ending, used, capped=True)
        assert (item.capture.retail, item.capture.wholesale, item.capture.cost) == (12, 7, 2)
        row = item.usage
        assert (row.usage_source, row.usage_capped, row.cost_version) == (source, True, "prc_cost")
        assert (row.model, row.public_model, row.upstream_model) == ("fast", "gpt-test", "gpt-real")


@pytest.mark.parametrize(
    ("reported", "whole", "output_tokens", "estimated"),
    [(1, False, 4, True), (9, False, 9, False), (1, True, 1, False)],
)
def test_a_cut_stream_is_charged_what_it_delivered_on_top_of_its_first_report(
    reported: int, output_tokens: int, *, whole: bool, estimated: bool
) -> None:
    usage = Usage(input_tokens=10, cached_input_tokens=3, output_tokens=reported)
    tap: Any = SimpleNamespace(usage=usage, whole=whole, started=True, estimate_text=lambda: "one two three four")
    call: Any = None
    ending = stream_ending(make_job(), call, tap, "cut")
    assert ending.usage == Usage(input_tokens=10, cached_input_tokens=3, output_tokens=output_tokens)
    assert (ending.estimated, ending.delivered_characters) == (estimated, 18 if estimated else None)


def test_usage_is_believed_up_to_the_limit_of_each_choice_asked_for() -> None:
    job = make_job(wanted(choices=2))
    assert believed(job, Usage(output_tokens=200)) == (Usage(output_tokens=200), False)
    assert believed(job, Usage(output_tokens=201)) == (Usage(output_tokens=200), True)
    reasoning = Usage(output_tokens=9_000, reasoning_tokens=9_000)
    assert believed(job, reasoning)[0].output_tokens == 200 + 2 * OFFERED.max_output


def test_a_fallback_is_charged_the_lower_price_of_each_level_and_recomputed_from_it() -> None:
    retail, wholesale = (PriceVersion(id=name, level="", price_list=found) for name, found in FALLBACK.items())
    small = replace(OFFERED, name="small", model="small", retail=retail, wholesale=wholesale, context=7_000)
    job = make_job(served=small)
    usage = Usage(input_tokens=10, output_tokens=5)
    item = _item(job, Ending(status="ok", http_status=200, usage=usage), usage, capped=False)
    assert (item.capture.retail, item.capture.wholesale, item.capture.cost) == (10, 7, 2)
    assert (item.usage.retail_version, item.usage.wholesale_version) == ("prc_small", "prc_wholesale")
    assert (item.usage.model, item.usage.public_model) == ("fast", "small")
    assert believed(job, Usage(input_tokens=7_000))[1] is False, "the context is that of the model that answered"


def test_a_hold_covers_what_a_fallback_may_read_beyond_the_model_itself() -> None:
    roomy = replace(OFFERED, name="roomy", model="roomy", context=4_000)
    falling = replace(OFFERED, fallbacks=("roomy",))
    storefront = make_storefront(models={"fast": falling, "roomy": roomy})
    found = _terms(prepare(falling, storefront, {}), wanted(input_bound=5_000))
    assert found.retail_fixed == 4_000 * 80 + 9_000


# --- The sweep --------------------------------------------------------------------------------------------------------

ORPHAN = OrphanHold(
    request_id="req_1",
    tenant_id=1,
    customer_id="cus_1",
    wallet_id=1,
    reseller_wallet_id=2,
    key_id="key_1",
    window_started_at=NO_WINDOW,
    retail_version="prc_retail",
    wholesale_version="prc_wholesale",
    owner="own_dead",
    epoch=4,
    call='{"model":"fast","public_model":"gpt-test","dialect":"openai","stream":true}',
    checkpoint=None,
    created_at=0,
)
SEEN = CheckpointFacts(
    upstream="emulator",
    upstream_model="gpt-real",
    cost_version="prc_cost",
    usage=Usage(input_tokens=10, output_tokens=5),
    attempts=1,
    first_byte_ms=3,
    delivered_characters=20,
    tokenizer="o200k_base",
)


FALLBACK = {
    "prc_small": PriceList(prices={"input": 900, "output": 100}),
    "prc_small_wholesale": PriceList(prices={"input": 900, "output": 200}),
}


class _Connection:
    """`async with db.read(…)` and `db.write(…)` of a database that is not there."""

    def __init__(self, _scope: object) -> None:
        pass

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        return None


class _Ledger:
    owner = "own_me"
    epoch = 1

    def __init__(self) -> None:
        self.items: list[Settle] = []

    async def submit(self, item: Settle) -> None:
        self.items.append(item)


def swept(monkeypatch: pytest.MonkeyPatch, orphans: list[OrphanHold], own: list[OrphanHold]) -> list[Settle]:
    """What the sweep submits, with `req_active` under way."""

    async def nothing(*_: object) -> int:
        return 0

    async def found_orphans(*_: object) -> list[OrphanHold]:
        return orphans

    async def found_ids(*_: object) -> list[str]:
        return [hold.request_id for hold in own]

    async def found_own(_connection: object, _owner: str, request_ids: list[str]) -> list[OrphanHold]:
        return [hold for hold in own if hold.request_id in request_ids]

    async def found_lists(*_: object) -> dict[str, Any]:
        lists = {"prc_retail": RETAIL, "prc_wholesale": WHOLESALE, "prc_cost": COST, **FALLBACK}
        return {name: msgspec.to_builtins(prices) for name, prices in lists.items()}

    monkeypatch.setattr(leases, "any_stale", nothing)
    monkeypatch.setattr(leases, "open_ids", found_ids)
    monkeypatch.setattr(leases, "orphan_holds", found_orphans)
    monkeypatch.setattr(leases, "open_holds", found_own)
    monkeypatch.setattr(price_versions, "lists_of", found_lists)
    ledger = _Ledger()
    database = SimpleNamespace(read=_Connection, write=_Connection)
    lease = {"lease_gap": 0.0, "lease_renewed_at": time.monotonic()}
    runtime: Any = SimpleNamespace(db=database, ledger=ledger, active={"req_active"}, **lease)
    assert asyncio.run(sweep.sweep(runtime)) == len(ledger.items)
    return ledger.items


def test_a_dead_processes_call_is_charged_what_its_checkpoint_says(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = msgspec.json.encode(SEEN).decode()
    (item,) = swept(monkeypatch, [replace(ORPHAN, checkpoint=seen)], [])
    assert (item.capture.retail, item.capture.wholesale, item.capture.cost) == (12, 7, 2)
    assert (item.owner, item.epoch, item.final_state) == ("own_dead", 4, "expired")
    assert (item.usage.status, item.usage.usage_source, item.usage.cost_version) == ("cut", "estimated", "prc_cost")


def test_a_dead_processes_fallback_is_charged_the_lower_price_of_each_level(monkeypatch: pytest.MonkeyPatch) -> None:
    model = FallbackFacts(public_model="small", retail_version="prc_small", wholesale_version="prc_small_wholesale")
    seen = msgspec.json.encode(replace(SEEN, fallback=model)).decode()
    (item,) = swept(monkeypatch, [replace(ORPHAN, checkpoint=seen)], [])
    assert (item.capture.retail, item.capture.wholesale, item.capture.cost) == (10, 7, 2)
    assert (item.usage.retail_version, item.usage.wholesale_version) == ("prc_small", "prc_wholesale")
    assert (item.usage.model, item.usage.public_model) == ("fast", "small")


def test_a_dead_processes_call_without_a_checkpoint_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    (item,) = swept(monkeypatch, [ORPHAN], [])
    assert (item.capture.retail, item.capture.wholesale, item.capture.cost) == (0, 0, 0)
    assert (item.usage.status, item.usage.cost_version, item.usage.quantities) == ("failed", None, "{}")


def test_an_own_hold_is_swept_only_when_nobody_works_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [replace(ORPHAN, request_id=name, owner="own_me", epoch=1) for name in ("req_active", "req_lost")]
    assert [item.capture.request_id for item in swept(monkeypatch, [], own)] == ["req_lost"]
