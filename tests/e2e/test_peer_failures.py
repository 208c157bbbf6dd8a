"""Faults that comparable software had, asked of this one: what has no better place among the other tests."""

from __future__ import annotations

import pytest

from tests.support.product import Customer, Shop

SQL = (
    "' OR '1'='1",
    "sk_' OR 1=1 --",
    "x'; DROP TABLE api_key; --",
    "' UNION SELECT digest FROM api_key --",
    "\\'; SELECT pg_sleep(5); --",
    "1) OR (1=1",
)


@pytest.fixture
def customer(any_shop: Shop) -> Customer:
    return any_shop.customer()


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_sql_in_a_header_of_keys_is_a_wrong_key(any_shop: Shop, customer: Customer, header: str) -> None:
    balance = any_shop.balance(customer)
    scheme = "Bearer " if header == "authorization" else ""
    for key in (*SQL, *(customer.key + text for text in SQL), *(customer.key[:20] + text for text in SQL)):
        sent = {"host": customer.host, header: scheme + key}
        answer = any_shop.http.get(f"{customer.origin}/v1/models", headers=sent)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key"), key
        assert "SELECT" not in answer.text
    assert any_shop.balance(customer) == balance
    right = {"host": customer.host, header: scheme + customer.key}
    assert any_shop.http.get(f"{customer.origin}/v1/models", headers=right).status_code == 200
