"""The list of seeded bugs stays honest: each still applies, says something, and is looked for by tests that exist."""

from __future__ import annotations

from collections import Counter

import pytest

from scripts._lib import mutations
from scripts._lib.bootstrap import ROOT
from scripts._lib.mutations import Mutation, StaleMutation, Verdict

EVERY = mutations.load()
SAMPLE = Mutation(area="ledger", bug="one too many", file="a.py", old="x + 1", new="x + 2", tests=(("tests/unit",),))


@pytest.mark.parametrize("mutation", EVERY, ids=lambda mutation: f"{mutation.area}: {mutation.bug}"[:80])
def test_a_mutation_still_applies_to_valid_code(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text()
    changed = mutation.apply(text)
    assert changed != text
    compile(changed, mutation.file, "exec")


def test_the_list_is_long_and_covers_every_part_that_moves_money() -> None:
    assert len(EVERY) >= 100
    files = {mutation.file for mutation in EVERY}
    assert {
        "reseller_kit/core/ledger/decide.py",
        "reseller_kit/core/ledger/lots.py",
        "reseller_kit/core/ledger/move.py",
        "reseller_kit/core/ledger/state.py",
        "reseller_kit/core/money.py",
        "reseller_kit/core/pricing.py",
        "reseller_kit/core/usage.py",
        "reseller_kit/db/ledger/batch.py",
        "reseller_kit/db/ledger/cold.py",
        "reseller_kit/db/ledger/cold_postgres.py",
        "reseller_kit/db/ledger/cold_sqlite.py",
        "reseller_kit/db/ledger/postgres.py",
        "reseller_kit/db/ledger/sqlite.py",
        "reseller_kit/flows/call/admit.py",
        "reseller_kit/flows/call/settle.py",
        "reseller_kit/flows/sweep.py",
    } <= files


def test_no_bug_is_listed_twice() -> None:
    assert [bug for bug, count in Counter((m.file, m.old, m.new) for m in EVERY).items() if count > 1] == []


def test_the_tests_that_must_notice_exist() -> None:
    named = {path for mutation in EVERY for stage in mutation.tests for path in stage}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("text", ["", "x + 1 or x + 1"])
def test_a_mutation_whose_text_has_gone_or_is_not_the_only_one_is_stale(text: str) -> None:
    with pytest.raises(StaleMutation, match="one too many"):
        SAMPLE.apply(text)
    assert SAMPLE.apply("y = x + 1") == "y = x + 2"


def test_survivors_are_named_under_the_table() -> None:
    shown = mutations.table([Verdict(SAMPLE, None, 1.0), Verdict(SAMPLE, "tests/unit", 1.0)])
    assert shown.splitlines()[1].split() == ["ledger", "1", "1"]
    assert shown.splitlines()[2] == "SURVIVED  a.py: one too many"
