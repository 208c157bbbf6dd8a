from __future__ import annotations

import pytest

from reseller_kit.theming.console import NAVIGATION, PLATFORM_NAVIGATION, current_of
from reseller_kit.theming.platform import TenantRow


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/console", "/console"),
        ("/console/team", "/console/team"),
        ("/console/pricing/history", "/console/pricing"),
        ("/console/profile", ""),
        ("/console/teams", ""),
    ],
)
def test_the_entry_that_a_page_lies_under(path: str, current: str) -> None:
    assert current_of(path, NAVIGATION) == current


def test_on_the_platform_too() -> None:
    assert current_of("/", PLATFORM_NAVIGATION) == "/"
    assert current_of("/tenants/solaria", PLATFORM_NAVIGATION) == ""
    assert current_of("/audit", PLATFORM_NAVIGATION) == "/audit"


@pytest.mark.parametrize(
    ("tried", "failed", "said"),
    [
        (0, 0, "none"),
        (100, 0, "ok"),
        (100, 1, "ok"),
        (100, 2, "some"),
        (100, 19, "some"),
        (100, 20, "many"),
        (1, 1, "many"),
    ],
)
def test_how_calls_went(tried: int, failed: int, said: str) -> None:
    row = TenantRow(
        slug="x", name="X", state="active", hosts=(), customers=0, settlement="prepaid", balance=0, low=False,
        calls=0, retail=0, wholesale=0, margin=0, tried=tried, failed=failed,
    )  # fmt: skip
    assert row.failing == said
