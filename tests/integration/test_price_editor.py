"""A reseller's price editor, against a database: what it shows, what a draft would do, publishing, going back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec import structs

from reseller_kit.core.errors import Conflict, InvalidManifest, InvalidRequest, NotFound
from reseller_kit.core.price_draft import RuleDraft
from reseller_kit.db.engine import Database, now_us
from reseller_kit.flows.price_editor import (
    Sheet,
    effect_of,
    hide_model,
    price_sheet,
    publish_draft,
    show_model,
)
from reseller_kit.flows.price_history import draft_before, price_changes
from reseller_kit.flows.provision.edit import problems_of
from reseller_kit.flows.schedule import NewChange, begin_due, schedule_price
from reseller_kit.flows.simulate import Period, outlook
from reseller_kit.flows.unlock import unlock
from tests.integration.test_price_simulation import used
from tests.support.provisioning import SECRET_KEY, applied, dump, edited, planned, shown

ACTOR = "member:ada@aurora.example"


async def publish(db: Database, sheet: Sheet, **changed: Any) -> None:
    draft = structs.replace(sheet.draft, **changed)
    await publish_draft(db, await unlock(db, SECRET_KEY), "aurora", draft, expected=sheet.mark, actor=ACTOR)


def retail(sheet: Sheet) -> dict[str, int]:
    return {one.model: one.lines[0].retail for one in sheet.models if not one.hidden}


async def test_what_is_published_is_what_was_shown(db: Database) -> None:
    await applied(db)
    sheet = await price_sheet(db, "aurora")
    wanted = structs.replace(sheet.draft, markup="50%", rules=(RuleDraft(match="gpt-5", prices={"input": "3.00"}),))
    before = await dump(db)
    effect = await effect_of(db, "aurora", wanted)
    assert await dump(db) == before
    foreseen = {(move.model, move.usage_class): move.new for move in effect.moves}
    assert foreseen["gpt-5", "input"] == 3_000_000
    await publish_draft(db, await unlock(db, SECRET_KEY), "aurora", wanted, expected=sheet.mark, actor=ACTOR)
    now = await price_sheet(db, "aurora")
    lines = {(one.model, line.usage_class): line.retail for one in now.models for line in one.lines}
    assert {key: lines[key] for key in foreseen} == foreseen
    assert (await effect_of(db, "aurora", now.draft)).moves == ()
    with pytest.raises(Conflict):
        await publish(db, sheet, markup="70%")
    assert shown(await planned(db)) == [("drift", "tenant", "aurora")]


async def test_nothing_shown_says_what_the_operator_pays(db: Database) -> None:
    await applied(db)
    sheet = await price_sheet(db, "aurora")
    effect = await effect_of(db, "aurora", structs.replace(sheet.draft, markup="50%"))
    lines = {(one.model, line.usage_class): line for one in sheet.models for line in one.lines}
    assert lines["gpt-5", "input"].paid == 1_375_000
    assert "1250000" not in repr(sheet) + repr(effect)
    assert "cost" not in repr(sheet) + repr(effect)


@pytest.mark.parametrize(
    ("changed", "path", "says"),
    [
        ({"markup": "-90%"}, "pricing.markup", "Retail lies below wholesale"),
        ({"markup": "much"}, "pricing.markup", "'much' is not a percentage. Write it like 40%."),
        ({"rules": (RuleDraft(match="gpt-5", prices={"images": "1"}),)}, "pricing.rules[0].images", "not charged by"),
        ({"aliases": (("fast", "zzz"),)}, "catalog.aliases.fast", "Choose one of the models that there are."),
        ({"notice_days": "soon"}, "pricing.notice_days", "number"),
        ({"rules": (RuleDraft(match="gpt-5", prices={"input": "0.01"}),)}, "pricing.rules[0].input", "0.01 <"),
        ({"rules": (RuleDraft(match=""),)}, "pricing.rules[0].match", ""),
        ({"aliases": (("fast", "gpt-55"),)}, "catalog.aliases.fast", 'Did you mean "gpt-5"?'),
    ],
)
async def test_what_cannot_be_published_is_told_at_its_field(
    db: Database, changed: dict[str, Any], path: str, says: str
) -> None:
    await applied(db)
    sheet = await price_sheet(db, "aurora")
    with pytest.raises(InvalidManifest) as refused:
        await publish(db, sheet, **changed)
    problems = problems_of(refused.value.details)
    assert list(problems) == [path]
    assert says in problems[path]
    assert not re.search(r"tenants|quotes|as a string| key |brackets|allow_loss|Define", problems[path])


@pytest.mark.parametrize(
    ("changed", "param"),
    [({"allow": ()}, "allow"), ({"allow": ("nothing-*",)}, "allow"), ({"deny": ("*",)}, "deny")],
)
async def test_no_draft_withdraws_every_model(db: Database, changed: dict[str, Any], param: str) -> None:
    await applied(db)
    sheet = await price_sheet(db, "aurora")
    with pytest.raises(InvalidRequest, match="every model") as refused:
        await effect_of(db, "aurora", structs.replace(sheet.draft, **changed))
    assert refused.value.param == param
    with pytest.raises(InvalidRequest):
        await publish(db, sheet, **changed)
    assert retail(await price_sheet(db, "aurora")) == retail(sheet)


async def test_losses_are_published_where_they_are_allowed(db: Database) -> None:
    await applied(db)
    await publish(db, await price_sheet(db, "aurora"), markup="-10%", allow_loss=True)
    assert (await price_sheet(db, "aurora")).draft.markup == "-10%"


async def test_models_are_hidden_and_shown(db: Database) -> None:
    await applied(db)
    vault = await unlock(db, SECRET_KEY)
    await hide_model(db, vault, "aurora", "gpt-5", actor=ACTOR)
    sheet = await price_sheet(db, "aurora")
    assert [one.model for one in sheet.models if one.hidden] == ["gpt-5"]
    assert next(one for one in sheet.models if one.hidden).lines[0].retail == 1_925_000
    with pytest.raises(NotFound):
        await hide_model(db, vault, "aurora", "gpt-5", actor=ACTOR)
    await show_model(db, vault, "aurora", "gpt-5", actor=ACTOR)
    assert not [one for one in (await price_sheet(db, "aurora")).models if one.hidden]
    await publish(db, await price_sheet(db, "aurora"), deny=("gpt-5*",))
    with pytest.raises(Conflict):
        await show_model(db, vault, "aurora", "gpt-5", actor=ACTOR)


async def test_every_change_can_be_gone_back_behind(db: Database) -> None:
    await applied(db)
    first = await price_sheet(db, "aurora")
    await publish(db, first, markup="50%", aliases=(*first.draft.aliases, ("aurora-best", "gpt-5")))
    soon = now_us() + 1_000_000
    new = NewChange(effective_from=soon, match="gpt-5", markup_ppm=900_000, prices={}, allow_loss=False)
    await schedule_price(db, "aurora", new, ACTOR)
    assert await begin_due(db, soon + 1) == 1
    await publish(db, await price_sheet(db, "aurora"), markup="60%", rules=())
    changes, more = await price_changes(db, "aurora")
    assert not more
    assert [change.actor for change in changes] == [ACTOR, "schedule", ACTOR]
    assert changes[0].fields["pricing.markup"] == ("50%", "60%")
    drafts = [await draft_before(db, "aurora", change.id) for change in changes]
    assert drafts[0].rules[0] == RuleDraft(match="gpt-5", markup="90%")
    assert (drafts[1].markup, drafts[1].rules) == ("50%", first.draft.rules)
    assert drafts[2] == first.draft
    now = await price_sheet(db, "aurora")
    vault = await unlock(db, SECRET_KEY)
    await publish_draft(db, vault, "aurora", drafts[2], expected=now.mark, actor=ACTOR)
    assert retail(await price_sheet(db, "aurora")) == retail(first)
    with pytest.raises(NotFound):
        await draft_before(db, "nocturne", changes[0].id)


async def test_past_calls_are_charged_at_the_draft_s_prices(db: Database) -> None:
    await applied(db)
    await used(db)
    sheet = await price_sheet(db, "aurora")
    effect = await effect_of(db, "aurora", structs.replace(sheet.draft, markup="80%"))
    now = now_us()
    period = Period(now - 3_600_000_000, now + 1)
    found = await outlook(db, "aurora", effect.now, effect.then, period)
    assert (found.calls, found.left_out, found.complete) == (3, 0, True)
    assert found.total.retail_then > found.total.retail_now > found.total.wholesale > 0
    hidden = await effect_of(db, "aurora", structs.replace(sheet.draft, deny=("gpt-5",)))
    found = await outlook(db, "aurora", hidden.now, hidden.then, period)
    assert (found.calls, found.left_out) == (0, 3)


async def test_no_leave_of_a_reseller_waives_the_operators_floor(db: Database) -> None:
    floor = edited(("[wholesale]\n", '[wholesale]\nretail_floor = "10%"\n'))
    await applied(db, floor)
    sheet = await price_sheet(db, "aurora")
    assert sheet.floor == 100_000
    low = RuleDraft(match="gpt-5", prices={"input": "1.50"}, allow_loss=True)
    for changed, path in (
        ({"markup": "9.9%", "rules": (), "allow_loss": True}, "pricing.markup"),
        ({"rules": (low,), "allow_loss": True}, "pricing.rules[0].input"),
    ):
        with pytest.raises(InvalidManifest) as refused:
            await publish(db, sheet, **changed)
        told = problems_of(refused.value.details)[path]
        assert "below the least markup of 10% on wholesale: gpt-5" in told
        assert told.endswith("Raise it: your terms allow no less.")
    later = NewChange(effective_from=now_us() + 10**9, match=None, markup_ppm=90_000, prices={}, allow_loss=True)
    with pytest.raises(InvalidRequest, match="least markup of 10%") as scheduled:
        await schedule_price(db, "aurora", later, ACTOR)
    assert scheduled.value.fix == "Raise the price."
    await publish(db, sheet, markup="10%", rules=(), allow_loss=True)
    with pytest.raises(InvalidManifest) as refused:
        await applied(db, edited(('retail_floor = "10%"', 'retail_floor = "12%"'), text=floor))
    assert [one["code"] for one in refused.value.details if one["level"] == "error"] == ["RK406"]
