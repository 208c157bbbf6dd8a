"""Webhooks by the thousand, in any order, repeated, forged, and with the server dying among them: one credit each."""

from __future__ import annotations

import asyncio
import faulthandler
import itertools
import random
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import pytest

from reseller_kit.core.ids import new_id
from reseller_kit.db import tenants
from reseller_kit.db.engine import NO_TENANT, Database
from reseller_kit.flows.orders import Wanted, place_order
from reseller_kit.flows.providers import reference_key
from reseller_kit.flows.unlock import unlock
from reseller_kit.payments.references import signed_order
from reseller_kit.settings import load
from tests.support.flood import Target, completed, post_all
from tests.support.paid_shop import SIGNING, PaidShop
from tests.support.payments import Till
from tests.support.product import eventually

NUMBERS: Final = itertools.count(1)
PRICE: Final = "pri_starter"


@dataclass(frozen=True)
class Purchases:
    """Orders that wait for their payment: whose they are, how many of each, and the events of their payments."""

    addresses: list[str]
    each: int
    events: list[bytes]
    target: Target


async def purchases(paid: PaidShop, number: int, each: int = 10) -> Purchases:
    """So many orders, opened at a provider of the tests' own: here only what comes behind the checkout counts."""
    addresses = [f"flood{next(NUMBERS)}@solaria.example" for _ in range(number // each)]
    ids = [paid.shop.ask("customer", "create", "--tenant", "solaria", "--email", one)["id"] for one in addresses]
    settings = load(paid.shop.installation.environment)
    db, till, events = Database(settings.database_url), Till(), []
    try:
        vault = await unlock(db, settings.secret_key)
        async with db.read(NO_TENANT) as connection:
            tenant = await tenants.find(connection, "solaria")
        assert tenant is not None
        for position in range(number):
            wanted = Wanted(package="sunbeam", request_key=new_id("key"))
            customer = ids[position // each]
            placed = await place_order(db, till, tenant_id=tenant.id, customer_id=customer, wanted=wanted, actor="test")
            order = placed.order
            assert order.provider_ref is not None
            signed = signed_order(reference_key(vault, tenant.id), order.id)
            events.append(completed(next(NUMBERS), order.provider_ref, PRICE, signed))
    finally:
        await db.close()
    return Purchases(addresses, each, events, Target("127.0.0.2", paid.shop.server.port, SIGNING["solaria"]))


def mixed(events: list[bytes], copies: int) -> list[tuple[bytes, bool]]:
    """Every event so many times, once of them forged, shuffled; always the same for the same input."""
    order = random.Random(len(events))
    deliveries = [(event, forged) for event in events for forged in [True] + [False] * (copies - 1)]
    order.shuffle(deliveries)
    return deliveries


async def flood(paid: PaidShop, orders: int, copies: int, each: int = 10) -> None:
    bought = await purchases(paid, orders, each)
    statuses = await post_all(bought.target, mixed(bought.events, copies))
    assert statuses == {200: orders * (copies - 1), 400: orders}
    credited(paid, bought)


def credited(paid: PaidShop, bought: Purchases) -> None:
    """Each customer's orders are activated, and it has what they come to."""
    for address in bought.addresses:
        owner = ("--tenant", "solaria", "--customer", address)
        activated = partial(all_activated, paid, owner, bought.each)
        eventually(activated, f"the credit of {address}", seconds=300)
        balance = paid.shop.ask("credit", "balance", *owner)
        assert (balance["balance"], len(balance["lots"])) == (f"{12 * bought.each}.00", bought.each)
    paid.shop.assert_books_are_right()


def all_activated(paid: PaidShop, owner: tuple[str, ...], each: int) -> bool:
    """Whether every order of a customer is credited."""
    states = [order["status"] for order in paid.shop.ask("order", "list", *owner, "--limit", "100")["orders"]]
    return states == ["activated"] * each


@pytest.mark.parametrize("backend", ["sqlite"])
async def test_a_thousand_deliveries_of_a_hundred_events(paid: PaidShop) -> None:
    await flood(paid, orders=100, copies=10)


@pytest.mark.slow
async def test_ten_thousand_deliveries_of_a_thousand_events(paid: PaidShop) -> None:
    # A busy machine takes longer for this than any test may hang; every wait in it has an end of its own.
    faulthandler.cancel_dump_traceback_later()
    await flood(paid, orders=1000, copies=10, each=20)


@pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)])
async def test_a_server_that_is_killed_among_them_loses_none(paid: PaidShop) -> None:
    """What was answered with 200 is kept; what was not, the provider sends again."""
    bought = await purchases(paid, 60)
    deliveries = mixed(bought.events, 3)
    before = paid.shop.ask("ledger", "audit")["transactions"]
    with paid.shop.beside() as victim:
        posting = asyncio.create_task(post_all(replace(bought.target, port=victim.server.port), deliveries))
        while paid.shop.ask("ledger", "audit")["transactions"] < before + 5:
            await asyncio.sleep(0.01)
        victim.server.child.process.kill()
        statuses = await posting
    assert statuses[0] > 0, "the server died too late for this test"
    assert (await post_all(bought.target, deliveries)).keys() == {200, 400}
    credited(paid, bought)
