from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.web.guards import HOME, safe_next


@pytest.mark.parametrize("target", ["/account", "/account/keys?x=1", "/models", "/pricing#top"])
def test_a_path_of_the_storefront_is_gone_on_to(target: str) -> None:
    assert safe_next(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        None,
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/ /evil.example",
        "/\tevil",
        "javascript:alert(1)",
        "account",
        "/login?next=/login",
        "/logout",
        "/a\r\nset-cookie: x=y",
        "/\N{FULLWIDTH SOLIDUS}evil.example",
        "/" + "a" * 600,
    ],
)
def test_anything_else_leads_to_the_account(target: str | None) -> None:
    assert safe_next(target) == HOME


@given(st.text())
def test_no_text_leads_elsewhere(target: str) -> None:
    found = safe_next(target)
    assert found.startswith("/")
    assert not found.startswith("//")
    assert "\\" not in found
    assert found.isascii()
    assert found.isprintable()
