"""The product as its customers meet it, for end-to-end tests: storefronts, emulators and a server, all real processes.

`shop.toml` says which storefronts there are. Each test makes its own customers, so that tests do not meet.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import string
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
from openai import AsyncOpenAI, OpenAI

from scripts._lib.commands import run_here
from scripts._lib.demo.oracle import Amounts, Oracle, Usage
from scripts._lib.ports import free_port
from scripts._lib.processes import running
from tests.support.raw_upstream import RawUpstream, raw_upstream
from tests.support.server import PRODUCT, Emulator, Installation, Server, emulator, make_installation

T = TypeVar("T")

TEMPLATE: Final = Path(__file__).with_name("shop.toml")
UPSTREAMS: Final = ("mainspring", "sparewheel", "rawfeed")
SECRETS: Final = {f"{name.upper()}_KEY": f"secret-of-{name}-0123456789" for name in UPSTREAMS}
ADDRESSES: Final = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
LITERALS: Final = {"solaria": "127.0.0.2", "lunaris": "127.0.0.3"}
UNFUNDED: Final = frozenset({"pauper", "partaker", "sketch", "bygone"})
PATIENCE_SECONDS: Final = 60.0
MILLION: Final = 1_000_000
_KEY_GAUGE: Final = re.compile(r'reseller_kit_upstream_keys\{state="(\w+)",upstream="(\w+)"\} ([0-9.e+]+)')
_NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True)
class Customer:
    """A customer with one key, and where its calls go."""

    slug: str
    email: str
    id: str
    key_id: str
    key: str
    origin: str
    host: str

    @property
    def headers(self) -> dict[str, str]:
        """What its requests carry."""
        return {"authorization": f"Bearer {self.key}", "host": self.host}

    @property
    def owner(self) -> tuple[str, ...]:
        """How commands name it."""
        return ("--tenant", self.slug, "--customer", self.email)


@dataclass
class Shop:
    """Running storefronts with what stands behind them."""

    installation: Installation
    mainspring: Emulator
    sparewheel: Emulator
    rawfeed: RawUpstream
    server: Server
    text: str
    http: httpx.Client

    @cached_property
    def oracle(self) -> Oracle:
        """The second opinion on prices and charges, from the file alone."""
        return Oracle(tomllib.loads(self.text))

    def ask(self, *arguments: str) -> Any:
        """Run a command of the product that has to succeed; its JSON document."""
        code, document = self.try_(*arguments)
        assert code == 0, f"{arguments} ended with {code}: {document}"
        return document

    def try_(self, *arguments: str) -> tuple[int, Any]:
        """Run a command with --json in this process; exit code and document."""
        code, out, _ = run_here([*arguments, "--json"], self.installation.environment)
        return code, json.loads(out)

    def customer(self, slug: str = "solaria", credit: str | None = "5.00", **terms: str) -> Customer:
        """A customer of its own for a test, with credit and a key; `terms` are options of `key create`."""
        email = f"customer{next(_NUMBERS)}@{slug}.example"
        made = self.ask("customer", "create", "--tenant", slug, "--email", email)
        if credit is not None:
            self.grant(slug, email, credit)
        return self.with_key(slug, email, made["id"], **terms)

    def with_key(self, slug: str, email: str, customer_id: str, **terms: str) -> Customer:
        """The customer with a further key."""
        options = [part for name, value in terms.items() for part in (f"--{name}", value)]
        key = self.ask("key", "create", "--tenant", slug, "--customer", email, *options)
        literal = LITERALS.get(slug)
        host = f"{literal or f'{slug}.localhost'}:{self.server.port}"
        origin = f"http://{literal or '127.0.0.1'}:{self.server.port}"
        return Customer(slug, email, customer_id, key["id"], key["key"], origin, host)

    def grant(self, slug: str, email: str, amount: str) -> None:
        """Give a customer credit."""
        self.ask("credit", "grant", "--tenant", slug, "--customer", email, "--amount", amount, "--reason", "test")

    def sdk(self, customer: Customer, **options: Any) -> OpenAI:
        """The official client as this customer would use it, without its retries."""
        return OpenAI(**{**self._sdk_options(customer), "http_client": self.http, **options})

    @contextlib.asynccontextmanager
    async def async_sdk(self, customer: Customer) -> Any:
        """The official asynchronous client."""
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
        async with httpx.AsyncClient(trust_env=False, timeout=60, limits=limits) as client:
            yield AsyncOpenAI(**{**self._sdk_options(customer), "http_client": client})

    def _sdk_options(self, customer: Customer) -> dict[str, Any]:
        return {
            "base_url": f"{customer.origin}/v1",
            "api_key": customer.key,
            "max_retries": 0,
            "default_headers": {"Host": customer.host},
        }

    def call(self, customer: Customer, text: str = "Hi", model: str = "gpt-5-mini", **body: Any) -> httpx.Response:
        """A plain chat request without the SDK, so that the whole answer can be looked at."""
        document = {"model": model, "messages": [{"role": "user", "content": text}], **body}
        headers = {**customer.headers, **body.pop("headers", {})}
        document.pop("headers", None)
        return self.http.post(f"{customer.origin}/v1/chat/completions", json=document, headers=headers)

    def get(self, path: str, host: str, **headers: str) -> httpx.Response:
        """A GET on a storefront by its Host header, redirects as they are."""
        return self.request("GET", path, host, b"", **headers)

    def request(self, method: str, path: str, host: str, content: bytes = b"", **headers: str) -> httpx.Response:
        """Any request on a storefront by its Host header; underscores in header names stand for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.server.port}{path}"
        return self.http.request(method, url, headers={"host": host, **sent}, content=content)

    def apply(self, text: str, *options: str) -> list[dict[str, Any]]:
        """Make the product say what this tenants.toml says; the changes."""
        file = self.installation.folder / "tenants.toml"
        file.write_text(text)
        changes: list[dict[str, Any]] = self.ask("apply", "-f", str(file), "--yes", *options)["changes"]
        return changes

    def records(self, customer: Customer) -> list[dict[str, Any]]:
        """The operator's usage records of a customer, oldest first."""
        found: list[dict[str, Any]] = self.ask("usage", "list", *customer.owner)["records"]
        return found[::-1]

    def record(self, customer: Customer, request_id: str) -> dict[str, Any]:
        """The operator's usage record of one call."""
        return next(record for record in self.records(customer) if record["id"] == request_id)

    def journal(self, request_id: str) -> list[dict[str, Any]]:
        """What both emulators say they answered for one call."""
        found = []
        for upstream in (self.mainspring, self.sparewheel):
            url = f"http://127.0.0.1:{upstream.port}/journal?client_request_id={request_id}"
            found += [json.loads(line) for line in self.http.get(url).text.splitlines()]
        return found

    def balance(self, customer: Customer) -> dict[str, Any]:
        """The customer's credit."""
        document: dict[str, Any] = self.ask("credit", "balance", *customer.owner)
        return document

    def expected(self, record: Mapping[str, Any], usage: Mapping[str, Any], text: str | None = None) -> Amounts:
        """The three charges of a call by the file (or by another one's text) and the upstream's own usage object."""
        oracle = self.oracle if text is None else Oracle(tomllib.loads(text))
        slug = record["customer"].partition("@")[2].removesuffix(".example")
        route = (record["upstream"], record["upstream_model"])
        return oracle.amounts(slug, record["public_model"], *route, priced(usage))

    def assert_books_are_right(self) -> None:
        """The audit finds nothing and nothing is held."""
        report = self.ask("ledger", "audit")
        assert report["ok"], report
        assert report["findings"] == []
        assert report["imbalance"] == "0.00"
        assert report["open_holds"] == 0

    @contextmanager
    def beside(self, workers: int = 1) -> Iterator[Shop]:
        """The same storefronts and database behind a server more, of so many processes."""
        with _serving(self.installation, workers) as server:
            yield replace(self, server=server)

    def key_states(self) -> dict[tuple[str, str], int]:
        """How many keys of each upstream are in each state, as the serving process has it."""
        return {
            (upstream, state): int(float(count))
            for state, upstream, count in _KEY_GAUGE.findall(self.get("/metrics", "desk.localhost").text)
        }

    def revive(self) -> None:
        """Every upstream's keys are used again: for tests that make one refuse what all others send it too."""

        def revived() -> bool:
            if not any(count for (_, state), count in self.key_states().items() if state != "ok"):
                return True
            for name in UPSTREAMS:
                self.ask("upstream", "unpark", name)
            return False

        eventually(revived, "keys that are used again")

    def log(self) -> str:
        """Everything that the server printed."""
        return self.server.child.log.read_text(encoding="utf-8", errors="replace")


def api_request(customer: Customer, path: str, document: Mapping[str, Any]) -> bytes:
    """A request of the API byte for byte; the connection is closed after its answer."""
    content = json.dumps(document).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {customer.host}\r\nauthorization: Bearer {customer.key}\r\n"
        f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + content


def chat_request(customer: Customer, text: str, **body: Any) -> bytes:
    """A chat request byte for byte."""
    document = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": text}], **body}
    return api_request(customer, "/v1/chat/completions", document)


def priced(usage: Mapping[str, Any]) -> Usage:
    """OpenAI's usage object by price class."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return Usage(input=usage["prompt_tokens"] - cached, cached_input=cached, output=usage["completion_tokens"])


def amounts_of(record: Mapping[str, Any]) -> Amounts:
    """The three charges that a usage record states."""
    return Amounts(Fraction(record["retail"]), Fraction(record["wholesale"]), Fraction(record["cost"]))


def eventually(find: Callable[[], T | None], what: str = "it", seconds: float = PATIENCE_SECONDS) -> T:
    """The first result of `find` that is true, however loaded the machine is."""
    deadline = time.monotonic() + seconds
    while True:
        found = find()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.05)


@contextmanager
def open_shop(
    folder: Path,
    database_url: str | None = None,
    *,
    workers: int = 1,
    template: Path = TEMPLATE,
    emulator_options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Shop]:
    """Storefronts that serve, on SQLite in `folder` or on a given empty database."""
    with (
        prepared_shop(
            folder, database_url, emulator_options=emulator_options, template=template, environment=environment
        ) as prepare,
        prepare(workers) as shop,
    ):
        yield shop


@contextmanager
def prepared_shop(
    folder: Path,
    database_url: str | None = None,
    *,
    emulator_options: Sequence[str] = (),
    template: Path = TEMPLATE,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Callable[[int], contextlib.AbstractContextManager[Shop]]]:
    """Storefronts that are applied and not served yet: calling the result starts a server with that many processes."""
    with ExitStack() as stack:
        first = stack.enter_context(emulator(folder, "--name", "mainspring", *emulator_options))
        second = stack.enter_context(emulator(folder, "--name", "sparewheel", *emulator_options))
        raw = stack.enter_context(raw_upstream())
        http = stack.enter_context(httpx.Client(trust_env=False, timeout=60))
        installation = make_installation(folder, database_url, **{**SECRETS, **(environment or {})})
        text = string.Template(template.read_text()).substitute(
            mainspring=first.base_url,
            mainspring_origin=first.origin,
            sparewheel=second.base_url,
            rawfeed=raw.base_url,
        )
        _provision(installation, folder, text, on_postgres=database_url is not None)

        @contextmanager
        def serve(workers: int) -> Iterator[Shop]:
            with _serving(installation, workers) as server:
                yield Shop(installation, first, second, raw, server, text, http)

        yield serve


@contextmanager
def _serving(installation: Installation, workers: int) -> Iterator[Server]:
    port = free_port(*ADDRESSES)
    hosts = [part for address in ADDRESSES for part in ("--host", address)]
    command = [*PRODUCT, "serve", "--port", str(port), "--workers", str(workers), *hosts]
    log = installation.folder / f"server-{next(_NUMBERS)}.log"
    answers_on = [(address, port) for address in ADDRESSES]
    with running("the server", command, log=log, answers_on=answers_on, environment=installation.environment) as child:
        yield Server(ADDRESSES, port, child)


def _provision(installation: Installation, folder: Path, text: str, *, on_postgres: bool) -> None:
    file = folder / "tenants.toml"
    file.write_text(text)
    slugs = [tenant["slug"] for tenant in tomllib.loads(text)["tenants"]]
    deposits = [
        ["wholesale", "deposit", "--tenant", slug, "--amount", "1000.00", "--reason", "test"]
        for slug in slugs
        if slug not in UNFUNDED
    ]
    upgrade = [["db", "upgrade"]] if on_postgres else []
    for command in (*upgrade, ["apply", "-f", str(file), "--yes"], *deposits):
        code, out, err = run_here([*command, "--json"], installation.environment)
        assert code == 0, f"{command} ended with {code}: {out}{err}"
