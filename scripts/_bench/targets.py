"""Starts what is measured: the upstream, the pass-through, and the product on each database. Measures nothing."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from scripts._bench.cores import Cores, pinned
from scripts._bench.scenarios import CHAT_MODEL, MESSAGES_MODEL, RESPONSES_MODEL
from scripts._lib import postgres
from scripts._lib.bootstrap import ROOT
from scripts._lib.demo.product import Operator
from scripts._lib.ports import free_port
from scripts._lib.processes import READY_SECONDS, running

MODEL: Final = CHAT_MODEL
TENANT: Final = "bench"
_EMAIL: Final = "load@bench.example"
_PAGE: Final = 1000
_CONFIG: Final = """\
schema = 1
[platform]
name = "Bench Platform"
hosts = ["platform.localhost"]
currency = "USD"
[upstreams.emulator]
dialect = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api_keys = ["env:BENCH_UPSTREAM_KEY"]
max_concurrency = 10000
[upstreams.responder]
dialect = "openai"
base_url = "http://127.0.0.1:{port}/v1"
api = ["responses"]
api_keys = ["env:BENCH_UPSTREAM_KEY"]
[upstreams.messenger]
dialect = "anthropic"
base_url = "http://127.0.0.1:{port}"
api_keys = ["env:BENCH_UPSTREAM_KEY"]
{models}\
[wholesale]
markup = "10%"
[[tenants]]
slug = "{tenant}"
name = "Bench"
status = "active"
theme = "daylight"
owners = ["owner@bench.example"]
  [[tenants.domains]]
  host = "127.0.0.1"
  role = "storefront"
  primary = true
  [tenants.pricing]
  markup = "40%"
  [tenants.limits]
  requests_per_minute = 100000000
"""
_MODEL: Final = """\
[models."{model}"]
context = 400000
max_output = 4096
routes = [{{ upstream = "{upstream}", model = "{model}" }}]
cost = {{ input = "0.25", cached_input = "0.025", cache_write = "0.30", cache_write_1h = "0.50", output = "2.00" }}
"""
_UPSTREAM_OF: Final = {CHAT_MODEL: "emulator", RESPONSES_MODEL: "responder", MESSAGES_MODEL: "messenger"}
_OTHER_TENANT: Final = """\
[[tenants]]
slug = "{tenant}"
name = "{tenant}"
status = "active"
theme = "daylight"
owners = ["owner@{tenant}.example"]
  [[tenants.domains]]
  host = "{tenant}.localhost"
  role = "storefront"
  primary = true
  [tenants.pricing]
  markup = "25%"
"""


class WrongBooks(RuntimeError):
    """The calls were answered but not accounted for as they should be."""


@dataclass(frozen=True)
class Target:
    """A server under load. `pid` is whose processor time counts, `database_pid` the database server's, if any.

    `headers` are sent with each call. `more_keys` are of customers that call beside the one of `key`. One with more
    `load` gets as many times the connections and calls, a slow one a `share` of the calls, and is not asked what is
    `timed`. Calls that a `peer` fails are counted; one that fails at any other target ends the run.
    """

    name: str
    port: int
    pid: int
    key: str = "sk-bench"
    database_pid: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    share: float = 1.0
    timed: bool = True
    peer: bool = False
    more_keys: tuple[str, ...] = ()
    load: int = 1


@dataclass(frozen=True)
class Books:
    """What the product's own audit said after the load."""

    target: str
    calls: int
    usage_records: int
    audit: dict[str, Any]

    def check(self) -> None:
        """Raises WrongBooks when a call is missing, doubled or wrongly posted."""
        if self.usage_records != self.calls:
            raise WrongBooks(
                f"{self.target}: {self.calls} calls were answered, {self.usage_records} usage records exist"
            )
        if not self.audit["ok"]:
            raise WrongBooks(f"{self.target}: the audit has findings: {self.audit['findings'][:5]}")


@contextmanager
def emulator(scratch: Path, cores: Cores, burst: int) -> Iterator[Target]:
    """The upstream: answers made in advance, on the core of the load."""
    port = free_port()
    options = ("--load", "--burst", str(burst), "--port", str(port))
    command = [sys.executable, str(ROOT / "scripts" / "emulator"), *options]
    with on_core(cores.other, "emulator", command, scratch, port) as pid:
        yield Target("direct", port, pid)


@contextmanager
def passthrough(scratch: Path, cores: Cores, upstream: Target) -> Iterator[Target]:
    """The yardstick, on the measured core."""
    port = free_port()
    command = [sys.executable, "-m", "scripts._bench.passthrough", str(port), str(upstream.port)]
    with on_core(cores.measured, "pass-through", command, scratch, port) as pid:
        yield Target("pass-through", port, pid)


@dataclass(frozen=True)
class Provisioned:
    """The product's database with one storefront, and no server on it."""

    operator: Operator
    data: Path
    server: postgres.Server | None

    @property
    def database_url(self) -> str:
        """As RESELLER_KIT_DATABASE_URL takes it."""
        if self.server is not None:
            return self.server.url()
        return f"sqlite+aiosqlite:///{self.data / 'reseller_kit.db'}"

    @property
    def database_pid(self) -> int | None:
        """The database server, if there is one."""
        return None if self.server is None else self.server.pid

    @property
    def secret_key(self) -> str:
        """What opens the vault."""
        given = self.operator.environment.get("RESELLER_KIT_SECRET_KEY")
        return (self.data / "secret.key").read_text().strip() if given is None else given


@contextmanager
def provisioned(
    scratch: Path, cores: Cores, backend: str, upstream_port: int = 9, *, others: Sequence[str] = (), keep: bool = False
) -> Iterator[Provisioned]:
    """Storefronts with wholesale balance on "sqlite" or "postgres", made through the product's command line.

    One, and those that `others` names. With `keep` everything lies in `scratch`, and what is there already is used.
    """
    data = scratch / backend
    made = data / "provisioned"
    data.mkdir(exist_ok=keep)
    with _database(backend, cores, data / "server" if keep else None) as server:
        operator = Operator(_environment(data, upstream_port, server, others))
        if server is not None:
            operator.run("db", "upgrade")
        if not made.exists():
            operator.run("apply", "--yes")
            for tenant in (TENANT, *others):
                operator.run("wholesale", "deposit", "--tenant", tenant, "--amount", "1000000.00", "--reason", "load")
            made.touch()
        yield Provisioned(operator, data, server)


@contextmanager
def gateway(scratch: Path, cores: Cores, upstream: Target, backend: str) -> Iterator[tuple[Target, Operator]]:
    """The product on "sqlite" or "postgres", provisioned through its own command line."""
    with (
        provisioned(scratch, cores, backend, upstream.port) as place,
        serving(scratch, cores, place, f"gateway, {backend}", customer(place.operator)) as target,
    ):
        yield target, place.operator


@contextmanager
def serving(
    scratch: Path, cores: Cores, place: Provisioned, name: str, key: str, options: Sequence[str] = ()
) -> Iterator[Target]:
    """A server on what was provisioned. `options`: of `reseller-kit serve`."""
    port = free_port()
    command = [sys.executable, "-m", "reseller_kit", "serve", "--host", "127.0.0.1", "--port", str(port), *options]
    with on_core(cores.measured, name, command, scratch, port, place.operator.environment) as pid:
        yield Target(name, port, pid, key, place.database_pid)


def count_usage(target: Target) -> int:
    """The customers' usage records, counted through the product's API."""
    return sum(_count_usage(target, key) for key in (target.key, *target.more_keys))


def _count_usage(target: Target, key: str) -> int:
    total, cursor = 0, None
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(
        base_url=f"http://127.0.0.1:{target.port}", headers=headers, trust_env=False, timeout=60
    ) as client:
        while True:
            query = {"limit": str(_PAGE), **({"cursor": cursor} if cursor else {})}
            page = client.get("/v1/usage", params=query).raise_for_status().json()
            total += len(page["records"])
            cursor = page["next_cursor"]
            if cursor is None:
                return total


@contextmanager
def on_core(
    core: int,
    name: str,
    command: Sequence[str],
    scratch: Path,
    port: int,
    environment: Mapping[str, str] | None = None,
    *,
    ready_seconds: float = READY_SECONDS,
) -> Iterator[int]:
    """A server on one core, by its pid."""
    log = scratch / f"{name.replace(', ', '-')}.log"
    with ExitStack() as stack:
        with pinned(core):
            started = running(
                name,
                command,
                log=log,
                answers_on=[("127.0.0.1", port)],
                environment=environment,
                ready_seconds=ready_seconds,
            )
            child = stack.enter_context(started)
        yield child.process.pid


@contextmanager
def _database(backend: str, cores: Cores, keep: Path | None) -> Iterator[postgres.Server | None]:
    with ExitStack() as stack:
        server = None
        if backend == "postgres":
            with pinned(cores.other):
                server = stack.enter_context(postgres.running_server(durable=True, keep=keep))
        yield server


def _environment(
    data: Path, upstream_port: int, server: postgres.Server | None, others: Sequence[str]
) -> dict[str, str]:
    config = data / "tenants.toml"
    models = "".join(_MODEL.format(model=model, upstream=upstream) for model, upstream in _UPSTREAM_OF.items())
    text = _CONFIG.format(port=upstream_port, models=models, tenant=TENANT)
    config.write_text(text + "".join(_OTHER_TENANT.format(tenant=tenant) for tenant in others), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RESELLER_KIT_")}
    own = {
        "BENCH_UPSTREAM_KEY": "sk-bench-upstream",
        "RESELLER_KIT_DATA_DIR": str(data),
        "RESELLER_KIT_CONFIG": str(config),
    }
    if server is not None:
        secret = data / "secret_key"
        if not secret.exists():
            secret.write_text(secrets.token_urlsafe(48))
        own |= {"RESELLER_KIT_DATABASE_URL": server.url(), "RESELLER_KIT_SECRET_KEY": secret.read_text()}
    return kept | own


def customer(operator: Operator) -> str:
    """The key of a customer with more credit than the load can spend."""
    owner = ("--tenant", TENANT, "--customer", _EMAIL)
    operator.run("customer", "create", "--tenant", TENANT, "--email", _EMAIL)
    operator.run("credit", "grant", *owner, "--amount", "1000000.00", "--reason", "load")
    key: str = operator.run("key", "create", *owner)["key"]
    return key
