"""Billing on the real server: an order from the page to the credit, its receipt, vouchers, and who may see what."""

from __future__ import annotations

import io
import itertools
import re

import httpx
import pytest
from pypdf import PdfReader

from tests.support.accounts import Visitor, problems
from tests.support.product import Shop

NUMBERS = itertools.count(1)
BILLING = "/account/billing"
BUY = f"{BILLING}/buy"
HIDDEN = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
FOREIGN = ("mainspring", "sparewheel", "wholesale", "reseller", "reportlab", "northwind")


class Buyer(Visitor):
    """A customer who buys."""

    def __init__(self, shop: Shop, slug: str = "solaria") -> None:
        super().__init__(shop, slug)
        self.email = f"buyer{next(NUMBERS)}@{slug}.example"
        self.join(self.email)

    @property
    def owner(self) -> tuple[str, ...]:
        return ("--tenant", self.slug, "--customer", self.email)

    def checkout(self, **chosen: str) -> dict[str, str]:
        """The confirmation form of what is chosen, as it is shown."""
        answer = self.send(BILLING, **chosen)
        assert answer.status_code == 303, problems(answer)
        page = self.get(answer.headers["location"])
        assert page.status_code == 200
        start = page.text.index(f'action="{BUY}"')
        return dict(HIDDEN.findall(page.text[start:]))

    def buy(self, **chosen: str) -> str:
        """Order and accept; the path of the order's page."""
        answer = self.http.post(BUY, data={**self.checkout(**chosen), "accept": "yes"})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def balance(self) -> str:
        return str(self.shop.ask("credit", "balance", *self.owner)["balance"])


@pytest.fixture
def kim(shop: Shop) -> Buyer:
    return Buyer(shop)


def pdf_text(answer: httpx.Response) -> str:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)


def test_from_the_offer_to_the_credit_and_its_receipt(shop: Shop, kim: Buyer) -> None:
    order = kim.buy(package="sunbeam")
    order_id = order.rsplit("/", 1)[1]
    waiting = kim.get(order).text
    assert order_id in waiting
    assert "Waiting for payment" in waiting
    assert kim.balance() == "0.00"
    assert kim.get(f"{order}/receipt").status_code == 404
    shop.ask("order", "approve", order_id, "--note", "the bank's 4711")
    assert kim.balance() == "12.00"
    done = kim.get(order).text
    assert "4711" not in done
    assert "Credit added" in done
    assert "USD · No tax is added" in done
    billing = kim.get(BILLING).text
    assert billing.count("USD · No tax is added") == 1
    assert "before you dispute the payment at your bank" in billing
    receipt = kim.get(f"{order}/receipt")
    assert "$10.00" in receipt.text
    file = kim.get(f"{order}/receipt.pdf")
    text = pdf_text(file)
    assert "$10.00" in text
    assert "$12.00" in text
    assert order_id in text
    assert kim.email in text
    information = PdfReader(io.BytesIO(file.content)).metadata
    assert information is not None
    assert {information.producer, information.creator, information.author} == {"Solaria"}
    for word in FOREIGN:
        assert word.encode() not in file.content.lower(), word
        assert word not in (receipt.text + done).lower(), word
    shop.ask("order", "refund", order_id, "--reason", "goodwill", "--amount", "4.00")
    assert "−$4.00" in pdf_text(kim.get(f"{order}/receipt.pdf"))
    assert "$6.00" in kim.get(f"{order}/receipt").text
    assert "Refunded in part" in kim.get(BILLING).text
    shop.assert_books_are_right()


def test_a_form_that_is_sent_twice_is_one_order(shop: Shop, kim: Buyer) -> None:
    form = {**kim.checkout(package="sunbeam"), "accept": "yes"}
    answers = [kim.http.post(BUY, data=form) for _ in range(3)]
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(shop.ask("order", "list", *kim.owner)["orders"]) == 1
    changed = kim.http.post(BUY, data={**form, "request_key": "another", "terms_hash": "0" * 64})
    assert changed.status_code == 422
    unread = kim.http.post(BUY, data={**kim.checkout(package="sunbeam")})
    assert unread.status_code == 422
    assert problems(unread).keys() == {"accept"}
    assert len(shop.ask("order", "list", *kim.owner)["orders"]) == 1


def test_an_order_is_cancelled_once_and_by_its_owner_alone(shop: Shop, kim: Buyer) -> None:
    order = kim.buy(package="sunbeam")
    lee, stranger = Buyer(shop), Buyer(shop, "lunaris")
    for other in (lee, stranger):
        for path in (order, f"{order}/receipt", f"{order}/receipt.pdf"):
            unknown = path.replace(order.rsplit("/", 1)[1], "ord_00000000000000000000000000")
            assert other.get(path).status_code == other.get(unknown).status_code == 404
        assert other.send(order, form_of=BILLING, action="cancel").status_code == 404
    assert kim.send(order, action="cancel").headers["location"] == order
    assert "Cancelled" in kim.get(order).text
    assert kim.send(order, form_of=BILLING, action="cancel").status_code == 303
    paid = kim.buy(package="sunbeam")
    shop.ask("order", "approve", paid.rsplit("/", 1)[1])
    assert kim.send(paid, form_of=BILLING, action="cancel").status_code == 409


def test_wrong_codes_sound_alike_and_have_to_wait(shop: Shop, kim: Buyer) -> None:
    made = shop.ask("voucher", "create", "--tenant", "solaria", "--amount", "3.00", "--count", "2")["vouchers"]
    good, revoked = (voucher["code"] for voucher in made)
    shop.ask("voucher", "revoke", made[1]["id"])
    answer = kim.send(BILLING, voucher=good.lower())
    assert answer.status_code == 303, problems(answer)
    assert "$3.00" in kim.get(answer.headers["location"]).text
    assert kim.balance() == "3.00"
    said = set()
    for code in (good, revoked, "AAAA-BBBB-CCCC-DDDD", "\N{SNOWMAN}", "x"):
        refused = kim.send(BILLING, voucher=code)
        assert refused.status_code == 422, code
        said.add(problems(refused)["voucher"])
    assert len(said) == 1
    waiting = kim.send(BILLING, voucher=good)
    assert waiting.status_code == 429
    assert int(waiting.headers["retry-after"]) > 0
    assert kim.balance() == "3.00"
    shop.assert_books_are_right()


@pytest.mark.parametrize(
    "fields",
    [
        {"package": "nothing"},
        {"package": "sunbeam\x00"},
        {"package": "x" * 5000},
        {"amount": "ten"},
        {"amount": "-5"},
        {"amount": "1e9"},
        {"amount": "9" * 40},
        {"voucher": ""},
        {"voucher": "A" * 3000},
        {"voucher": "\x00"},
        {},
    ],
)
def test_what_makes_no_sense_is_said_on_the_page(kim: Buyer, fields: dict[str, str]) -> None:
    answer = kim.send(BILLING, **fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    answer = kim.send(BUY, form_of=BILLING, **fields)
    assert answer.status_code == 422


def test_a_suspended_customer_reads_and_does_not_buy(shop: Shop, kim: Buyer) -> None:
    order = kim.buy(package="sunbeam")
    form = {**kim.checkout(package="sunbeam"), "accept": "yes"}
    shop.ask("customer", "suspend", *kim.owner, "--reason", "test")
    assert kim.get(BILLING).status_code == 200
    assert kim.get(order).status_code == 200
    assert kim.http.post(BUY, data=form).status_code == 403
    assert kim.get(f"{BILLING}?orders=x").status_code == 400


def test_asking_for_money_back_begins_one_case_about_the_order(shop: Shop, kim: Buyer) -> None:
    order = kim.buy(package="sunbeam")
    assert "ask_back" not in kim.get(order).text
    shop.ask("order", "approve", order.rpartition("/")[2])
    page = kim.get(order).text
    assert 'value="ask_back"' in page
    empty = kim.send(order, action="ask_back", body="")
    assert empty.status_code == 422
    assert '<details class="change" open>' in empty.text
    answer = kim.send(order, action="ask_back", body="I bought it by mistake.")
    assert answer.status_code == 303, problems(answer)
    case = kim.get(answer.headers["location"]).text
    assert "I bought it by mistake." in case
    assert order.rpartition("/")[2] in case
    again = kim.get(order).text
    assert answer.headers["location"] in again
    assert 'value="ask_back"' not in again
    shop.ask("order", "refund", order.rpartition("/")[2], "--reason", "goodwill")
    assert kim.balance() == "0.00"
    assert "refund" not in re.findall(r'<h2 id="([a-z]+)"', kim.get(order).text)
