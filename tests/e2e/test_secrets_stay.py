"""Secrets are sown wherever one may come in, calls and faults run, and none turns up where anybody looks.

Odd forms on purpose: what no pattern can know must not have been written at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.support.accounts import Visitor
from tests.support.otlp import Collector, collecting
from tests.support.product import Shop, eventually, open_shop
from tests.support.raw_upstream import RESET, answer, completion, event, stream_head

DESK = "desk.localhost"
UPSTREAM_KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"
"""Hex, as some providers have it: of no form that a pattern could tell from an id."""
MAIL_PASSWORD = "plum.jam.on.toast"
COLLECTOR_PASSWORD = "quiet.owl.at.noon"
MASTER = "a master key of plain words: window, gravel, accordion, 7"
PASSWORD = "wet paint dries slowly 42"
WRONG = "nobody has ever used this 43"
PROMPT = "the patient of room seven is called Ottilie"


@dataclass
class Sown:
    """Everything secret, by what it is, and every answer that strangers and customers got."""

    secrets: dict[str, str] = field(default_factory=dict)
    answers: list[httpx.Response] = field(default_factory=list)

    def found_in(self, text: str) -> list[str]:
        return [name for name, secret in self.secrets.items() if secret in text]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as made:
        yield made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Shop]:
    environment = {
        "RESELLER_KIT_SECRET_KEY": MASTER,
        "RESELLER_KIT_OTLP_URL": f"http://watcher:{COLLECTOR_PASSWORD}@127.0.0.1:{collector.port}",
        "RAWFEED_KEY": UPSTREAM_KEY,
    }
    with open_shop(tmp_path_factory.mktemp("sown"), environment=environment) as made:
        yield made


@pytest.fixture(scope="module")
def sown(shop: Shop, collector: Collector) -> Sown:
    """The secrets of all that ran: good calls, refusals, faults of the upstream and of the database, log-ins."""
    sown = Sown({"upstream key": UPSTREAM_KEY, "master": MASTER, "collector": COLLECTOR_PASSWORD})
    sown.secrets |= {"password": PASSWORD, "wrong password": WRONG, "prompt": PROMPT}
    call(shop, sown)
    misplace(shop, sown)
    fail(shop, sown)
    visit(shop, sown)
    manage(shop, sown)
    last = sown.answers[-1].headers["x-request-id"]
    eventually(lambda: last in shop.log(), "the last line")
    eventually(lambda: any(last.encode() in raw for raw in collector.raw), "the last trace")
    return sown


def call(shop: Shop, sown: Sown) -> None:
    customer = shop.customer()
    sown.secrets["customer's key"] = customer.key
    sown.answers += [shop.call(customer, PROMPT, model="tiny"), shop.call(customer, PROMPT, model="no-such-model")]
    shop.rawfeed.will([answer(completion("fine"))])
    sown.answers.append(shop.call(customer, PROMPT, model="raw"))


def misplace(shop: Shop, sown: Sown) -> None:
    """Keys where none belongs: in queries, paths, odd headers, bodies that are none."""
    key, host = sown.secrets["customer's key"], "solaria.localhost"
    for path in (f"/v1/models?key={key}", f"/v1/{key}", f"/{key}", f"/v1/models/{key}", f"/pricing?x={key}"):
        sown.answers.append(shop.get(path, host))
    for header in ("authorization", "x-api-key", "x-goog-api-key", "cookie", "referer", "user_agent", "origin"):
        sown.answers.append(shop.get("/v1/models", host, **{header: f"{key}x"}))
    for body in (
        key.encode(),
        json.dumps({"model": key}).encode(),
        json.dumps({"model": "tiny", key: PROMPT}).encode(),
    ):
        asked = {"authorization": f"Bearer {key}", "content_type": "application/json"}
        sown.answers.append(shop.request("POST", "/v1/chat/completions", host, body, **asked))
    sown.answers.append(shop.get("/", f"{PASSWORD.replace(' ', '-')}.example"))


def fail(shop: Shop, sown: Sown) -> None:
    """An upstream that repeats its key in every way, and one that breaks off."""
    customer = shop.customer()
    sown.secrets["another key"] = customer.key
    told = {"error": {"message": f"Key {UPSTREAM_KEY} of {UPSTREAM_KEY}", "code": UPSTREAM_KEY, "type": "x"}}
    for status in (400, 401, 403, 429, 500):
        script = [answer(told, status)]
        shop.rawfeed.will(*[script] * 4)
        for stream in (False, True):
            sown.answers.append(shop.call(customer, "Hi", model="raw", stream=stream))
            shop.revive()
    shop.rawfeed.will([stream_head(), event(error=told["error"])], [stream_head(), event(error=told["error"])])
    sown.answers.append(shop.call(customer, "Hi", model="raw", stream=True))
    shop.rawfeed.will([RESET], [RESET], [RESET])
    sown.answers.append(shop.call(customer, "Hi", model="raw"))
    shop.rawfeed.will([answer(UPSTREAM_KEY.encode())], [answer(UPSTREAM_KEY.encode())])
    sown.answers.append(shop.call(customer, "Hi", model="raw"))


def visit(shop: Shop, sown: Sown) -> None:
    """A customer signs up by mail, logs in wrongly and rightly, asks for a new password, makes a key."""
    visitor, address = Visitor(shop, "lunaris"), "ida@lunaris.example"
    visitor.send("/signup", email=address, password=PASSWORD, name="Ida", terms="yes")
    link = visitor.link(address, "confirm your address")
    sown.secrets["confirming link"] = link.partition("token=")[2]
    sown.answers += [visitor.get(link), visitor.get(link), visitor.get(f"/verify?token={WRONG}")]
    sown.answers += [visitor.log_in(address, WRONG), visitor.log_in(address, PASSWORD)]
    for name, value in visitor.http.cookies.items():
        sown.secrets[f"cookie {name}"] = value
    visitor.send("/reset", email=address)
    link = visitor.link(address, "set a new password")
    sown.secrets["resetting link"] = link.partition("token=")[2]
    sown.answers.append(visitor.get(link))


def manage(shop: Shop, sown: Sown) -> None:
    made = shop.ask("token", "create", "--tenant", "solaria", "--name", "sown", "--scopes", "customers:read")
    sown.secrets["management token"] = next(v for k, v in made.items() if k in {"token", "secret"})
    for path in ("customers", "nothing", "customers?limit=" + sown.secrets["management token"]):
        token = {"authorization": f"Bearer {sown.secrets['management token']}"}
        sown.answers.append(shop.get(f"/console/api/v1/{path}", "solaria.localhost", **token))
    signature = {"paddle_signature": f"ts=1;h1={UPSTREAM_KEY}"}
    sown.answers.append(shop.request("POST", "/webhooks/paddle", "solaria.localhost", PROMPT.encode(), **signature))


def test_the_log_has_none(shop: Shop, sown: Sown) -> None:
    log = shop.log()
    assert log.count("failed (") > 10
    assert sown.found_in(log) == []


def test_metrics_have_none(shop: Shop, sown: Sown) -> None:
    text = shop.get("/metrics", DESK).text
    assert "reseller_kit_attempts_total" in text
    assert sown.found_in(text) == []


def test_traces_have_none(collector: Collector, sown: Sown) -> None:
    raw = b"".join(collector.raw).decode("latin-1")
    assert "authenticate" in raw
    assert sown.found_in(raw) == []


def test_refusals_have_none(sown: Sown) -> None:
    refused = [each for each in sown.answers if each.status_code >= 400]
    assert len(refused) > 20
    for each in refused:
        whole = each.text + str(each.headers)
        # A wrong value is its sender's own, and a page may show it again; what is not the sender's must not be there.
        found = {*sown.found_in(whole)} - {"customer's key"}
        assert not found, (each.request.method, each.request.url, found)


def test_the_upstreams_key_is_in_no_answer_at_all(sown: Sown) -> None:
    for each in sown.answers:
        assert UPSTREAM_KEY not in each.text + str(each.headers)


def test_the_process_list_has_none(shop: Shop, sown: Sown) -> None:
    lists = [path.read_bytes().decode("latin-1") for path in processes(shop)]
    assert lists
    assert all(sown.found_in(each) == [] for each in lists)


def processes(shop: Shop) -> list[Path]:
    """What a process list shows of the server and what it started."""
    server = shop.server.child.process.pid
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return [Path(f"/proc/{process}/cmdline") for process in (server, *children)]


def test_commands_and_what_they_print_have_none(shop: Shop, sown: Sown) -> None:
    for arguments in (
        ("doctor",),
        ("upstream", "list"),
        ("tenant", "show", "solaria"),
        ("audit", "list"),
        ("mail", "list"),
        ("key", "list", "--tenant", "solaria"),
        ("token", "list", "--tenant", "solaria"),
    ):
        result = shop.installation.run(*arguments)
        assert sown.found_in(result.stdout + result.stderr) == [], arguments


def test_the_database_has_none(shop: Shop, sown: Sown) -> None:
    for file in Path(shop.installation.environment["RESELLER_KIT_DATA_DIR"]).glob("*.db*"):
        text = file.read_bytes().decode("latin-1")
        assert sown.found_in(text) == [], file.name


def test_lines_are_whole(shop: Shop, sown: Sown) -> None:
    lines = [json.loads(line) for line in shop.log().splitlines() if line.startswith("{")]
    routes = {line["route"] for line in lines if line["message"] == "request"}
    assert {"/verify", "/login", "/reset", "/v1/chat/completions", "/console/api/v1/customers"} <= routes
    assert not [route for route in routes if re.search(r"[?=&]", route)]
