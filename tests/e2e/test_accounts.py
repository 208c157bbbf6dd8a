"""Accounts on the real server, as two brands' customers and those who want to be them."""

from __future__ import annotations

import itertools
import re
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.accounts import PASSWORD, Visitor, newest_mail, problems
from tests.support.product import LITERALS, Shop, eventually

NUMBERS = itertools.count(1)
IDS = re.compile(rb'nonce="[^"]+"|nonce-[^\']+|value="[0-9a-f]{64}"|req_[0-9A-Z]{26}|[a-z]+[0-9]*@solaria\.example')
FORMS = ("/signup", "/login", "/reset", "/verify", "/logout", "/account/security", "/account/security/two-factor")
SCRIPTED = ("/login/passkey/options", "/account/security/passkeys/options")


def address() -> str:
    return f"jane{next(NUMBERS)}@solaria.example"


@pytest.fixture
def visitor(any_shop: Shop) -> Visitor:
    return Visitor(any_shop)


def test_from_the_form_to_the_account_and_out_again(shop: Shop) -> None:
    visitor, jane = Visitor(shop), address()
    assert not visitor.logged_in()
    visitor.join(jane)
    page = visitor.get("/account")
    assert jane in page.text
    assert "no-store" in page.headers["cache-control"]
    assert visitor.send("/logout", "/account").headers["location"] == "/"
    assert visitor.get("/account?x=1").headers["location"] == "/login?next=/account%3Fx%3D1"
    assert visitor.log_in(jane, next="/account/security?x=1").headers["location"] == "/account/security?x=1"
    assert Visitor(shop).log_in(jane, next="//evil.example").headers["location"] == "/account"
    shop.assert_books_are_right()


def test_a_cookie_holds_on_its_own_brand_alone(any_shop: Shop) -> None:
    ours, theirs = Visitor(any_shop), Visitor(any_shop, "lunaris")
    jane = address()
    ours.join(jane)
    for name, value in ours.http.cookies.items():
        theirs.keep(name, value)
    assert not theirs.logged_in()
    assert problems_of_login(theirs.log_in(jane)) == "E-mail or password is wrong."
    theirs.join(jane, "another password")
    assert theirs.logged_in()
    assert ours.logged_in()
    assert theirs.send("/account/security", action="end_session", session=session_id(ours)).status_code == 303
    assert ours.logged_in()


def test_a_planted_session_is_worth_nothing(visitor: Visitor) -> None:
    jane, planted = address(), "p" * 43
    visitor.join(jane)
    joined = visitor.http.cookies["session"]
    visitor.keep("session", planted)
    visitor.log_in(jane)
    assert visitor.http.cookies["session"] not in {planted, joined}
    eve = Visitor(visitor.shop)
    eve.keep("session", planted)
    assert not eve.logged_in()
    set_cookie = visitor.log_in(address()).headers.get("set-cookie", "")
    assert "session=" not in set_cookie


def test_cookies_are_kept_from_scripts_and_other_sites(any_shop: Shop) -> None:
    jane = address()
    Visitor(any_shop).join(jane)
    answer = Visitor(any_shop).log_in(jane)
    session = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("session="))
    parts = {part.strip().lower() for part in session.split(";")[1:]}
    assert {"httponly", "path=/", "samesite=lax"} <= parts
    assert not any(part.startswith("domain") for part in parts)


def test_an_answer_never_tells_whether_an_address_has_an_account(any_shop: Shop) -> None:
    jane, nobody = address(), address()
    Visitor(any_shop).join(jane)
    for path, fields in (
        ("/signup", {"password": PASSWORD, "name": "", "terms": "yes"}),
        ("/reset", {}),
        ("/login", {"password": "wrong password"}),
    ):
        answers = [Visitor(any_shop).send(path, email=email, **fields) for email in (jane, nobody)]
        bodies = [IDS.sub(b"", answer.content) for answer in answers]
        assert answers[0].status_code == answers[1].status_code, path
        assert bodies[0] == bodies[1], path
        assert sorted(answers[0].headers) == sorted(answers[1].headers), path
    eventually(lambda: newest_mail(any_shop, jane, "you have an account"), "the mail to who has an account")
    eventually(lambda: newest_mail(any_shop, nobody, "confirm your address"), "the mail to who has none")


@pytest.mark.parametrize("path", [*FORMS, *SCRIPTED])
def test_a_form_from_elsewhere_is_refused(any_shop: Shop, path: str) -> None:
    visitor = Visitor(any_shop)
    visitor.join(address())
    guard = re.search(r'name="csrf" value="([0-9a-f]{64})"', visitor.get("/account/security").text)
    assert guard is not None
    stranger = re.search(r'name="csrf" value="([0-9a-f]{64})"', Visitor(any_shop).get("/login").text)
    assert stranger is not None
    own = visitor.http.headers.pop("origin")
    form = {"csrf": guard[1]}
    refused = [
        visitor.http.post(path, data={"action": "end_others"}, headers={"origin": own}),
        visitor.http.post(path, data={"csrf": stranger[1]}, headers={"origin": own}),
        visitor.http.post(path, data=form, headers={"origin": "http://evil.example"}),
        visitor.http.post(path, data=form, headers={"origin": "null"}),
        visitor.http.post(path, data=form, headers={"origin": own.replace("http:", "https:")}),
        visitor.http.post(path, data=form, headers={"origin": f"http://{LITERALS['lunaris']}:{any_shop.server.port}"}),
        visitor.http.post(path, data=form, headers={"referer": "http://evil.example/" + own}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 7
    assert visitor.logged_in()


def test_fields_that_nobody_asked_for_have_no_effect(visitor: Visitor) -> None:
    jane = address()
    extra = {"role": "owner", "tenant_id": "1", "balance": "1000", "verified_at": "1", "status": "active", "id": "1"}
    visitor.send("/signup", email=jane, password=PASSWORD, name="Jane", terms="yes", **extra)
    shown = visitor.shop.ask("customer", "show", "--tenant", "solaria", "--customer", jane)
    assert shown["verified_at"] is None
    assert visitor.shop.ask("credit", "balance", "--tenant", "solaria", "--customer", jane)["balance"] == "0.00"
    waiting = Visitor(visitor.shop)
    assert waiting.log_in(jane).status_code == 303
    assert waiting.get("/account/security/two-factor").headers["location"] == "/verify"


def test_spoofed_addresses_change_nothing(any_shop: Shop) -> None:
    jane = address()
    Visitor(any_shop).join(jane)
    answers = []
    began = time.monotonic()
    for number in range(12):
        forged = ", ".join(f"198.51.{number}.{n % 250}" for n in range(1000))
        eve = Visitor(any_shop, **{"x-forwarded-for": forged, "x-real-ip": forged[:10], "forwarded": "for=1.2.3.4"})
        answers.append(eve.log_in(jane, "wrong password"))
    assert [answer.status_code for answer in answers[:5]] == [422] * 5
    answers.append(Visitor(any_shop).log_in(jane))
    refused = [answer for answer in answers[5:] if answer.status_code == 429]
    # One has to wait two seconds, and twice as long each time after that: a slow machine sits some of it out.
    assert 2 * (2 ** (8 - len(refused)) - 1) <= time.monotonic() - began
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert all("session=" not in answer.headers.get("set-cookie", "") for answer in refused)


def test_a_link_goes_to_the_brands_own_host_and_works_once_there(any_shop: Shop) -> None:
    jane = address()
    visitor = Visitor(any_shop, **{"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"})
    visitor.join(jane)
    visitor.send("/reset", email=jane)
    text = eventually(lambda: newest_mail(any_shop, jane, "set a new password"), "the mail")
    assert f"http://solaria.localhost:{any_shop.server.port}/reset?token=" in text
    assert "evil" not in text
    path = visitor.link(jane, "set a new password")
    token = path.rpartition("=")[2]
    assert Visitor(any_shop, "lunaris").get(path).status_code == 410
    assert visitor.get(path + "x").status_code == 410
    assert Visitor(any_shop).get(path).status_code == 200
    short = Visitor(any_shop).send("/reset", path, token=token, password="short")
    assert (short.status_code, list(problems(short))) == (422, ["password"])
    done = Visitor(any_shop).send("/reset", path, token=token, password="another password")
    assert (done.status_code, done.headers["location"]) == (303, "/account")
    assert not visitor.logged_in()
    assert Visitor(any_shop).get(path).status_code == 410
    assert Visitor(any_shop).send("/reset", "/reset", token=token, password="another password").status_code == 410
    assert Visitor(any_shop).log_in(jane).status_code == 422
    assert Visitor(any_shop).log_in(jane, "another password").status_code == 303


def test_a_scanner_that_follows_the_link_confirms_nothing(visitor: Visitor) -> None:
    jane = address()
    visitor.send("/signup", email=jane, password=PASSWORD, name="", terms="yes")
    path = visitor.link(jane, "confirm your address")
    scanner = Visitor(visitor.shop)
    for _ in range(3):
        page = scanner.get(path)
        assert page.status_code == 200
        assert "Confirm and go on" in page.text
        assert page.headers["referrer-policy"] == "same-origin"
    assert not scanner.logged_in()
    elsewhere = Visitor(visitor.shop)
    assert elsewhere.send("/verify", path, token=path.rpartition("=")[2]).headers["location"] == "/account"
    assert elsewhere.logged_in()
    assert "already" in visitor.get(path).text or "is confirmed" in visitor.get(path).text


def test_the_operators_link_sets_the_first_password(any_shop: Shop) -> None:
    jane = address()
    assert any_shop.get("/", "solaria.localhost").status_code == 200, "a server listens before it has noted where"
    with any_shop.beside() as latest:
        assert latest.get("/", "solaria.localhost").status_code == 200
        made = any_shop.ask("customer", "create", "--tenant", "solaria", "--email", jane)
        assert urlsplit(made["link"]).port == latest.server.port, "where the latest server listens"
    path = "/reset?token=" + made["link"].rpartition("=")[2]
    visitor = Visitor(any_shop)
    assert "you accept the" in visitor.get(path).text
    done = visitor.send("/reset", path, token=path.rpartition("=")[2], password=PASSWORD)
    assert done.headers["location"] == "/account"
    assert visitor.logged_in()


def test_a_suspended_customer_sees_an_honest_page_and_may_leave(visitor: Visitor) -> None:
    jane = address()
    visitor.join(jane)
    visitor.shop.ask("customer", "suspend", "--tenant", "solaria", "--customer", jane, "--reason", "chargeback")
    page = visitor.get("/account/security")
    assert page.status_code == 403
    assert "Your account is suspended" in page.text
    assert "chargeback" not in page.text + visitor.get("/account").text
    assert visitor.get("/").status_code == 200
    assert visitor.send("/logout").headers["location"] == "/"


def test_a_session_ended_elsewhere_holds_nowhere(any_shop: Shop) -> None:
    with any_shop.beside() as second:
        here, there, jane = Visitor(any_shop), Visitor(second), address()
        here.join(jane)
        there.log_in(jane)
        assert there.logged_in()
        assert here.send("/account/security", action="end_others").status_code == 303
        assert not there.logged_in()
        assert here.logged_in()


@pytest.mark.parametrize("path", [*FORMS, *SCRIPTED])
def test_no_form_makes_the_server_fail(any_shop: Shop, path: str) -> None:
    known = Visitor(any_shop)
    known.join(address())
    for visitor, page in ((Visitor(any_shop), "/login"), (known, "/account/security")):
        guard = re.search(r'name="csrf" value="([0-9a-f]{64})"', visitor.get(page).text)
        assert guard is not None
        for content, kind in odd_bodies(guard[1]):
            answer = visitor.http.post(path, content=content, headers={"content-type": kind})
            assert answer.status_code < 500, (path, content[:80], answer.text)
            assert answer.headers["x-request-id"].startswith("req_")


def odd_bodies(guard: str) -> list[tuple[bytes, str]]:
    """What no browser sends, or only with an odd person before it."""
    form = "application/x-www-form-urlencoded"
    names = ("email", "password", "new_password", "name", "terms", "code", "token", "next", "action", "session",
             "passkey", "credential", "timezone", "locale", "second")  # fmt: skip
    values = ("", "%00", "%ff", "%F0%9F%92%A9", "{{7*7}}", "'; DROP TABLE customer;--", "%0d%0aBcc:x@y.z", "a" * 5000,
              "..%2f..%2f", "%E2%80%AE", "NaN", "{}", "%5B%5B%5B", "-1", "99999999999999999999999")  # fmt: skip
    every = [f"csrf={guard}&" + "&".join(f"{name}={value}" for name in names) for value in values]
    actions = ("profile", "email", "password", "two_factor_on", "two_factor_off", "recovery_codes", "add_passkey",
               "remove_passkey")  # fmt: skip
    acted = [f"csrf={guard}&action={action}&password=x&email=%00&name={'n' * 200}" for action in actions]
    return [
        *((text.encode(), form) for text in [*every, *acted]),
        (b"", form), (b"csrf", form), (b"\xff\xfe", form), (b"&" * 5000, form), (b"x" * 70_000, form),
        (b"csrf=" + guard.encode() + b"&email=a&email=b&password=c&password=d", form),
        (b'{"csrf": 1}', "application/json"), (b"--x\r\n", "multipart/form-data; boundary=x"), (b"csrf=1", ""),
    ]  # fmt: skip


def test_a_body_that_is_announced_and_never_comes_is_not_waited_for_by_others(any_shop: Shop) -> None:
    host = LITERALS["solaria"]
    head = f"POST /login HTTP/1.1\r\nhost: {host}:{any_shop.server.port}\r\ncontent-length: 100\r\n"
    with socket.create_connection((host, any_shop.server.port), timeout=10) as slow:
        slow.sendall((head + "content-type: application/x-www-form-urlencoded\r\n\r\ncsrf=").encode())
        assert Visitor(any_shop).get("/login").status_code == 200


def problems_of_login(page: httpx.Response) -> str:
    assert page.status_code == 422
    found = re.search(r'role="alert".*?<li>([^<]*)</li>', page.text, re.DOTALL)
    assert found is not None
    return found[1]


def session_id(visitor: Visitor) -> str:
    """The id of another session of the visitor's customer."""
    address_ = re.search(r"[a-z0-9]+@solaria\.example", visitor.get("/account").text)
    assert address_ is not None
    Visitor(visitor.shop).log_in(address_[0])
    found = re.search(r'name="session" value="(ses_[0-9A-Z]{26})"', visitor.get("/account/security").text)
    assert found is not None
    return found[1]


def test_every_storefront_says_what_it_takes(shops: Callable[[str], Shop]) -> None:
    page = Visitor(shops("sqlite")).get("/")
    assert 'href="/signup"' in page.text
    assert 'href="/login"' in page.text
