"""The deployment's Caddyfile before the real product: who gets a certificate, and what goes through the door."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from scripts._lib import caddy
from scripts._lib.bootstrap import ROOT
from scripts._lib.caddy import Door, running_caddy
from scripts._lib.ports import free_port
from tests.support.dns_double import DnsDouble, dns_double
from tests.support.leaks import traces
from tests.support.product import Shop, eventually, open_shop

SOLARIA, LUNARIS, API = "solaria.localhost", "lunaris.localhost", "api.solaria.localhost"
ALLOWED = (
    SOLARIA,
    LUNARIS,
    API,
    "www.solaria.localhost",
    "sketch.localhost",
    "solaria.stalls.localhost",
    "desk.localhost",
)
BOUGHT = "chat.bought.example"
LUNARIS_LINE = 'host = "lunaris.localhost"'


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsDouble]:
    with dns_double() as double:
        yield double


@pytest.fixture(scope="module")
def shop(dns: DnsDouble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    environment = {"RESELLER_KIT_TRUSTED_PROXIES": caddy.ADDRESS, "RESELLER_KIT_DNS_SERVERS": dns.setting}
    with open_shop(tmp_path_factory.mktemp("shop-behind-tls"), None, environment=environment) as opened:
        yield opened


@pytest.fixture(scope="module")
def door(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with running_caddy(tmp_path_factory.mktemp("caddy"), upstream=f"{caddy.ADDRESS}:{shop.server.port}") as opened:
        yield opened


@dataclass(frozen=True)
class Answer:
    """An answer with everything that a browser would be told."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


def certificate(door: Door, host: str) -> x509.Certificate:
    """What a handshake for this name shows. Raises SSLError where there is none."""
    with (
        socket.create_connection((caddy.ADDRESS, door.https_port), timeout=20) as plain,
        door.trust().wrap_socket(plain, server_hostname=host) as secured,
    ):
        der = secured.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def is_served(door: Door, host: str) -> bool:
    try:
        certificate(door, host)
    except (ssl.SSLError, ConnectionResetError):
        return False
    return True


def connect(door: Door, sni: str) -> http.client.HTTPSConnection:
    connection = http.client.HTTPSConnection(sni, door.https_port, timeout=30, context=door.trust())
    connection._create_connection = lambda _, *more: socket.create_connection(  # type: ignore[attr-defined]
        (caddy.ADDRESS, door.https_port), *more
    )
    return connection


def ask(door: Door, sni: str, path: str = "/", **headers: str) -> Answer:
    connection = connect(door, sni)
    sent = {"host": f"{sni}:{door.https_port}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    try:
        connection.request("GET", path, headers=sent)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def test_the_caddyfile_is_valid_and_written_as_caddy_would(tmp_path: Path) -> None:
    variables = caddy.environment(tmp_path, upstream="127.0.0.1:1 127.0.0.1:2", https_port=1443, http_port=1080)
    for issuer in ("internal", "public"):
        command: list[str | Path] = [caddy.PROGRAM, "validate", "--config", caddy.CADDYFILE]
        done = subprocess.run(command, env={**variables, "RK_ISSUER": issuer}, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
    assert subprocess.run([caddy.PROGRAM, "fmt", "--diff", caddy.CADDYFILE], env=variables, check=False).returncode == 0


@pytest.mark.parametrize("host", ALLOWED)
def test_a_live_host_of_a_draft_or_active_storefront_has_a_certificate_of_its_own(door: Door, host: str) -> None:
    shown = certificate(door, host)
    names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    )
    assert names == [host]
    text = f"{shown.subject.rfc4514_string()} {shown.issuer.rfc4514_string()} {names}".lower()
    for word in ("zephyrline", "reseller", "mainspring"):
        assert word not in text
    if host == LUNARIS:
        assert traces(text) == []


def test_a_suspended_storefront_keeps_its_certificate_and_its_honest_page(shop: Shop, door: Door) -> None:
    shop.ask("tenant", "suspend", "paced", "--reason", "Unpaid")
    eventually(lambda: shop.get("/", f"paced.localhost:{shop.server.port}").status_code == 503, "the suspension")
    assert is_served(door, "paced.localhost")
    assert ask(door, "paced.localhost").status == 503
    shop.ask("tenant", "resume", "paced")


@pytest.mark.parametrize(
    "host",
    ["bygone.localhost", "nowhere.localhost", "bygone.stalls.localhost", "x.solaria.localhost", "evil.example", BOUGHT],
)
def test_archived_and_unknown_hosts_have_none(door: Door, host: str) -> None:
    assert not is_served(door, host)


def test_a_domain_has_one_from_its_proof_until_its_end(shop: Shop, door: Door, dns: DnsDouble) -> None:
    for host in ("removed.bought.example", BOUGHT):
        claimed = shop.ask("domain", "add", host, "--tenant", "solaria")
        assert not is_served(door, host)
        assert gate(shop, host) == 403
        dns.set(claimed["records"][0]["name"], "TXT", claimed["records"][0]["value"])
        dns.set(host, "CNAME", "solaria.stalls.localhost")
        assert shop.ask("domain", "check", host, "--tenant", "solaria")["state"] == "live"
        eventually(lambda host=host: gate(shop, host) == 200, host)  # type: ignore[misc]
    shop.ask("domain", "remove", "removed.bought.example", "--tenant", "solaria")
    added = f'{LUNARIS_LINE}\n  [[tenants.domains]]\n  host = "pruned.bought.example"'
    shop.apply(shop.text.replace(LUNARIS_LINE, added))
    eventually(lambda: gate(shop, "pruned.bought.example") == 200, "the host of the file")
    shop.apply(shop.text, "--prune")
    for host in ("removed.bought.example", "pruned.bought.example", BOUGHT):
        eventually(lambda host=host: gate(shop, host) == 403, host)  # type: ignore[misc]
        assert not is_served(door, host), host
    assert gate(shop, SOLARIA) == 200


def gate(shop: Shop, host: str) -> int:
    """What Caddy is told of a host."""
    return shop.request("GET", f"/internal/tls-allowed?domain={host}", "127.0.0.1").status_code


def test_the_certificate_of_one_brand_opens_no_page_of_another(shop: Shop, door: Door) -> None:
    crossed = ask(door, SOLARIA, host=f"{LUNARIS}:{door.https_port}")
    assert crossed.status == 421
    assert b"unaris" not in crossed.body
    assert b"olaria" not in crossed.body
    assert b"Lunaris" in ask(door, LUNARIS).body


def test_a_client_without_a_name_gets_no_certificate(door: Door) -> None:
    context = door.trust()
    context.check_hostname = False
    with socket.create_connection((caddy.ADDRESS, door.https_port), timeout=20) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain)


def test_cookies_bear_the_host_prefix_and_links_stay_on_https(shop: Shop, door: Door) -> None:
    page = ask(door, SOLARIA, "/login?lang=en")
    cookies = page.headers.get_all("set-cookie") or []
    assert len(cookies) == 2
    for cookie in cookies:
        assert "secure" in cookie.lower(), cookie
        assert cookie.startswith("__Host-"), cookie
    assert "server" not in page.headers
    assert "via" not in page.headers


def test_a_browser_that_came_by_https_comes_by_nothing_else(shop: Shop, door: Door) -> None:
    for path in ("/", "/nothing", "/v1/models", "/healthz", "/internal/x"):
        told = ask(door, SOLARIA, path).headers.get_all("strict-transport-security")
        assert told == ["max-age=31536000"], path
    # Without TLS a browser has to ignore it, and a loopback host has none.
    assert "strict-transport-security" not in shop.get("/", "solaria.localhost").headers


def test_http_leads_to_https(door: Door) -> None:
    connection = http.client.HTTPConnection(caddy.ADDRESS, door.http_port, timeout=20)
    connection.request("GET", "/pricing?x=1", headers={"host": SOLARIA})
    response = connection.getresponse()
    assert response.status == 308
    assert response.headers["location"] == f"https://{SOLARIA}:{door.https_port}/pricing?x=1"
    assert "server" not in response.headers
    connection.close()


@pytest.mark.parametrize(
    "path", ["/internal/tls-allowed?domain=solaria.localhost", "/internal/x", "/metrics", "/internal"]
)
@pytest.mark.parametrize("host", [SOLARIA, "desk.localhost"])
def test_what_is_internal_is_not_outside(door: Door, path: str, host: str) -> None:
    assert ask(door, host, path).status == 404
    assert ask(door, host, path, x_forwarded_for="127.0.0.1").status == 404


def test_what_a_client_says_of_its_way_is_not_believed(shop: Shop, door: Door) -> None:
    spoofed = {
        "x_forwarded_host": LUNARIS,
        "x_forwarded_for": "203.0.113.7",
        "x_forwarded_proto": "http",
        "forwarded": f"host={LUNARIS};proto=http",
        "x_real_ip": "203.0.113.7",
    }
    page = ask(door, SOLARIA, **spoofed)
    assert page.status == 200
    assert b"Solaria" in page.body
    assert b"unaris" not in page.body


def test_a_stream_leaves_as_it_comes(shop: Shop, door: Door) -> None:
    customer = shop.customer("solaria")
    connection = connect(door, SOLARIA)
    body = b'{"model":"gpt-5-mini","stream":true,"messages":[{"role":"user","content":"[[output=20 pace=0.05]] Hi"}]}'
    headers = {"authorization": f"Bearer {customer.key}", "content-type": "application/json"}
    connection.request(
        "POST", "/v1/chat/completions", body=body, headers={"host": f"{SOLARIA}:{door.https_port}", **headers}
    )
    response = connection.getresponse()
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    first = response.readline()
    began = time.monotonic()
    rest = response.read()
    assert first.startswith(b"data: ")
    assert rest.rstrip().endswith(b"data: [DONE]")
    assert time.monotonic() - began > 0.3, "the first event came with the last one"
    connection.close()


def test_while_nobody_answers_there_is_no_new_certificate_and_an_honest_page(tmp_path: Path) -> None:
    dead = free_port()
    with running_caddy(tmp_path / "caddy", upstream=f"{caddy.ADDRESS}:{dead}") as door:
        began = time.monotonic()
        assert not is_served(door, SOLARIA)
        assert time.monotonic() - began < 15


def test_a_product_that_is_away_has_an_honest_page_without_a_name(shop: Shop, tmp_path: Path) -> None:
    origin = f"http://{caddy.ADDRESS}:{shop.server.port}"
    with running_caddy(tmp_path / "caddy", upstream=f"{caddy.ADDRESS}:{free_port()}", ask=origin) as door:
        page = ask(door, SOLARIA, "/?key=sk_in_the_address", x_api_key="sk_in_a_header")
        assert page.status in {502, 503}
        assert page.body == b"The service is not available right now. Please try again in a moment."
        assert "server" not in page.headers
        assert "sk_in_" not in door.child.log.read_text()


@pytest.mark.slow
def test_the_whole_of_it_runs_on_one_machine() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "serve-tls"), "--check", "--port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "https://aurora.localhost:" in done.stdout
    assert "https://nocturne.localhost:" in done.stdout


def test_doctor_visits_hosts_as_a_stranger_would(shop: Shop, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f'public_url = "https://{{host}}:{door.https_port}"\n'
    shop.apply(shop.text.replace("[platform]\n", f"[platform]\n{url}", 1))
    doctor = ("tenant", "doctor", "narrow", "--visit")
    strange = {found["code"] for found in shop.try_(*doctor)[1]["findings"]}
    monkeypatch.setenv("SSL_CERT_FILE", str(door.root))
    known = {found["code"] for found in shop.try_(*doctor)[1]["findings"]}
    assert (strange - known, known & {"DR224", "DR225", "DR226"}) == ({"DR224"}, set())
    shop.apply(shop.text)
