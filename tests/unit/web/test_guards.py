from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit import theming
from reseller_kit.web.account import account_handlers
from reseller_kit.web.console import console_handlers
from reseller_kit.web.guards import HOME, open_storefront, safe_next, see_other
from reseller_kit.web.pages import Pages
from reseller_kit.web.platform import platform_handlers
from reseller_kit.web.viewing import look_only


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


@pytest.mark.parametrize(
    ("path", "header"), [("/a?b=c&d=1%25#e", "/a?b=c&d=1%25#e"), ("/€\r\nx: y", "/%E2%82%AC%0D%0Ax:%20y")]
)
def test_a_redirect_is_one_header_whatever_it_names(path: str, header: str) -> None:
    assert see_other(path).headers["location"] == header


def test_no_guard_costs_a_page_a_trip_to_a_thread() -> None:
    """Litestar runs a plain function in a thread, for every page; there are two or three guards a page."""
    pages = Pages(theming.load(), 8000)
    handlers = [*account_handlers(pages), *console_handlers(pages), *platform_handlers(pages)]
    guards = {open_storefront, look_only, *(guard for handler in handlers for guard in handler.guards or ())}
    assert [guard for guard in guards if not inspect.iscoroutinefunction(guard)] == []
