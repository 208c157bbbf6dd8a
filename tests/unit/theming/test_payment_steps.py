"""The checklist of the console's page of payments has what its provider can tell of, and nothing that stays open."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from reseller_kit.theming.console_payments import Domain, PaymentsView

TRIED = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("view", "steps"),
    [
        ({"provider": "paddle"}, {"connected": False, "seen": False, "approved": False, "synced": False}),
        ({"provider": "paylink", "plugin": True, "tries": False}, {"seen": False}),
        ({"provider": "paylink", "plugin": True, "tries": False, "missing": "x"}, {"connected": False, "seen": False}),
        ({"provider": "paylink", "plugin": True, "tried_at": TRIED}, {"connected": True, "seen": False}),
        (
            {
                "provider": "paylink",
                "plugin": True,
                "tries": False,
                "seen_at": TRIED,
                "domains": (Domain("a.example", "approved"),),
                "keeps_catalogue": True,
                "offered": 2,
                "known": 1,
            },
            {"seen": True, "approved": True, "synced": False},
        ),
    ],
)
def test_steps(view: dict[str, Any], steps: dict[str, bool]) -> None:
    made = PaymentsView(**view)
    assert made.steps == steps
    assert made.steps_done == sum(steps.values())
