"""The token of a view as a customer: what it is bound to, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from reseller_kit.core.ids import new_id
from reseller_kit.core.times import SECOND_US
from reseller_kit.flows.customer_view import VALID_US, read, sign

PEPPER = b"p" * 32
NOW = 1_800_000_000 * SECOND_US
CUSTOMER = new_id("cus")
TOKEN = sign(PEPPER, 1, "ses_a", CUSTOMER, NOW + VALID_US)


def test_a_token_names_its_customer_until_its_end() -> None:
    assert read(PEPPER, 1, "ses_a", TOKEN, NOW) == (CUSTOMER, NOW + VALID_US)
    assert read(PEPPER, 1, "ses_a", TOKEN, NOW + VALID_US - 1) == (CUSTOMER, NOW + VALID_US)
    assert read(PEPPER, 1, "ses_a", TOKEN, NOW + VALID_US) is None


def test_a_cookie_holds_it() -> None:
    assert len(TOKEN) <= 64
    assert TOKEN.isascii()


@pytest.mark.parametrize(
    "bound",
    [
        {"pepper": b"q" * 32},
        {"tenant_id": 2},
        {"session_id": "ses_b"},
        {"token": TOKEN.replace(CUSTOMER, new_id("cus"))},
        {"token": TOKEN[:-1] + ("A" if TOKEN[-1] != "A" else "B")},
        {"token": f"{CUSTOMER}.ffffffff.{TOKEN[-22:]}"},
        {"token": ""},
        {"token": TOKEN + "A"},
        {"token": TOKEN.rpartition(".")[0]},
    ],
)
def test_it_is_worth_nothing_elsewhere(bound: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "pepper": PEPPER,
        "tenant_id": 1,
        "session_id": "ses_a",
        "token": TOKEN,
        "now": NOW,
        **bound,
    }
    assert read(**given) is None


def test_the_end_is_no_part_of_another_field() -> None:
    """What is hashed is taken apart in one way only."""
    other = sign(PEPPER, 11, "ses_a", CUSTOMER, NOW + VALID_US)
    assert read(PEPPER, 1, "1\0ses_a", other, NOW) is None
