"""The language of a page: what was chosen, then what the browser asks for, then the storefront's first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.web.pages.language import choose

OFFERED = ("en", "de", "pt-BR", "zh")


@pytest.mark.parametrize(
    ("chosen", "accept", "language"),
    [
        ((), "", "en"),
        (("de",), "zh", "de"),
        ((None, "zh"), "de", "zh"),
        (("xx", "de"), "", "de"),
        (("DE-at",), "", "de"),
        ((), "fr-CH, fr;q=0.9, de;q=0.8, en;q=0.7", "de"),
        ((), "de;q=0, pt", "pt-BR"),
        ((), "pt-PT;q=0.4, zh-Hans-CN;q=0.5", "zh"),
        ((), "de;q=2, zh;q=x, *;q=0.5", "en"),
        ((), "en;q=0.1;q=0.9, de;q=0.5", "de"),
    ],
)
def test_the_first_wish_that_can_be_met_is(chosen: tuple[str | None, ...], accept: str, language: str) -> None:
    assert choose(OFFERED, *chosen, accept=accept) == language


@given(st.text(max_size=40), st.text(max_size=2_000))
def test_whatever_is_asked_one_of_those_offered_comes(wish: str, accept: str) -> None:
    assert choose(OFFERED, wish, accept=accept) in OFFERED
