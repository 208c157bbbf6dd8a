"""A scheduled price begins at its moment in a running server: nobody restarts, reloads or applies anything."""

from __future__ import annotations

import time
from email import message_from_bytes, policy
from typing import Any

from reseller_kit.core.times import format_time
from tests.support import raw_http
from tests.support.product import Shop, amounts_of, chat_request, eventually

SOON = 10.0
"""Effective within a second is promised; a busy test machine gets ten."""
AHEAD_SECONDS = 12.0
"""Long enough for the command, the announcement and the beginning of a stream, which lasts longer than that."""


def test_a_scheduled_price_begins_at_its_moment_for_new_calls(shop: Shop) -> None:
    customer = shop.customer("turning")
    dearer = shop.text.replace('markup = "20%"', 'markup = "50%"')
    usage = "[[input=900 cached=0 output=40]]"
    first = shop.record(customer, shop.call(customer, usage).headers["x-request-id"])
    moment = int((time.time() + AHEAD_SECONDS) * 1_000_000)
    made = shop.ask(
        "price", "schedule", "--tenant", "turning", "--markup", "50%", "--effective-from", format_time(moment)
    )
    try:
        # Customers see what is to come before it holds.
        eventually(lambda: "data-later" in shop.get("/pricing", "turning.localhost").text, "the announcement", SOON)
        with raw_http.connection(shop.server.port) as opened:
            opened.sendall(chat_request(customer, "[[input=900 cached=0 output=40 pace=0.4]]", stream=True))
            raw_http.read_until(opened, b"brown")
            # 2.00 + 10 % + 50 %
            eventually(lambda: time.time() * 1_000_000 > moment, "the moment", AHEAD_SECONDS + SOON)
            eventually(lambda: "data-later" not in shop.get("/pricing", "turning.localhost").text, "the switch", SOON)
            assert time.time() * 1_000_000 >= moment
            assert "3.30" in shop.get("/pricing", "turning.localhost").text
            new = shop.record(customer, shop.call(customer, usage).headers["x-request-id"])
            raw_http.read_until(opened, b"[DONE]")
        (streamed,) = eventually(lambda: [row for row in shop.records(customer) if row["stream"]], "the settle")
        assert streamed["created_at"] < format_time(moment) <= new["created_at"]
        reported = shop.journal(new["id"])[0]["usage"]
        for record, text in ((first, shop.text), (streamed, shop.text), (new, dearer)):
            assert amounts_of(record) == shop.expected(record, reported, text), record["created_at"]
            assert record["retail"] in str(shop.ask("usage", "explain", record["id"]))
        eventually(lambda: state_of(shop, made["id"]) == "begun", "the change's end", SOON)
        told = eventually(lambda: told_to(shop, customer.email), "the notice", SOON)
        assert "Turning" in told["From"]
        shop.assert_books_are_right()
    finally:
        shop.apply(shop.text, "--reset-drift")


def state_of(shop: Shop, change_id: str) -> str:
    listed: list[dict[str, Any]] = shop.ask("price", "schedule", "--tenant", "turning")["scheduled"]
    return next(str(row["state"]) for row in listed if row["id"] == change_id)


def told_to(shop: Shop, email: str) -> Any:
    """The mail to this customer that speaks of the model, once it is sent: another tells of the new key."""
    for file in (shop.installation.folder / "data" / "mail").glob("*.eml"):
        message: Any = message_from_bytes(file.read_bytes(), policy=policy.default)
        if message["To"] == email and "gpt-5-mini" in message.get_body(("plain",)).get_content():
            return message
    return None
