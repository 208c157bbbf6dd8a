"""`usage explain` against the second ledger's own arithmetic: tiers, caps, estimates, aliases and calls for nothing."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from reseller_kit.cli.usage import _explained
from reseller_kit.db.engine import Database
from reseller_kit.db.ledger import Settle
from reseller_kit.flows.explain import explain
from tests.support.ledger import deposit, grant, make_shop, open_ledger
from tests.support.proof.actions import Call, End
from tests.support.proof.model import LEVELS, LONG_CONTEXT, LONG_PRICES, PRICES, Terms, charge
from tests.support.proof.prices import publish

MARCH = 1_772_323_200_000_000


async def explained(db: Database, used: dict[str, int], **changes: Any) -> dict[str, Any]:
    """The explanation of one call of an alias that used this."""
    shop = await publish(db, await make_shop(db), at=MARCH)
    call = Call(shop, Terms((10**7, 10**7), (0, 0), 10), "gpt-test", MARCH)
    ending = End(shop, call, used, MARCH).item()
    row = replace(ending.usage, model="aurora-fast", **changes)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10**6))
        await ledger.submit(deposit(shop, 10**6))
        await ledger.submit(call.item())
        await ledger.submit(
            Settle(
                capture=ending.capture,
                usage=row,
                wallet_id=ending.wallet_id,
                reseller_wallet_id=ending.reseller_wallet_id,
                window=None,
            )
        )
    return await explain(db, call.name)


@pytest.mark.parametrize(
    "used",
    [
        {"input": 60, "output": 7},
        {"input": 61},
        {"input": 30, "cached_input": 31, "output": 1},
        {"cached_input": 1},
        {"input": 10**6, "cached_input": 999, "output": 10**5},
    ],
)
async def test_every_line_and_sum_is_exact(db: Database, used: dict[str, int]) -> None:
    shown = await explained(db, used)
    is_long = used.get("input", 0) + used.get("cached_input", 0) > LONG_CONTEXT
    lists = LONG_PRICES if is_long else PRICES
    for level in LEVELS:
        lines = [line for line in shown["lines"] if line["level"] == level]
        assert {line["class"]: line["quantity"] for line in lines} == used
        for line in lines:
            unit = Fraction(line["price"]) / 10**6
            assert (unit, line["per"]) == (Fraction(lists[level][line["class"]], 10**12), "million tokens")
            assert Fraction(line["amount"]) == unit * line["quantity"]
        total = shown["totals"][level]
        assert Fraction(total["sum"]) == sum(Fraction(line["amount"]) for line in lines)
        assert Fraction(total["amount"]) == Fraction(shown[level]) == Fraction(charge(level, used), 10**9)
        assert (total["matches"], total["fault"]) == (True, None)
        assert total["above_input"] == (LONG_CONTEXT if is_long else 0)
        assert total["effective_from"] == "2026-03-01T00:00:00.000000Z"
    assert shown["matches"] is True


async def test_an_alias_an_estimate_and_a_cap_are_told(db: Database) -> None:
    shown = await explained(db, {"input": 70}, usage_source="estimated", usage_capped=True)
    assert (shown["model"], shown["public_model"]) == ("aurora-fast", "gpt-test")
    assert (shown["usage_source"], shown["usage_capped"]) == ("estimated", True)
    shown_facts = _explained(shown)[0]
    columns = [list(column.cells) for column in shown_facts.columns]  # type: ignore[union-attr]
    told = dict(zip(*columns, strict=True))
    assert told["Retail prices from"] == "2026-03-01T00:00:00.000000Z, above 60 input tokens"
    assert told["Usage capped"] == "yes"


async def test_a_call_for_nothing_has_no_line_and_matches(db: Database) -> None:
    shown = await explained(db, {}, upstream=None, upstream_model=None, cost_version=None, status="failed")
    assert (shown["lines"], shown["matches"], shown["retail"]) == ([], True, "0.00")
    assert shown["totals"]["cost"]["price_version"] is None
