"""A pool of keys of which some are bad: no customer notices, none is asked again, and new ones need no restart."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.databases import Databases, url_for_processes
from tests.support.product import Customer, Shop, eventually, open_shop

pytestmark = pytest.mark.thorough

KEYS = {name: f"sk-{name}-0123456789" for name in ("bad", "busy", "fine", "new")}
BUSY_SECONDS = 3
TEMPLATE = """
schema = 1
[platform]
name = "Zephyrline Wholesale"
hosts = ["desk.localhost"]
storefront_suffix = "stalls.localhost"
alert_emails = ["ops@zephyrline.example"]
[upstreams.mainspring]
dialect = "openai"
base_url = "$mainspring"
api_keys = ["file:$folder/bad", "file:$folder/busy", "file:$folder/fine"]
[models."gpt-5-mini"]
context = 400000
max_output = 128000
routes = [{ upstream = "mainspring", model = "gpt-5-mini" }]
cost = { input = "0.25", output = "2.00" }
[[tenants]]
slug = "solaria"
name = "Solaria"
  [[tenants.domains]]
  host = "127.0.0.2"
  [tenants.pricing]
  markup = "40%"
"""


def shown(name: str) -> str:
    """A key as the emulator's journal has it."""
    return "sha256:" + hashlib.sha256(KEYS[name].encode()).hexdigest()[:12]


@contextmanager
def opened_pool(
    folder: Path, url: str | None, workers: int, *edits: tuple[str, str], options: Sequence[str] = ()
) -> Iterator[Shop]:
    """A shop on a pool of three keys: one refused, one that has too much, one fine."""
    text = TEMPLATE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    for name, secret in KEYS.items():
        (folder / name).write_text(secret)
    template = folder / "pool.toml"
    template.write_text(text.replace("$folder", str(folder)))
    emulated = [
        *options,
        *("--for-key", f"{KEYS['bad']}=status=401"),
        *("--for-key", f"{KEYS['busy']}=status=429 retry_after={BUSY_SECONDS}"),
    ]
    with open_shop(folder, url, workers=workers, template=template, emulator_options=emulated) as shop:
        yield shop


async def burst(shop: Shop, customer: Customer, calls: int) -> Counter[int]:
    """Statuses of so many calls, twenty at a time, over connections of their own so that both workers get some."""
    places = asyncio.Semaphore(20)

    async def call(number: int) -> int:
        # A conversation keeps to one key: these are as many.
        said = f"Hello, I am {number} of {calls}"
        async with places, httpx.AsyncClient(trust_env=False, timeout=60) as client:
            body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": said}], "max_tokens": 5}
            answer = await client.post(f"{customer.origin}/v1/chat/completions", json=body, headers=customer.headers)
            return answer.status_code

    return Counter(await asyncio.gather(*(call(number) for number in range(calls))))


def moments(lines: list[dict[str, Any]], key: str) -> list[float]:
    """When calls over a key were answered, in seconds."""
    return sorted(datetime.fromisoformat(line["time"]).timestamp() for line in lines if line["key"] == shown(key))


def calls_of(shop: Shop) -> list[dict[str, Any]]:
    return [line for line in shop.mainspring.journal() if line["method"] == "POST"]


def states(shop: Shop) -> list[str]:
    return [key["state"] for key in shop.ask("upstream", "list")["upstreams"][0]["keys"]]


def test_a_pool_with_a_refused_and_a_busy_key(backend: str, databases: Databases, tmp_path: Path) -> None:
    with url_for_processes(backend, databases) as url, opened_pool(tmp_path, url, 2) as shop:
        run_over_bad_keys(shop)


def run_over_bad_keys(shop: Shop) -> None:
    customer = shop.customer(credit="50.00")
    assert asyncio.run(burst(shop, customer, 200)) == {200: 200}
    eventually(lambda: len(calls_of(shop)) >= 200, "the journal")
    eventually(lambda: states(shop)[0] == "parked", "the refused key is parked for all")
    first = calls_of(shop)
    assert len(first) <= 200 + 2 * 20 * 2, "each worker's calls side by side, over either bad key, once"
    # From here on every process knows.
    eventually(lambda: asyncio.run(burst(shop, customer, 10)) == {200: 10})
    asked = len(moments(calls_of(shop), "bad"))
    assert asyncio.run(burst(shop, customer, 60)) == {200: 60}
    assert len(moments(calls_of(shop), "bad")) == asked, "a parked key is not asked"
    # Within its time nobody asks the busy key: its requests come in bursts at least that far apart.
    busy = moments(calls_of(shop), "busy")
    gaps = [after - before for before, after in itertools.pairwise(busy)]
    assert all(gap < 1.0 or gap > BUSY_SECONDS - 1.0 for gap in gaps), gaps
    folder = shop.installation.folder / "data" / "mail"
    mail = eventually(lambda: [one for one in folder.glob("*.eml") if "ops@zephyrline" in one.read_text()], "the alert")
    assert len(mail) == 1
    text = mail[0].read_text()
    assert "ops@zephyrline.example" in text
    assert not any(secret in text for secret in KEYS.values())
    log = shop.log()
    assert "is parked" in log
    assert not any(secret in log for secret in KEYS.values())
    assert any(finding["code"] == "DR111" for finding in shop.try_("doctor")[1]["findings"])
    shop.assert_books_are_right()


def test_new_secrets_take_over_without_a_restart(tmp_path: Path) -> None:
    with opened_pool(tmp_path, None, 2) as shop:
        change_secrets(shop)


def change_secrets(shop: Shop) -> None:
    customer = shop.customer(credit="50.00")
    assert asyncio.run(burst(shop, customer, 40)) == {200: 40}
    folder = shop.installation.folder
    slow = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "[[output=20 pace=0.15]]"}], "stream": True}
    with (
        httpx.Client(trust_env=False, timeout=60) as client,
        client.stream(
            "POST", f"{customer.origin}/v1/chat/completions", json=slow, headers=customer.headers
        ) as under_way,
    ):
        pieces = under_way.iter_text()
        next(pieces)
        for name in ("bad", "busy", "fine"):
            (folder / name).write_text(KEYS["new"] + name)
        shop.apply(shop.text)

        def only_new() -> bool:
            before = len(calls_of(shop))
            assert asyncio.run(burst(shop, customer, 10)) == {200: 10}
            seen = {line["key"] for line in calls_of(shop)[before:]}
            return seen.isdisjoint({shown("bad"), shown("busy"), shown("fine")})

        eventually(only_new, "calls over the new keys alone", 10.0)
        rest = "".join(pieces)
    assert "[DONE]" in rest, "what was under way ends on its old key"
    assert states(shop) == ["ok"] * 3
    shop.assert_books_are_right()


def test_a_key_is_checked_and_unparked(tmp_path: Path) -> None:
    with opened_pool(tmp_path, None, 1) as shop:
        check_and_unpark(shop)


def check_and_unpark(shop: Shop) -> None:
    customer = shop.customer(credit="50.00")
    asyncio.run(burst(shop, customer, 10))
    eventually(lambda: states(shop)[0] == "parked", "the refused key is parked")
    code, report = shop.try_("upstream", "check")
    health = [key["health"] for key in report["upstreams"][0]["keys"]]
    assert (code, health[0], health[2]) == (6, "failed", "ok")
    (fingerprint, *_) = (key["fingerprint"] for key in report["upstreams"][0]["keys"])
    asked = len(moments(calls_of(shop), "bad"))
    shop.ask("upstream", "unpark", "mainspring", "--key", fingerprint)

    def asked_again() -> bool:
        assert asyncio.run(burst(shop, customer, 5)) == {200: 5}
        return len(moments(calls_of(shop), "bad")) > asked

    eventually(asked_again, "the key is asked again")
    eventually(lambda: states(shop)[0] == "parked", "and parked again")


TWO_FINE = ('"file:$folder/bad", "file:$folder/busy", ', '"file:$folder/new", ')


@pytest.mark.parametrize(
    ("limits", "said"),
    [("requests_per_minute = 1", "Hello"), ("tokens_per_minute = 100", "[[input=1500 output=5]] Hello")],
)
def test_keys_are_used_up_to_their_ceilings(tmp_path: Path, limits: str, said: str) -> None:
    limited = ("[models.", f"key_limits = {{ {limits} }}\n[models.")
    with opened_pool(tmp_path, None, 1, TWO_FINE, limited) as shop:
        customer = shop.customer(credit="50.00")
        answers = [shop.call(customer, f"{said} {number}") for number in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 503, 503]
        assert int(answers[-1].headers["retry-after"]) >= 1
        eventually(lambda: len(calls_of(shop)) == 2, "the journal")
        assert {line["key"] for line in calls_of(shop)} == {shown("new"), shown("fine")}
        assert states(shop) == ["ok"] * 2
        shop.assert_books_are_right()


OUT_OF_MONEY = {
    "anthropic": ("$mainspring_origin", 'status=400 message="Your credit balance is too low to access the API."'),
    "openai": ("$mainspring", 'status=429 code=insufficient_quota message="You exceeded your current quota."'),
    "gemini": ("$mainspring_origin/v1beta", 'status=400 message="API key expired. Please renew the API key."'),
}
"""Dialect → base URL, and what a key without money or access gets: statuses that mean something else at first sight."""
UPSTREAM = """[upstreams.of-{0}]
dialect = "{0}"
base_url = "{1}"
api_keys = ["file:$folder/{0}", "file:$folder/fine"]
[models."by-{0}"]
context = 400000
max_output = 128000
routes = [{{ upstream = "of-{0}", model = "{0}-one" }}]
cost = {{ input = "0.25", output = "2.00" }}
"""


def test_keys_without_money_are_told_from_bad_requests_in_each_dialect(tmp_path: Path) -> None:
    tables = "".join(UPSTREAM.format(dialect, url) for dialect, (url, _) in OUT_OF_MONEY.items())
    options = []
    for dialect, (_, told) in OUT_OF_MONEY.items():
        (tmp_path / dialect).write_text(f"sk-{dialect}-0123456789")
        options += ["--for-key", f"sk-{dialect}-0123456789={told}"]
    with opened_pool(tmp_path, None, 1, ("[[tenants]]", f"{tables}[[tenants]]"), options=options) as shop:
        customer = shop.customer(credit="50.00")
        for dialect in OUT_OF_MONEY:
            answers = [shop.call(customer, f"Hello {number}", model=f"by-{dialect}") for number in range(10)]
            assert [answer.status_code for answer in answers] == [200] * 10, answers[0].text
            refused = shop.call(customer, "[[status=400]]", model=f"by-{dialect}")
            assert refused.status_code == 400

        def all_parked() -> bool:
            listed = {each["name"]: each["keys"] for each in shop.ask("upstream", "list")["upstreams"]}
            found = [[key["state"] for key in listed[f"of-{dialect}"]] for dialect in OUT_OF_MONEY]
            return found == [["parked", "ok"]] * len(OUT_OF_MONEY)

        eventually(all_parked, "keys without money are parked, and those of bad requests are not")
