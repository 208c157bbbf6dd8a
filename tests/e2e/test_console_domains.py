"""A reseller brings a domain along in its console: from the form to a live storefront, and away again."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.support.dns_double import DnsDouble, dns_double
from tests.support.members import Colleague
from tests.support.product import Shop, eventually, open_shop

HOST = "chat.lunar.example"
PAGE = f"/console/domains/{HOST}"


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsDouble]:
    with dns_double() as double:
        double.set("lunaris.stalls.localhost", "A", "192.0.2.10")
        yield double


@pytest.fixture(scope="module")
def shop(dns: DnsDouble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    environment = {"RESELLER_KIT_DNS_SERVERS": dns.setting}
    with open_shop(tmp_path_factory.mktemp("shop-with-domains"), None, environment=environment) as opened:
        yield opened


@pytest.fixture(scope="module")
def admin(shop: Shop) -> Colleague:
    colleague = Colleague(shop, "lunaris")
    colleague.accept(colleague.invite())
    return colleague


def act(admin: Colleague, path: str, **fields: str) -> httpx.Response:
    """Send a form and go where its answer leads."""
    answer = admin.send(path, **fields)
    assert answer.status_code == 303, answer.text
    return admin.get(answer.headers["location"])


def shown(page: str, kind: str) -> str:
    """The value of the record of this kind that the page says to set."""
    section = page.partition('id="set"')[2]
    found = re.search(
        rf'aria-label="{kind}".*?Value</dt><dd data-copy-from><code data-copy-text>([^<]+)<', section, re.DOTALL
    )
    assert found is not None, kind
    return html.unescape(found[1])


def test_a_domain_from_the_form_to_its_storefront_and_away(shop: Shop, admin: Colleague, dns: DnsDouble) -> None:
    added = act(admin, "/console/domains", host=f"https://{HOST.upper()}/start", role="storefront")
    assert added.url.path == PAGE
    assert "Waiting for proof" in added.text
    assert f"_storefront-challenge.{HOST}" in added.text
    assert shown(added.text, "CNAME") == "lunaris.stalls.localhost"
    assert shown(added.text, "A") == "192.0.2.10"
    assert "lunaris.stalls.localhost" in admin.get("/console/domains").text

    dns.set(HOST, "A", "198.51.100.7")
    checked = act(admin, PAGE, action="check")
    assert "Not there yet" in checked.text
    assert "Records to remove" in checked.text
    assert "198.51.100.7" in checked.text

    dns.set(f"_storefront-challenge.{HOST}", "TXT", shown(added.text, "TXT"))
    assert "Proven, not pointed" in act(admin, PAGE, action="check").text
    assert shop.get("/", HOST).status_code == 421

    dns.set(HOST, "A")
    dns.set(HOST, "CNAME", "lunaris.stalls.localhost")
    live = act(admin, PAGE, action="check")
    assert "Everything is right" in live.text
    assert f'href="https://{HOST}"' in live.text
    # Over http a host that is no loopback name is led to https, so it lives here.
    eventually(lambda: shop.get("/", HOST).status_code == 308, "the new host")

    assert "It is the primary domain now" in act(admin, PAGE, action="primary").text
    assert "Primary" in admin.get("/console/domains").text
    eventually(
        lambda: f"https://{HOST}/v1" in shop.get("/docs/quickstart", "lunaris.localhost").text, "its name in links"
    )
    assert "Leads to the primary domain" in act(admin, PAGE, action="role", role="alias").text

    gone = act(admin, PAGE, action="remove")
    assert gone.url.path == "/console/domains"
    assert "It answers no more" in gone.text
    eventually(lambda: shop.get("/", HOST).status_code == 421, "the end of the host")
    assert admin.get(PAGE).status_code == 200
    actions = [row["action"] for row in shop.ask("audit", "list")["events"] if row["ref"] == HOST]
    assert {"domain.claim", "domain.verify", "domain.live", "domain.primary", "domain.role", "domain.remove"} <= set(
        actions
    )


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("co.uk", "not a domain of yours alone"),
        ("127.0.0.1", "an address, not a name"),
        ("desk.localhost", "not a domain of yours alone"),
        ("zephyrline-shop.example", "is reserved"),
        ("{{7*7}}.example", "is not a host name"),
        ('"><script>alert(1)</script>', "is not a host name"),
        ("", "needed"),
        ("a" * 301, "300"),
    ],
)
def test_what_nobody_may_add_is_said_beside_its_field(admin: Colleague, host: str, words: str) -> None:
    page = admin.send("/console/domains", host=host)
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert 'aria-describedby="host-problem host-hint"' in page.text
    assert words in html.unescape(page.text) or words == "needed"
    assert "<script>alert" not in page.text
    if host and len(host) < 300:
        assert f'value="{html.escape(host).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")}"' in page.text


def test_hosts_of_others_are_not_there(shop: Shop, admin: Colleague) -> None:
    for host in ("solaria.localhost", "nowhere.example", "%00", "a%2Fb"):
        assert admin.get(f"/console/domains/{host}").status_code == 404, host
    for action in ("check", "primary", "role", "remove"):
        assert (
            admin.send("/console/domains/solaria.localhost", "/console/domains", action=action, role="api").status_code
            == 404
        )
    assert shop.get("/", "solaria.localhost").status_code == 200


def test_a_domain_is_changed_by_those_who_may(shop: Shop) -> None:
    helper = Colleague(shop, "lunaris", "support")
    helper.accept(helper.invite())
    assert helper.get("/console/domains").status_code == 403
    assert "/console/domains" not in helper.get("/console").text
