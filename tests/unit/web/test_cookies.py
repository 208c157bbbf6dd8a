"""The guard of forms: hidden anew in every answer, and known again."""

from __future__ import annotations

import pytest

from reseller_kit.web.cookies import masked, proves

GUARD = bytes(range(16))


def test_a_guard_is_known_under_any_mask() -> None:
    shown = {masked(GUARD) for _ in range(50)}
    assert len(shown) == 50
    assert all(proves(text, GUARD) for text in shown)
    assert not any(proves(text, GUARD[::-1]) for text in shown)
    assert not any(GUARD.hex() in text for text in shown)


@pytest.mark.parametrize(
    "text", ["", "0" * 64, GUARD.hex(), GUARD.hex() * 2, masked(GUARD)[:-2], masked(GUARD) + "00", "ü" * 64, "x" * 64]
)
def test_nothing_else_proves_it(text: str) -> None:
    assert not proves(text, GUARD)


def test_where_no_guard_was_shown_nothing_proves_it() -> None:
    assert masked(b"") == ""
    assert not proves("", b"")
    assert not proves(masked(GUARD), b"")
