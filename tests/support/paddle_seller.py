"""A seller's account at the double of Paddle, through the provider's own SDK."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from paddle_billing import Client, Options
from paddle_billing.Entities.Shared import (
    CurrencyCode,
    CustomData,
    Duration,
    Interval,
    Money,
    PriceQuantity,
    TaxCategory,
    TaxMode,
)
from paddle_billing.Entities.Transaction import Transaction
from paddle_billing.Exceptions.ApiError import ApiError
from paddle_billing.Resources.Customers.Operations import CreateCustomer
from paddle_billing.Resources.Prices.Operations import CreatePrice
from paddle_billing.Resources.Products.Operations import CreateProduct
from paddle_billing.Resources.Transactions.Operations import CreateTransaction
from paddle_billing.Resources.Transactions.Operations.Create import TransactionCreateItem

from tests.support.paddle_double import PaddleDouble


class Seller:
    """An account with a product, a price of 10 dollars and a subscription of 20 a month."""

    def __init__(self, double: PaddleDouble) -> None:
        self.double = double
        # The SDK takes any object with this member for an environment.
        options = Options(environment=SimpleNamespace(base_url=double.url))
        self.client = Client(double.api_key, options=options, retry_count=0)
        product = self.client.products.create(CreateProduct("Credits", TaxCategory.Saas))
        self.product = product.id
        self.starter = self.price("1000")
        self.monthly = self.price("2000", cycle=True)
        self.large = self.price("5000", cycle=True)
        self.customer = self.client.customers.create(CreateCustomer("buyer@shop.example")).id

    def price(self, amount: str, currency: CurrencyCode = CurrencyCode.USD, *, cycle: bool = False) -> str:
        billing = {"billing_cycle": Duration(Interval.Month, 1)} if cycle else {}
        terms = CreatePrice(
            f"{amount} {currency}",
            self.product,
            Money(amount, currency),
            tax_mode=TaxMode.External,
            quantity=PriceQuantity(1, 1),
            **billing,
        )
        found: str = self.client.prices.create(terms).id
        return found

    def open(self, price: str, **data: str) -> Transaction:
        items = [TransactionCreateItem(price, 1)]
        wanted = CreateTransaction(items, customer_id=self.customer, custom_data=CustomData(data or {"order": "o-1"}))
        return self.client.transactions.create(wanted)

    def bought(self, price: str, country: str = "DE") -> Transaction:
        opened = self.open(price)
        self.double.pay(opened.id, country=country)
        return self.client.transactions.get(opened.id)

    def happened(self, since: int = 0, subscription: str | None = None) -> list[str]:
        """Types of events, of all or of one subscription with its transactions."""
        return [
            event["event_type"]
            for event in self.double.state()["events"][since:]
            if subscription in {None, event["data"]["id"], event["data"].get("subscription_id")}
        ]

    def refused(self, operation: Any, *arguments: Any) -> ApiError:
        with pytest.raises(ApiError) as caught:
            operation(*arguments)
        return caught.value
