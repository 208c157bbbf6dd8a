"""A process that is told to end while a balancer still sends it calls: each is served, or finds nobody there."""

from __future__ import annotations

import json
import time

import pytest

from tests.support import raw_http
from tests.support.product import Customer, Shop, eventually

ADDRESS = "127.0.0.2"
LONGEST_SECONDS = 120


def call_of(customer: Customer, *, keep: bool, text: str = "[[output=2]] Hi", stream: bool = False) -> bytes:
    messages = [{"role": "user", "content": text}]
    body = json.dumps({"model": "gpt-5-mini", "stream": stream, "messages": messages}).encode()
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        f"host: {customer.host}",
        f"authorization: Bearer {customer.key}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *([] if keep else ["connection: close"]),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answered(reply: raw_http.Reply | None) -> raw_http.Reply | None:
    return reply if reply is not None and reply.status == 200 else None


def is_leaving(port: int) -> bool:
    reply = raw_http.exchange(port, b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", ADDRESS)
    return reply is not None and reply.status == 503


@pytest.mark.parametrize("workers", [1, 2])
def test_no_call_that_a_late_balancer_sends_is_refused(any_shop: Shop, workers: int) -> None:
    customer = any_shop.customer()
    options = ("--shutdown-delay", "3", "--workers", str(workers))
    with any_shop.installation.serving(ADDRESS, options=options) as server:
        process = server.child.process
        # A process that has just begun may be kept from its lease by what else the machine does.
        before = eventually(
            lambda: answered(raw_http.exchange(server.port, call_of(customer, keep=False), ADDRESS)), "200"
        )
        with raw_http.connection(server.port, ADDRESS) as long:
            # While it is finished the process is there for longer than anybody sends it calls.
            long.sendall(call_of(customer, keep=True, text="[[output=40 pace=0.4]] Hi", stream=True))
            begun = raw_http.read_until(long, b"data: ")
            process.terminate()
            # Each worker hears of it in its own time.
            eventually(lambda: all(is_leaving(server.port) for _ in range(6)), "the signal")
            answers: list[raw_http.Reply] = []
            until = time.monotonic() + LONGEST_SECONDS
            while time.monotonic() < until:
                try:
                    # To the end of the connection: nothing but the server ends it here.
                    reply = raw_http.exchange(server.port, call_of(customer, keep=True), ADDRESS)
                except ConnectionError:
                    break
                if reply is None:
                    break
                answers.append(reply)
                time.sleep(0.03)  # no more calls a minute than are allowed
            else:
                raise AssertionError("it goes on listening")
            streamed = raw_http.parse(begun + raw_http.read_all(long))
        assert streamed is not None
        assert b"data: [DONE]" in streamed.body
        refused = [reply for reply in answers if reply.status != 200]
        # Where the process stood still past its lease it is right to refuse.
        assert not refused or "the lease had run out" in server.child.log.read_text(), refused[0]
        assert {reply.header("connection") for reply in answers} == {"close"}
        assert len(answers) > 5 + len(refused)
        assert process.wait(60) == 0
    records = any_shop.ask("usage", "list", *customer.owner, "--limit", "1000")["records"]
    charged = {record["id"] for record in records if record["status"] == "ok"}
    assert charged == {reply.header("x-request-id") for reply in (before, streamed, *answers) if reply.status == 200}
