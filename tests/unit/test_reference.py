"""docs/reference/ says what the code says."""

from __future__ import annotations

from pathlib import Path

from scripts._lib import reference

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"


def test_the_reference_is_up_to_date() -> None:
    assert reference.stale(FOLDER) == [], "run scripts/reference"


def test_every_setting_command_error_and_finding_has_its_line() -> None:
    text = "".join(make() for make in reference.PAGES.values())
    for name in ("RESELLER_KIT_TRUSTED_PROXIES", "## key rotate", "`insufficient_quota`", "`RK315`", "`color.accent`"):
        assert name in text
    assert "NODEFAULT" not in text
