"""The example plugins, installed as packages: a call goes over one, a payment is taken through the other."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from reseller_kit.plugins import installed
from scripts._lib.bootstrap import ROOT
from tests.support.accounts import Visitor, problems
from tests.support.members import colleague
from tests.support.plugin_services import DEPLOYMENTS_KEY, PAYLINK_KEY, PAYLINK_SECRET, Deployments, Paylink, service
from tests.support.product import LITERALS, Shop, eventually, open_shop
from tests.support.wheels import installed_in

TEMPLATE = ROOT / "tests" / "support" / "plugin_shop.toml"
EXAMPLES = (ROOT / "examples" / "upstream-deployments", ROOT / "examples" / "payments-paylink")
BROKEN = 'raise RuntimeError("no licence for sk-proj-abcdefghijklmnopqrstuvwxyz")\n'
BILLING = "/account/billing"
HIDDEN = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')


@dataclass
class Plugged:
    """A storefront behind plugins, and the services at their other end."""

    shop: Shop
    deployments: Deployments
    paylink: Paylink
    site: Path

    @property
    def webhook(self) -> str:
        return f"http://{LITERALS['solaria']}:{self.shop.server.port}/webhooks/paylink"


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugged]:
    folder = tmp_path_factory.mktemp("plugins")
    site = installed_in(folder, *EXAMPLES)
    _package(site, "broken", BROKEN)
    sys.path.insert(0, str(site))
    deployments, paylink = Deployments(), Paylink()
    try:
        with service(deployments), service(paylink):
            template = folder / "plugin_shop.toml"
            text = TEMPLATE.read_text().replace("@deployments@", deployments.url).replace("@paylink@", paylink.url)
            template.write_text(text)
            environment = {
                "PYTHONPATH": os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH")))),
                "WEST_KEY": DEPLOYMENTS_KEY,
                "SOLARIA_PAY_KEY": PAYLINK_KEY,
                "SOLARIA_PAY_SECRET": PAYLINK_SECRET,
            }
            with open_shop(folder, template=template, environment=environment) as shop:
                yield Plugged(shop, deployments, paylink, site)
    finally:
        sys.path.remove(str(site))
        installed.forget()


def _package(site: Path, name: str, text: str) -> None:
    """A package with entry points in both groups, as an installer leaves it."""
    (site / f"{name}_plugin.py").write_text(text)
    info = site / f"{name}_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n")
    groups = ("reseller_kit.upstreams", "reseller_kit.payments")
    (info / "entry_points.txt").write_text("".join(f"[{group}]\n{name} = {name}_plugin:plugin\n" for group in groups))


class Buyer(Visitor):
    """A customer who buys and pays."""

    def __init__(self, plugged: Plugged, email: str) -> None:
        super().__init__(plugged.shop)
        self.email = email
        self.join(email)

    def buy(self) -> httpx.Response:
        chose = self.send(BILLING, package="sunbeam")
        assert chose.status_code == 303, problems(chose)
        page = self.get(chose.headers["location"])
        form = dict(HIDDEN.findall(page.text[page.text.index(f'action="{BILLING}/buy"') :]))
        self.confirmed = page
        return self.confirm(form)

    def confirm(self, form: dict[str, str]) -> httpx.Response:
        return self.http.post(f"{BILLING}/buy", data={**form, "accept": "yes"})

    def orders(self) -> list[dict[str, Any]]:
        found = self.shop.ask("order", "list", "--tenant", "solaria", "--customer", self.email)
        return list(found["orders"])

    def balance(self) -> str:
        return str(self.shop.ask("credit", "balance", "--tenant", "solaria", "--customer", self.email)["balance"])

    def reaches(self, state: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            order = self.orders()[0]
            return order if order["status"] == state else None

        return eventually(look, f"an order that is {state}", seconds=60)


def test_a_call_goes_over_the_plugin_and_is_charged_exactly(plugged: Plugged) -> None:
    customer = plugged.shop.customer()
    answer = plugged.shop.call(customer)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "Hello from the west."
    assert "/openai/deployments/team-mini/chat/completions" in plugged.deployments.seen
    record = plugged.shop.record(customer, answer.headers["x-request-id"])
    assert (record["upstream"], record["upstream_model"], record["usage_source"]) == ("west", "team-mini", "upstream")
    # 1000 × 0.25 + 500 × 2.00 per million at cost; × 1.1 wholesale, × 1.4 retail.
    assert (record["cost"], record["wholesale"], record["retail"]) == ("0.00125", "0.001375", "0.001925")
    said = f"{answer.text}{answer.headers}".replace("Hello from the west.", "")
    assert not any(word in said for word in ("west", "deployments", "team-mini")), said


def test_upstream_check_asks_through_the_plugin(plugged: Plugged) -> None:
    found = plugged.shop.ask("upstream", "check", "west")["upstreams"][0]
    assert [key["health"] for key in found["keys"]] == ["ok"], found
    assert "/openai/models" in plugged.deployments.seen


def test_a_payment_is_taken_and_given_back_through_the_plugin(plugged: Plugged) -> None:
    buyer = Buyer(plugged, "kim@solaria.example")
    led = buyer.buy()
    assert led.status_code == 303, problems(led)
    assert led.headers["location"].startswith(f"{plugged.paylink.url}/pay/")
    number = led.headers["location"].rpartition("/")[2]
    assert plugged.paylink.payments[number]["amount"] == 1000
    target = next(
        part for part in buyer.confirmed.headers["content-security-policy"].split(";") if "form-action" in part
    )
    assert plugged.paylink.url in target
    body = plugged.paylink.pay(number)
    assert plugged.paylink.deliver(plugged.webhook, body, secret="another") == 400
    assert [plugged.paylink.deliver(plugged.webhook, body) for _ in range(3)] == [200, 200, 200]
    order = buyer.reaches("activated")
    assert buyer.balance() == "12.00"
    page = buyer.get(f"{BILLING}/orders/{order['id']}")
    # Nothing but the way to the checkout tells who is asked.
    assert "paylink" not in page.text.replace(plugged.paylink.url, "").lower()
    plugged.shop.ask("order", "refund", order["id"], "--reason", "goodwill")
    buyer.reaches("refunded")
    assert (buyer.balance(), len(plugged.paylink.payments[number]["refunds"])) == ("0.00", 1)


def test_another_amount_is_not_credited_and_lost_deliveries_are_asked_for(plugged: Plugged) -> None:
    short = Buyer(plugged, "short@solaria.example")
    plugged.paylink.pay(short.buy().headers["location"].rpartition("/")[2], amount=100)
    silent = Buyer(plugged, "silent@solaria.example")
    plugged.paylink.pay(silent.buy().headers["location"].rpartition("/")[2])
    plugged.shop.try_("reconcile", "--provider", "paylink", "--tenant", "solaria")
    code, refused = plugged.shop.try_("reconcile", "--provider", "pailink")
    assert (code, "paylink" in refused["error"]["fix"]) == (2, True)
    silent.reaches("activated")
    short.reaches("review")
    assert (short.balance(), silent.balance()) == ("0.00", "12.00")


def test_a_plugin_that_fails_in_a_checkout_is_a_page_and_the_order_can_be_paid_later(plugged: Plugged) -> None:
    buyer = Buyer(plugged, "patient@solaria.example")
    plugged.paylink.senseless = True
    try:
        away = buyer.buy()
    finally:
        plugged.paylink.senseless = False
    assert away.status_code == 503
    assert "Nothing was charged: please try again in a moment." in away.text
    assert "KeyError" not in away.text
    assert [order["status"] for order in buyer.orders()] == ["draft"]
    # The same form once more, as the page gives it back, goes on with the order that is there.
    form = dict(HIDDEN.findall(away.text[away.text.index(f'action="{BILLING}/buy"') :]))
    led = buyer.confirm(form)
    assert led.status_code == 303, problems(led)
    assert led.headers["location"].startswith(f"{plugged.paylink.url}/pay/")
    assert [order["status"] for order in buyer.orders()] == ["checkout_open"]


def test_plan_says_what_is_wrong_with_plugins(plugged: Plugged) -> None:
    text = plugged.shop.text
    wrong = {
        'plugin = "deployments"': ('plugin = "deploymens"', "RK509", "upstreams.west.plugin"),
        '{ api_version = "2024-10-21" }': ('{ api_verson = "2024-10-21" }', "RK314", "upstreams.west"),
        'provider = "paylink"': ('provider = "broken"', "RK509", "tenants[0].payments.provider"),
        'webhook_secret = "env:SOLARIA_PAY_SECRET"': ("", "RK314", "tenants[0].payments"),
        'price = "10.00"': (
            'kind = "subscription"\n  period = "month"\n  price = "10.00"',
            "RK312",
            "tenants[0].packages[0].kind",
        ),
    }
    for given, (instead, code, path) in wrong.items():
        assert given in text
        found = _plan(plugged, text.replace(given, instead))
        assert (code, path) in {(one["code"], one["path"]) for one in found}, (given, found)
    broken = next(one for one in _plan(plugged, text.replace('"paylink"', '"broken"')) if one["code"] == "RK509")
    assert "RuntimeError: no licence" in broken["message"]
    assert "abcdefghij" not in broken["message"]
    misspelt = _plan(plugged, text.replace("{ api_version", "{ api_verson"))
    assert 'Did you mean "api_version"?' in {one["fix"] for one in misspelt}


def _plan(plugged: Plugged, text: str) -> list[dict[str, Any]]:
    file = plugged.shop.installation.folder / "wrong.toml"
    file.write_text(text)
    code, document = plugged.shop.try_("plan", "-f", str(file))
    assert code == 3, document
    return list(document["error"]["details"])


def test_the_console_shows_what_the_plugin_can_tell_and_keeps_it(plugged: Plugged) -> None:
    ada = colleague(plugged.shop)
    page = ada.get("/console/payments").text
    assert "Account at paylink" in page
    assert "0 of 2 done" in page or "1 of 2 done" in page
    assert "Checkout domain is approved" not in page
    assert "Packages are known there" not in page
    assert ada.send("/console/payments", do="try").status_code == 303
    assert "The credentials work." in ada.get("/console/payments?done=tried").text
    kept = {"environment": plugged.paylink.url, "checkout": "hosted"}
    assert ada.send("/console/payments", do="save", provider="paylink", **kept).status_code == 303
    # Which plugins there are is the operator's affair.
    assert ada.send("/console/payments", do="save", provider="broken", **kept).status_code == 422
    assert plugged.shop.ask("plan", "-f", str(plugged.shop.installation.folder / "tenants.toml"))["changes"] == []


def _well(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 200 else None


def test_a_plugin_that_breaks_later_takes_nothing_down(plugged: Plugged) -> None:
    # Both plugins fail in a process that starts now, as after an upgrade of one's package that went wrong.
    shop = plugged.shop
    customer = shop.customer()
    saved = {}
    for name in ("deployments_upstream", "paylink_payments"):
        file = plugged.site / name / "__init__.py"
        saved[file] = file.read_text()
        file.write_text("raise SystemExit(3)\n")
    try:
        with shop.installation.serving("127.0.0.2") as server:
            origin = f"http://127.0.0.2:{server.port}"
            reached = replace(customer, origin=origin, host=f"127.0.0.2:{server.port}")
            answer = eventually(lambda: _well(shop.call(reached)), "a call over the other route", seconds=60)
            assert shop.record(customer, answer.headers["x-request-id"])["upstream"] == "mainspring"
            assert shop.http.get(origin).status_code == 200
            assert plugged.paylink.deliver(f"{origin}/webhooks/paylink", b"{}") == 404
            checked = shop.installation.run("upstream", "check", "west", "--json")
            assert "SystemExit" in checked.json()["upstreams"][0]["keys"][0]["fault"]
            told = shop.installation.run("doctor", "--json").json()["findings"]
            assert {("DR115", "west"), ("DR241", "solaria")} <= {(one["code"], one["where"]) for one in told}, told
    finally:
        for file, content in saved.items():
            file.write_text(content)
