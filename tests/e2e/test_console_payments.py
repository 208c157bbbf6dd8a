"""The console's page of payments: set up, tried, never shown again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.accounts import problems
from tests.support.members import colleague
from tests.support.paddle_double import API_KEY, SECRET
from tests.support.paddle_shop import Customer, PaddleShop, paddle_shop

PAGE = "/console/payments"
MANUAL = {"provider": "manual", "environment": "sandbox", "checkout": "hosted"}


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaddleShop]:
    with paddle_shop(tmp_path_factory.mktemp("console")) as running:
        yield running


def test_from_by_hand_to_the_provider_and_back(paid: PaddleShop) -> None:
    ada = colleague(paid.shop)
    by_hand = {**MANUAL, "environment": paid.double.url, "instructions": "Pay **us**."}
    assert ada.send(PAGE, do="save", **by_hand).status_code == 303
    kim = Customer(paid.shop)
    order = kim.buy(package="sunbeam").headers["location"]
    assert order.startswith("/account/billing/orders/")
    assert "<strong>us</strong>" in kim.get(order).text

    wrong = ada.send(
        PAGE, do="save", provider="paddle", environment=paid.double.url, checkout="hosted", api_key="pdl_wrong_key"
    )
    assert wrong.status_code == 303, problems(wrong)
    assert ada.send(PAGE, do="try").status_code == 303
    refused = ada.get(f"{PAGE}?done=tried").text
    assert "The provider refused" in refused
    assert "pdl_wrong_key" not in refused

    right = {"provider": "paddle", "environment": paid.double.url, "checkout": "overlay", "client_token": "test_1"}
    assert ada.send(PAGE, do="save", **right, api_key=API_KEY, webhook_secret=SECRET).status_code == 303
    fresh = ada.get(PAGE).text
    assert "Not tried" in fresh
    ada.send(PAGE, do="try")
    assert ada.send(PAGE, do="sync").headers["location"] == f"{PAGE}?done=syncing"
    page = ada.get(f"{PAGE}?done=tried").text
    assert "The credentials work" in page
    assert "fingerprint" in page
    for secret in (API_KEY, SECRET):
        assert secret not in page
    assert f"http://127.0.0.2:{paid.shop.server.port}/webhooks/paddle" in page
    assert kim.buy(package="sunbeam").headers["location"].endswith("/pay")
    # The file's own value is kept as what apply knows, and the difference shows.
    assert [line["action"] for line in paid.shop.apply(paid.shop.text)] == []


def test_what_cannot_be_is_said_at_its_field(paid: PaddleShop) -> None:
    ada = colleague(paid.shop)
    bad = {"provider": "paddle", "environment": "https://evil.example", "checkout": "overlay"}
    answer = ada.send(PAGE, do="save", **bad)
    assert answer.status_code == 422
    assert "environment" in problems(answer)
    # Programs of this machine trust whoever reaches them: only the operator's file leads there.
    near = ada.send(PAGE, do="save", **{**MANUAL, "environment": f"http://127.0.0.1:{paid.shop.server.port}"})
    assert "environment" in problems(near)
    assert problems(ada.send(PAGE, do="save", **{**MANUAL, "provider": "stripe"}))
    assert problems(ada.send(PAGE, do="save", **MANUAL, api_key="two words"))
    assert problems(ada.send(PAGE, do="save", **MANUAL, checkout_url="javascript:alert(1)"))


def test_who_may_see_and_change_it(paid: PaddleShop) -> None:
    assert colleague(paid.shop, role="support").get(PAGE).status_code == 403
    assert colleague(paid.shop, role="finance").get(PAGE).status_code == 200
    shared = colleague(paid.shop, "lunaris").get(PAGE).text
    assert "Paid through the platform" in shared
    assert 'name="api_key"' not in shared
