"""Support, announcements and legal pages on the real server: what reaches whom, and what stays another's."""

from __future__ import annotations

import itertools
import json
import re

import pytest

from tests.support.accounts import Visitor, newest_mail, problems
from tests.support.members import colleague
from tests.support.product import Shop, eventually

NUMBERS = itertools.count(1)
FOREIGN = "case_01JD0000000000000000000000"


def join(shop: Shop, slug: str = "solaria") -> tuple[Visitor, str]:
    visitor, address = Visitor(shop, slug), f"kim{next(NUMBERS)}@{slug}.example"
    visitor.join(address)
    return visitor, address


def case_of(page: str) -> str:
    found = re.search(r"/account/support/(case_[0-9A-Z]{26})", page)
    assert found is not None, page
    return found[1]


def test_a_case_goes_to_the_team_and_its_answer_comes_back(shop: Shop) -> None:
    kim, address = join(shop)
    sent = kim.send("/contact", subject="{{7*7}} <b>", body="First line\r\nsecond\r\n\r\nNew paragraph")
    assert sent.status_code == 200
    case_id = case_of(sent.text)
    page = kim.get(f"/account/support/{case_id}").text
    assert "{{7*7}} &lt;b&gt;" in page
    assert "49" not in re.sub(r"<[^>]+>", "", page).split("Reply")[0].partition("{{7*7}}")[2][:20]
    shop.ask("case", "answer", case_id, "--tenant", "solaria", "--body", f"Look at <i>this</i>.\n\n{'More. ' * 60}")
    answer = eventually(lambda: newest_mail(shop, address, "{{7*7}}"), "the answer by mail")
    assert "Look at <i>this</i>.\n\nMore. More." in answer.replace("\r\n", "\n")
    refused, document = shop.try_("case", "answer", case_id, "--tenant", "solaria", "--body", "x" * 5001)
    assert (refused, "At most 5000" in json.dumps(document)) == (2, True), document
    page = kim.get(f"/account/support/{case_id}").text
    assert "Look at &lt;i&gt;this&lt;/i&gt;." in page
    assert "Answered" in page
    assert kim.send(f"/account/support/{case_id}", body="Thanks.").status_code == 303
    assert shop.ask("case", "show", case_id, "--tenant", "solaria")["status"] == "open"
    assert kim.send(f"/account/support/{case_id}", action="close").status_code == 303
    assert "Closed" in kim.get("/account/support").text


def test_the_team_is_led_to_the_case_in_its_console(shop: Shop) -> None:
    seated = colleague(shop, role="support")
    kim, address = join(shop)
    case_id = case_of(kim.send("/contact", subject="Cut off", body="It stopped.\n\nWhy?").text)
    opened = eventually(lambda: newest_mail(shop, seated.address, "Cut off"), "the mail to the team")
    assert kim.send(f"/account/support/{case_id}", body="Still so.").status_code == 303
    replied = eventually(
        lambda: found if "Still so." in (found := newest_mail(shop, seated.address, "Cut off") or "") else None,
        "the reply to the team",
    )
    for text in (opened, replied):
        assert f"From {address}" in text
        assert "reseller-kit" not in text
        link = re.search(r"https?://[^/\s]+(/console/support/\S+)", text)
        assert link is not None, text
        assert link[1] == f"/console/support/{case_id}"
        assert "It stopped." in seated.get(link[1]).text


def test_another_customers_case_is_an_unknown_one(shop: Shop) -> None:
    kim, _ = join(shop)
    case_id = case_of(kim.send("/contact", subject="Mine", body="Mine alone").text)
    for stranger in (join(shop)[0], join(shop, "lunaris")[0]):
        for path in (f"/account/support/{case_id}", f"/account/support/{FOREIGN}"):
            assert stranger.get(path).status_code == 404
            assert "Mine alone" not in stranger.get(path).text
        wrong = stranger.send("/contact", subject="About", body="Whose?", about=case_id)
        assert (wrong.status_code, list(problems(wrong))) == (422, ["about"])


def test_a_form_that_can_not_be_taken_keeps_what_was_typed(shop: Shop) -> None:
    nobody = Visitor(shop)
    page = nobody.send("/contact", subject="Kept", body=" \r\n ", email="not an address")
    assert page.status_code == 422
    assert 'value="Kept"' in page.text
    assert set(problems(page)) == {"body"}
    page = nobody.send("/contact", subject="Kept", body="x", email="not an address")
    assert set(problems(page)) == {"email"}
    assert nobody.send("/contact", subject="A question", body="Do you?", email="guest@example.com").status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", None])
def test_a_form_of_another_site_is_refused(shop: Shop, origin: str | None) -> None:
    nobody = Visitor(shop)
    headers = {} if origin is None else {"origin": origin}
    answer = nobody.http.post("/contact", data={"subject": "x", "body": "x", "csrf": "0" * 64}, headers=headers)
    assert answer.status_code == 403


def test_an_announcement_stands_on_every_page_until_it_ends_and_goes_by_mail(shop: Shop) -> None:
    kim, address = join(shop)
    made = shop.ask(
        *("announcement", "publish", "--tenant", "solaria", "--title", "Moon <day>", "--kind", "maintenance"),
        *("--body", "**Short** break <script>", "--mail"),
    )
    eventually(lambda: "Moon &lt;day&gt;" in kim.get("/pricing").text, "the announcement on the pages")
    assert "Moon &lt;" not in Visitor(shop, "lunaris").get("/announcements").text
    listed = kim.get("/announcements").text
    assert "<strong>Short</strong> break &lt;script&gt;" in listed
    text = eventually(lambda: newest_mail(shop, address, "Moon"), "the announcement by mail")
    link = re.search(r"https?://[^/\s]+(/unsubscribe\?\S+)", text)
    assert link is not None
    nobody = Visitor(shop)
    assert nobody.get(link[1]).status_code == 200
    assert nobody.http.post(link[1][:-1] + "0", data={"List-Unsubscribe": "One-Click"}).status_code in {200, 404}
    assert nobody.http.post("/unsubscribe?customer=cus_1&token=0").status_code == 404
    assert nobody.http.post(link[1], data={"List-Unsubscribe": "One-Click"}).status_code == 200
    again = shop.ask("announcement", "publish", "--tenant", "solaria", "--title", "Second", "--mail")
    assert again["mails"] == made["mails"] - 1
    for one in (made, again):
        shop.ask("announcement", "end", one["id"], "--tenant", "solaria")
    ended = ("Moon &lt;day&gt;", "Second")
    eventually(lambda: not any(title in kim.get("/pricing").text for title in ended), "the pages without it")
    assert "Moon &lt;day&gt;" in kim.get("/announcements").text
    shop.ask("announcement", "withdraw", made["id"], "--tenant", "solaria")
    eventually(lambda: "Moon &lt;" not in kim.get("/announcements").text, "the list without it")


def test_every_version_of_a_legal_text_can_be_read(shop: Shop) -> None:
    nobody = Visitor(shop)
    for name in ("terms", "privacy", "refunds", "acceptable-use"):
        page = nobody.get(f"/legal/{name}")
        assert page.status_code == 200
        found = re.search(r"Version ([0-9a-f]{16}) of", page.text)
        assert found is not None
        assert nobody.get(f"/legal/{name}?version={found[1]}").status_code == 200
    assert nobody.get("/legal/terms?version=0000").status_code == 404
    assert nobody.get("/legal/acceptable_use").status_code == 404
