"""How a model does: told by its latest calls, over the upstreams that serve it and no others."""

from __future__ import annotations

from reseller_kit.core.catalog import OfferedModel, PriceList, PriceVersion, Route
from reseller_kit.core.health import HealthBoard

PRICES = PriceVersion(id="prc", level="retail", price_list=PriceList(prices={"input": 1, "output": 1}))
MINUTE_US = 60_000_000


def offered(*upstreams: str) -> OfferedModel:
    routes = tuple(
        Route(id=number, upstream=name, upstream_model="x", priority=0, weight=1, cost=PRICES)
        for number, name in enumerate(upstreams)
    )
    return OfferedModel(
        name="m", model="m", context=1, max_output=1, retail=PRICES, wholesale=PRICES, routes=routes, created_at=0
    )


def test_a_model_is_as_its_latest_calls_were() -> None:
    board, model = HealthBoard(), offered("one")
    assert board.state(model) == "unknown"
    for minute in range(9):
        board.note(model, failed=False, now=minute * MINUTE_US)
    assert board.state(model) == "operational"
    board.note(model, failed=True, now=9 * MINUTE_US)
    assert board.state(model) == "degraded"
    for minute in range(10, 60):
        board.note(model, failed=True, now=minute * MINUTE_US)
    assert board.state(model) == "down"


def test_what_a_tenants_own_upstream_does_is_nobody_elses() -> None:
    board, own, shared = HealthBoard(), offered("aurora/own"), offered("one", "two")
    for minute in range(10):
        board.note(own, failed=True, now=minute * MINUTE_US)
        board.note(shared, failed=False, now=minute * MINUTE_US)
    assert board.state(own) == "down"
    assert board.state(shared) == board.state(offered("two", "one")) == "operational"
    assert board.state(offered("one")) == "unknown"
