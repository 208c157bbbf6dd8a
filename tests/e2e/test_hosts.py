"""The host alone picks the storefront: every odd way to name one, over raw sockets."""

from __future__ import annotations

import time

import pytest

from tests.support import raw_http
from tests.support.product import Shop, eventually

POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: solaria.localhost\r\n"
PATHS = ["/", "/pricing", "/v1/models", "/v1/chat/completions", "/models", "/nothing", "/theme/x.css", "/metrics"]


def get(shop: Shop, path: str, *hosts: bytes, version: bytes = b"1.1", extra: bytes = b"") -> raw_http.Reply:
    lines = b"".join(b"host: %b\r\n" % host for host in hosts)
    request = b"GET %b HTTP/%b\r\n%b%bconnection: close\r\n\r\n" % (path.encode(), version, lines, extra)
    reply = raw_http.exchange(shop.server.port, request)
    assert reply is not None
    return reply


def assert_nobody_is_here(reply: raw_http.Reply) -> None:
    assert reply.status == 421, reply
    assert (reply.header("x-request-id") or "").startswith("req_")
    for name in (b"olaria", b"unaris", b"ephyrline", b"reseller"):
        assert name not in reply.body.lower()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", [b"nobody.localhost", b"127.0.0.9", b"solaria.localhost.evil.example", b"localhost"])
def test_an_unknown_host_is_nobodys_on_every_path(any_shop: Shop, path: str, host: bytes) -> None:
    reply = get(any_shop, path, host)
    assert_nobody_is_here(reply)
    shape = "application/json" if path.startswith("/v1") else "text/plain; charset=utf-8"
    assert reply.header("content-type") == shape


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b" ",
        b"good@solaria.localhost",
        b"solaria.localhost@evil.example",
        b"solaria.localhost,lunaris.localhost",
        b"solaria.localhost lunaris.localhost",
        b"solaria.localhost/",
        b"http://solaria.localhost",
        b"solaria.localhost:",
        b"solaria.localhost:port",
        b"solaria.localhost:0",
        b"solaria.localhost:65536",
        b"solaria.localhost:80:80",
        b"solaria%2elocalhost",
        b"solaria.localhost%00",
        b"solaria.localhost#x",
        b"s\xc3\xb6laria.localhost",
        b"[127.0.0.2]",
        b"0x7f.0.0.2",
        b"0x7f000002",
        b"127.2",
        b"2130706434",
        b"127.0.0.02",
        b"[::ffff:127.0.0.2]",
        b"a" * 300 + b".localhost",
        b"solaria..localhost",
        b".solaria.localhost",
    ],
)
def test_a_malformed_host_is_nobodys(any_shop: Shop, host: bytes) -> None:
    for path in ("/", "/v1/models"):
        assert_nobody_is_here(get(any_shop, path, host))


def test_one_host_exactly(any_shop: Shop) -> None:
    ours = b"solaria.localhost"
    for hosts in ([], [ours, ours], [ours, b"lunaris.localhost"], [b"", ours]):
        for path in ("/", "/v1/models"):
            assert_nobody_is_here(get(any_shop, path, *hosts))
    assert_nobody_is_here(get(any_shop, "/", version=b"1.0"))


@pytest.mark.parametrize(
    "host",
    [
        b"solaria.localhost",
        b"SOLARIA.LocalHost",
        b"solaria.localhost.",
        b"solaria.localhost:9999",
        b"solaria.stalls.localhost",
        b"127.0.0.2",
        b"127.0.0.2:1",
    ],
)
def test_one_storefront_under_its_names(any_shop: Shop, host: bytes) -> None:
    for version in (b"1.1", b"1.0"):
        reply = get(any_shop, "/", host, version=version)
        assert reply.status == 200
        assert b"Solaria" in reply.body
        assert b"Lunaris" not in reply.body


def test_no_other_header_names_a_host(any_shop: Shop) -> None:
    for header in ("x-forwarded-host", "x-host", "x-original-host", "forwarded", "x-http-host-override", ":authority"):
        value = "host=lunaris.localhost" if header == "forwarded" else "lunaris.localhost"
        reply = raw_http.exchange(
            any_shop.server.port,
            f"GET / HTTP/1.1\r\nhost: solaria.localhost\r\n{header}: {value}\r\nconnection: close\r\n\r\n".encode(),
        )
        assert reply is not None
        if header.startswith(":"):
            assert reply.status in {200, 400}
        else:
            assert reply.status == 200
            assert b"Solaria" in reply.body
        assert b"Lunaris" not in reply.body


def test_a_target_with_a_host_of_its_own_has_to_agree(any_shop: Shop) -> None:
    agreed = get(any_shop, "http://solaria.localhost/pricing", b"solaria.localhost")
    assert agreed.status == 200
    assert b"Solaria" in agreed.body
    for target in ("http://lunaris.localhost/pricing", "http://nobody.example/", "http://x@solaria.localhost/"):
        assert_nobody_is_here(get(any_shop, target, b"solaria.localhost"))
    assert_nobody_is_here(get(any_shop, "http://solaria.localhost/pricing"))


@pytest.mark.parametrize(
    "request_",
    [
        b"CONNECT lunaris.localhost:443 HTTP/1.1\r\nhost: solaria.localhost\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: solaria.localhost\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: solaria.localhost\r\n folded: yes\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : solaria.localhost\r\nconnection: close\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: solaria.localhost\r\nconnection: close\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nhost: solaria.localhost\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: solaria.localhost\r\nconnection: close\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        POST + b"content-length: 5\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n",
        POST + b"content-length: 5\r\ncontent-length: 6\r\nconnection: close\r\n\r\nabcdef",
    ],
    ids=["connect", "asterisk", "folding", "space", "latin", "no host", "version", "nonsense", "tls", "two framings",
         "two lengths"],
)  # fmt: skip
def test_what_is_hardly_http_is_no_fault_of_the_server(any_shop: Shop, request_: bytes) -> None:
    reply = raw_http.exchange(any_shop.server.port, request_)
    assert reply is None or 400 <= reply.status < 500, reply
    assert any_shop.get("/healthz", "any").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_need_no_host(any_shop: Shop, path: str) -> None:
    for hosts in ([], [b"nobody"], [b"a", b"b"], [b"solaria.localhost"]):
        reply = get(any_shop, path, *hosts)
        assert reply.status == 200
        assert reply.body in {b"ok\n", b"ready\n"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("solaria.localhost", 200),
        ("SOLARIA.localhost", 200),
        ("api.solaria.localhost", 200),
        ("sketch.localhost", 200),
        ("desk.localhost", 200),
        ("bygone.localhost", 403),
        ("nobody.localhost", 403),
        ("solaria.localhost:80", 403),
        ("", 403),
        ("solaria.localhost&domain=nobody.localhost", 403),
    ],
)
def test_certificates_are_for_live_hosts(any_shop: Shop, host: str, status: int) -> None:
    assert get(any_shop, f"/internal/tls-allowed?domain={host}", b"localhost").status == status


def test_whoever_was_forwarded_is_no_internal_peer(any_shop: Shop) -> None:
    for header in (b"x-forwarded-for: 127.0.0.1", b"forwarded: for=127.0.0.1", b"via: 1.1 x", b"x-real-ip: 127.0.0.1"):
        reply = get(any_shop, "/internal/tls-allowed?domain=solaria.localhost", b"x", extra=header + b"\r\n")
        assert reply.status == 404
    assert get(any_shop, "/internal/other", b"x").status == 404


def test_metrics_are_for_internal_peers_that_speak_for_themselves(any_shop: Shop) -> None:
    assert any_shop.get("/metrics", "desk.localhost").status_code == 200
    # A proxy on this machine is an internal peer, and whoever it speaks for is not.
    assert any_shop.get("/metrics", "desk.localhost", x_forwarded_for="203.0.113.7").status_code == 404
    assert any_shop.get("/metrics", "solaria.localhost").status_code == 404


def test_each_process_tells_its_metrics_by_its_address(any_shop: Shop) -> None:
    """Whoever collects from several processes asks each one, by an address that is nobody's host."""
    asked = get(any_shop, "/internal/metrics", b"10.1.2.3:8000")
    assert asked.status == 200
    assert b"# HELP reseller_kit_open_streams " in asked.body
    assert get(any_shop, "/internal/metrics", b"x", extra=b"x-forwarded-for: 127.0.0.1\r\n").status == 404


def test_a_body_that_is_too_large_is_refused_by_its_length(any_shop: Shop) -> None:
    customer = any_shop.customer(credit=None)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {customer.host}\r\nauthorization: Bearer {customer.key}\r\n"
    with raw_http.connection(any_shop.server.port) as opened:
        opened.sendall(f"{head}content-length: {32 * 1024 * 1024 + 1}\r\n\r\n".encode())
        reply = raw_http.parse(raw_http.read_until(opened, b"}}"))
    assert reply is not None
    assert reply.status == 413
    assert b'"code":"request_too_large"' in reply.body
    with raw_http.connection(any_shop.server.port) as opened:
        opened.sendall(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        piece = b"%x\r\n%b\r\n" % (1 << 20, b" " * (1 << 20))
        for _ in range(33):
            opened.sendall(piece)
        reply = raw_http.parse(raw_http.read_until(opened, b"}}"))
    assert reply is not None
    assert reply.status == 413


def test_a_body_that_never_comes_holds_nothing_up(any_shop: Shop) -> None:
    customer = any_shop.customer()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {customer.host}\r\nauthorization: Bearer {customer.key}\r\n"
    with raw_http.connection(any_shop.server.port) as opened:
        opened.sendall(f"{head}content-length: 500\r\n\r\n".encode() + b'{"model"')
        time.sleep(0.3)
        assert any_shop.call(customer).status_code == 200
    # The one that left in the middle of its request is no error of the server and owes nothing.
    eventually(lambda: len(any_shop.records(customer)) == 1, "the record")
    assert "Traceback" not in any_shop.log()


def test_pipelined_requests_are_answered_in_order(any_shop: Shop) -> None:
    first = b"GET /v1/nothing-1 HTTP/1.1\r\nhost: solaria.localhost\r\n\r\n"
    second = b"GET /v1/nothing-2 HTTP/1.1\r\nhost: lunaris.localhost\r\nconnection: close\r\n\r\n"
    with raw_http.connection(any_shop.server.port) as opened:
        opened.sendall(first + second)
        received = raw_http.read_all(opened)
    assert received.index(b"nothing-1") < received.index(b"nothing-2")
    assert received.count(b"HTTP/1.1 404") == 2


def test_pages_refuse_in_their_own_brand(any_shop: Shop) -> None:
    missing = any_shop.get("/nothing", "solaria.localhost")
    refused = any_shop.request("POST", "/pricing", "solaria.localhost")
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
    form = any_shop.request("PUT", "/login", "solaria.localhost")
    assert (form.status_code, form.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")
    for page, status in ((missing, 404), (refused, 405)):
        assert page.status_code == status
        assert page.headers["content-type"].startswith("text/html")
        assert page.headers["x-request-id"].startswith("req_")
        assert "Solaria" in page.text
    assert "allow" not in missing.headers
    head = any_shop.request("HEAD", "/pricing", "solaria.localhost")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 1000


def test_a_page_is_safe_to_show(any_shop: Shop) -> None:
    for path in ("/", "/pricing", "/nothing"):
        headers = any_shop.get(path, "solaria.localhost").headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'nonce-")
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert policy != any_shop.get(path, "solaria.localhost").headers["content-security-policy"]
