"""No page of the console is without a guard, and every entry of its navigation leads somewhere."""

from __future__ import annotations

import pytest

from reseller_kit.core.roles import ROLES, TEAM_ROLES, may, may_make
from reseller_kit.theming.console import NAVIGATION, navigation_of
from tests.support.console_routes import DOORS, Route, console_routes

ROUTES = console_routes()
OWN = ("/console/profile",)
"""A member's own log-in: everybody changes it, and nobody else's."""


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_guarded(route: Route) -> None:
    assert route.path.startswith("/console")
    if route.path in DOORS:
        assert route.guards == ()
        return
    assert route.guards in {("entered",), ("logged_in",), ("member_may",)}, "the console has pages for members alone"
    if route.method != "GET" and not route.path.startswith(OWN):
        assert route.right is not None, "whoever changes something needs a right"
        assert route.edit, "a guard that lets readers in does not stand before a change"


def test_the_navigation_leads_to_pages_under_the_same_right() -> None:
    pages = {route.path: route for route in ROUTES if route.method == "GET"}
    for item in NAVIGATION:
        assert item.path in pages, item
        assert pages[item.path].right == item.right, item


def test_each_role_sees_what_it_may_open() -> None:
    for role in ROLES:
        for item in navigation_of(role):
            assert item.right is None or may(role, item.right)
    assert [item.path for item in navigation_of("operator")] == ["/console"]


def test_roles() -> None:
    assert may("owner", "payouts", edit=True)
    assert not may("admin", "payouts")
    assert may("finance", "credit", edit=True)
    assert may("finance", "prices")
    assert not may("finance", "prices", edit=True)
    assert may("support", "customers", edit=True)
    assert not may("support", "credit")
    assert may("support", "announcements")
    assert not may("support", "announcements", edit=True)
    assert not any(may("operator", right) for right in ("team", "brand", "audit"))
    assert not may("nobody", "brand")


def test_owners_are_made_by_owners_alone() -> None:
    assert [role for role in TEAM_ROLES if may_make("admin", role)] == ["admin", "finance", "support"]
    assert [role for role in TEAM_ROLES if may_make("owner", role)] == list(TEAM_ROLES)
    assert not any(may_make(role, "support") for role in ("finance", "support", "operator"))
    assert not may_make("owner", "operator")
