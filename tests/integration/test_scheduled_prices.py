"""Prices that begin later: published ahead, re-derived when costs move, held back when they would lose money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import select, update

from reseller_kit.core.catalog import PriceList
from reseller_kit.core.errors import Conflict, InvalidRequest, KitError, NotFound
from reseller_kit.core.ids import new_id
from reseller_kit.core.paging import window
from reseller_kit.core.times import DAY_US
from reseller_kit.db import prices, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.flows import provision, snapshot
from reseller_kit.flows.doctor import examine_tenant
from reseller_kit.flows.prices import price_history
from reseller_kit.flows.schedule import NewChange, Scheduled, begin_due, cancel_price, list_scheduled, schedule_price
from reseller_kit.flows.unlock import unlock
from tests.support.provisioning import SECRET_KEY, applied, dump, edited, planned

HOUR_US = 3_600_000_000
EVERYTHING = window(1000, None)


def change(effective_from: int, **terms: Any) -> NewChange:
    defaults: dict[str, Any] = {"match": None, "markup_ppm": None, "prices": {}, "allow_loss": False}
    return NewChange(effective_from=effective_from, **{**defaults, **terms})


async def schedule(db: Database, moment: int, slug: str = "aurora", **terms: Any) -> Scheduled:
    return await schedule_price(db, slug, change(moment, **terms), "test")


async def lists_at(db: Database, slug: str, moment: int) -> dict[str, tuple[PriceList, PriceList]]:
    """Model → (wholesale, retail) in force at a moment."""
    async with db.read(EVERY_TENANT) as connection:
        tenant = await tenants.find(connection, slug)
        assert tenant is not None
        rows = await prices.in_force(connection, tenant.id, moment)
    return {row.model: (row.wholesale, row.retail) for row in rows}


async def retail_at(db: Database, moment: int, model: str = "gpt-5", slug: str = "aurora") -> Mapping[str, int]:
    return (await lists_at(db, slug, moment))[model][1].prices


async def states(db: Database) -> list[str]:
    return [row.state for row in (await list_scheduled(db, "aurora", EVERYTHING)).items]


def at(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    """Plan and apply run at this moment."""
    monkeypatch.setattr(provision, "now_us", lambda: moment)


async def test_what_is_scheduled_holds_from_its_moment_and_not_before(db: Database) -> None:
    await applied(db)
    moment = now_us() + HOUR_US
    before = await lists_at(db, "aurora", moment)
    others = await lists_at(db, "nocturne", moment)
    made = await schedule(db, moment, markup_ppm=500_000)
    assert await lists_at(db, "aurora", moment - 1) == before
    after = await lists_at(db, "aurora", moment)
    # Wholesale of gpt-5 is 1.375; a rule of its own decides on claude and half of gpt-5-mini.
    assert after["gpt-5"][1].prices["input"] == 1_375_000 * 3 // 2
    assert after["claude-sonnet-4-5"] == before["claude-sonnet-4-5"]
    assert after["gpt-5-mini"][1].prices["input"] == before["gpt-5-mini"][1].prices["input"]
    assert after["gpt-5-mini"][1].prices["cached_input"] == 27_500 * 3 // 2
    assert {name: lists[0] for name, lists in after.items()} == {name: lists[0] for name, lists in before.items()}
    assert await lists_at(db, "nocturne", moment) == others
    assert {line.model for line in made.lines} == {"gpt-5", "gpt-4.1", "gpt-5-mini"}
    assert {line.retail for line in made.lines if (line.model, line.usage_class) == ("gpt-5", "input")} == {2_062_500}


async def test_a_rule_that_begins_later_takes_the_place_of_its_like(db: Database) -> None:
    await applied(db)
    moment = now_us() + HOUR_US
    await schedule(db, moment, match="gpt-5-mini", prices={"output": 5_000_000})
    after = await retail_at(db, moment, "gpt-5-mini")
    assert after["output"] == 5_000_000
    assert after["input"] == 275_000 * 14 // 10


async def test_a_cancelled_change_never_begins(db: Database) -> None:
    await applied(db)
    moment = now_us() + HOUR_US
    before = await lists_at(db, "aurora", moment)
    made = await schedule(db, moment, markup_ppm=500_000)
    cancelled = await cancel_price(db, "aurora", made.change.id, "test")
    assert cancelled.state == "cancelled"
    assert await lists_at(db, "aurora", moment + DAY_US) == before
    assert await begin_due(db, moment) == 0
    with pytest.raises(Conflict, match="cancelled already"):
        await cancel_price(db, "aurora", made.change.id, "test")
    for foreign in ("nocturne", "aurora"):
        with pytest.raises(NotFound):
            await cancel_price(db, foreign, made.change.id if foreign == "nocturne" else new_id("sch"), "test")


async def test_several_changes_follow_one_another(db: Database) -> None:
    await applied(db)
    now = now_us()
    first, second = now + HOUR_US, now + 2 * HOUR_US
    await schedule(db, second, markup_ppm=1_000_000)
    made = await schedule(db, first, markup_ppm=500_000)
    assert (await retail_at(db, first))["input"] == 2_062_500
    assert (await retail_at(db, second))["input"] == 2_750_000
    await cancel_price(db, "aurora", made.change.id, "test")
    assert (await retail_at(db, first))["input"] == 1_375_000 * 14 // 10
    assert (await retail_at(db, second))["input"] == 2_750_000


async def test_history_tells_what_is_to_come_and_what_was_overtaken(db: Database) -> None:
    from reseller_kit.flows.price_shapes import version_status

    await applied(db)
    moment = now_us() + HOUR_US

    async def retail() -> list[str]:
        rows = (await price_history(db, "aurora", "gpt-5", EVERYTHING)).items
        return [version_status(row, now_us()) for row in rows if row.level == "retail"]

    made = await schedule(db, moment, markup_ppm=500_000)
    assert await retail() == ["scheduled", "in force"]
    await cancel_price(db, "aurora", made.change.id, "test")
    assert await retail() == ["scheduled", "superseded", "in force"]
    limited = await price_history(db, "aurora", "gpt-5", window(1, None))
    again = await price_history(db, "aurora", "gpt-5", window(100, limited.next_cursor))
    assert [row.id for row in (*limited.items, *again.items)] == [
        row.id for row in (await price_history(db, "aurora", "gpt-5", EVERYTHING)).items
    ]


async def test_a_change_survives_apply_and_follows_the_cost(db: Database) -> None:
    await applied(db)
    moment = now_us() + HOUR_US
    await schedule(db, moment, markup_ppm=500_000)
    dearer = edited(('input = "1.25"', 'input = "1.50"'))
    foretold = await planned(db, dearer)
    moves = [later.move for later in foretold.scheduled]
    moves = [move for move in moves if (move.model, move.usage_class) == ("gpt-5", "input")]
    assert [(move.tenant, move.before, move.after) for move in moves] == [
        (
            "aurora",
            {"wholesale": "1.65", "retail": "2.31", "margin": "0.66"},
            {"wholesale": "1.65", "retail": "2.475", "margin": "0.825"},
        )
    ]
    assert foretold.republished
    done = await applied(db, dearer)
    assert done.scheduled == foretold.scheduled
    assert (await retail_at(db, moment - 1))["input"] == 2_310_000
    assert (await retail_at(db, moment))["input"] == 2_475_000
    before = await dump(db)
    assert not (await applied(db, dearer)).pending
    assert await dump(db) == before
    assert await states(db) == ["waiting"]


async def test_a_change_begins_once_and_is_drift_from_then_on(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await applied(db)
    moment = now_us() + HOUR_US
    await schedule(db, moment, markup_ppm=500_000)
    await schedule(db, moment, match="gpt-4.1", markup_ppm=900_000)
    assert await begin_due(db, moment - 1) == 0
    versions = (await dump(db))["price_version"]
    assert await begin_due(db, moment) == 2
    assert await begin_due(db, moment) == 0
    assert (await dump(db))["price_version"] == versions
    assert await states(db) == ["begun", "begun"]
    at(monkeypatch, moment + HOUR_US)
    found = await planned(db)
    (drift,) = [entry for entry in found.changes if entry.action == "drift"]
    assert drift.fields["pricing.markup"] == {"old": "40%", "new": "50%"}
    assert drift.fields["pricing.rules"]["new"][0] == {"match": "gpt-4.1", "markup": "90%"}
    assert not found.pending
    # The file's own change of the same field goes first, and --reset-drift restores what the file says.
    await applied(db, edited(('markup = "40%"', 'markup = "45%"')))
    assert (await retail_at(db, moment + HOUR_US))["input"] == 1_375_000 * 145 // 100
    await applied(db, edited(('markup = "40%"', 'markup = "45%"')), reset_drift=True)
    assert (await retail_at(db, moment + HOUR_US, "gpt-4.1"))["input"] == 2_200_000 * 145 // 100


async def test_apply_lets_begin_what_no_server_did(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await applied(db)
    moment = now_us() + HOUR_US
    await schedule(db, moment, markup_ppm=500_000)
    at(monkeypatch, moment + 1)
    foretold = await planned(db)
    assert not foretold.pending
    assert await states(db) == ["waiting"]
    await applied(db)
    assert await states(db) == ["begun"]
    assert (await retail_at(db, moment + 1))["input"] == 2_062_500


async def test_a_change_that_would_lose_money_needs_leave(db: Database) -> None:
    await applied(db)
    moment = now_us() + HOUR_US
    before = await dump(db)
    with pytest.raises(InvalidRequest, match=r"below wholesale: gpt-5 cache_write 1\.2375 < 1\.375"):
        await schedule(db, moment, match="gpt-5", markup_ppm=-100_000)
    with pytest.raises(InvalidRequest, match="below wholesale"):
        await schedule(db, moment, match="gpt-5", prices={"output": 1})
    assert await dump(db) == before
    await schedule(db, moment, match="gpt-5", markup_ppm=-100_000, allow_loss=True)
    assert (await retail_at(db, moment))["input"] == 1_237_500


async def test_a_change_that_a_risen_cost_overtakes_is_held_back(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await applied(db)
    moment = now_us() + HOUR_US
    made = await schedule(db, moment, match="gpt-5", prices={"input": 1_400_000, "output": 12_000_000})
    dearer = edited(('input = "1.25"', 'input = "1.50"'))
    done = await applied(db, dearer)
    (warning,) = [finding for finding in done.warnings if finding.code == "RK505"]
    assert "gpt-5 input 1.40 < 1.65" in warning.message
    assert made.change.id in warning.fix
    assert (await retail_at(db, moment))["input"] == 1_650_000 * 14 // 10
    assert await begin_due(db, moment) == 1
    assert await states(db) == ["held"]
    assert (await retail_at(db, moment + DAY_US))["input"] == 1_650_000 * 14 // 10
    _, complaints = await examine_tenant(db, "aurora")
    (complaint,) = [found for found in complaints if found.code == "DR211"]
    assert "below wholesale" in complaint.message
    at(monkeypatch, moment + HOUR_US)
    assert not (await planned(db, dearer)).pending


async def test_a_cost_that_falls_again_lets_a_waiting_change_go_on(db: Database) -> None:
    await applied(db)
    moment = now_us() + HOUR_US
    await schedule(db, moment, match="gpt-5", prices={"input": 1_400_000})
    await applied(db, edited(('input = "1.25"', 'input = "1.50"')))
    assert (await retail_at(db, moment))["input"] == 2_310_000
    await applied(db)
    assert (await retail_at(db, moment))["input"] == 1_400_000


@pytest.mark.parametrize(
    ("offset", "terms", "said"),
    [
        (-1, {"markup_ppm": 500_000}, "is past"),
        (0, {"markup_ppm": 500_000}, "is past"),
        (4000 * DAY_US, {"markup_ppm": 500_000}, "ten years"),
        (HOUR_US, {}, "Nothing is to change"),
        (HOUR_US, {"prices": {"input": 1}}, "needs the models"),
        (HOUR_US, {"match": "nothing-*", "markup_ppm": 500_000}, "does not offer a model 'nothing-\\*'"),
        (HOUR_US, {"match": "gpt-5", "prices": {"images": 1}}, "whose cost does not name it"),
        (HOUR_US, {"markup_ppm": 400_000}, "would change no price"),
        (HOUR_US, {"match": "gpt-5", "markup_ppm": 400_000}, "would change no price"),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused_and_leaves_nothing(
    db: Database, offset: int, terms: dict[str, Any], said: str
) -> None:
    await applied(db)
    before = await dump(db)
    with pytest.raises(KitError, match=said):
        await schedule(db, now_us() + offset, **terms)
    assert await dump(db) == before


async def test_a_snapshot_knows_what_is_to_come(db: Database) -> None:
    await applied(db)
    vault = await unlock(db, SECRET_KEY)
    assert (await snapshot.load(db, vault)).good_until is None
    moment = now_us() + HOUR_US
    made = await schedule(db, moment, markup_ppm=500_000)
    found = await snapshot.load(db, vault)
    aurora = found.hosts["aurora.localhost"].storefront
    assert found.good_until == moment
    assert aurora.models["gpt-5"].retail.price_list.prices["input"] == 1_925_000
    assert [(later.effective_from, later.price_list.prices["input"]) for later in aurora.later["gpt-5"]] == [
        (moment, 2_062_500)
    ]
    assert "claude-sonnet-4-5" not in aurora.later
    await cancel_price(db, "aurora", made.change.id, "test")
    assert (await snapshot.load(db, vault)).hosts["aurora.localhost"].storefront.later == {}


async def test_a_withdrawn_model_is_left_alone(db: Database) -> None:
    """A model that is not published for a tenant is not published by a schedule either: that is apply's to do."""
    await applied(db)
    moment = now_us() + HOUR_US
    await schedule(db, moment, markup_ppm=500_000)
    assert set(await lists_at(db, "nocturne", moment)) == set(await lists_at(db, "nocturne", moment - 1))


async def test_a_cost_that_only_the_catalogue_states_is_taken_as_it_was_applied(db: Database) -> None:
    await applied(db)
    async with db.write(EVERY_TENANT) as connection:
        for name, settings in (await connection.execute(select(t.model.c.name, t.model.c.settings))).all():
            bare = {key: value for key, value in settings.items() if key != "cost"}
            await connection.execute(update(t.model).where(t.model.c.name == name).values(settings=bare))
    moment = now_us() + HOUR_US
    await schedule(db, moment, markup_ppm=500_000)
    assert (await retail_at(db, moment))["input"] == 2_062_500
    assert await begin_due(db, moment) == 1
    assert (await retail_at(db, moment + HOUR_US))["input"] == 2_062_500
