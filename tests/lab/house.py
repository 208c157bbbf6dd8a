"""The product with the upstreams of some scenarios behind it: one installation, a server for each run."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from scripts._lib.demo.oracle import Oracle
from scripts._lib.ports import free_port
from scripts._lib.processes import Child, running
from tests.lab.load import Target
from tests.lab.scenario import LabRoute, Malformed, Scenario
from tests.lab.upstream import LabUpstream, lab_upstreams
from tests.support.commands import Cli
from tests.support.server import PRODUCT

SLUG: Final = "lab"
HOST: Final = "lab.localhost"
CREDIT: Final = "100000.00"
_PAGE: Final = 1000
_HEAD: Final = f"""schema = 1
[platform]
name = "Zephyrline Wholesale"
hosts = ["desk.localhost"]
[wholesale]
markup = "10%"
[[tenants]]
slug = "{SLUG}"
name = "Lab"
  [[tenants.domains]]
  host = "{HOST}"
  [tenants.pricing]
  markup = "40%"
"""


@dataclass(frozen=True)
class Customer:
    """A customer with credit and one key."""

    email: str
    id: str
    key: str


@dataclass
class House:
    """An installation whose tenants.toml has been applied."""

    folder: Path
    cli: Cli
    text: str
    upstreams: dict[str, LabUpstream]
    environment: Mapping[str, str] = field(repr=False)
    customers: int = 0
    servers: int = 0

    @cached_property
    def oracle(self) -> Oracle:
        """The second opinion on prices and charges."""
        return Oracle(tomllib.loads(self.text))

    def upstreams_of(self, scenario: Scenario) -> dict[str, LabUpstream]:
        """A scenario's upstreams by its own names for them."""
        return {name: self.upstreams[full_name(scenario, name)] for name in scenario.upstreams}

    def customer(self) -> Customer:
        """A customer of its own for a run."""
        self.customers += 1
        email = f"caller{self.customers}@{SLUG}.example"
        owner = ("--tenant", SLUG, "--customer", email)
        made = self.cli.ask("customer", "create", "--tenant", SLUG, "--email", email)
        self.cli.ask("credit", "grant", *owner, "--amount", CREDIT, "--reason", "lab")
        return Customer(email, made["id"], self.cli.ask("key", "create", *owner)["key"])

    def target(self, port: int, customer: Customer, model: str) -> Target:
        """Where a customer's calls go."""
        return Target(port=port, host=f"{HOST}:{port}", key=customer.key, model=model)

    @contextmanager
    def serving(self, workers: int = 1) -> Iterator[tuple[int, Child]]:
        """A server of so many processes; its port."""
        self.servers += 1
        port = free_port()
        command = [*PRODUCT, "serve", "--port", str(port), "--workers", str(workers)]
        log = self.folder / f"server-{self.servers}.log"
        with running(
            "the server", command, log=log, answers_on=[("127.0.0.1", port)], environment=self.environment
        ) as child:
            yield port, child

    def records(self, customer: Customer, latest: int | None = None) -> list[dict[str, Any]]:
        """All usage records of a customer, or so many of the latest, as the operator sees them."""
        found: list[dict[str, Any]] = []
        cursor: tuple[str, ...] = ()
        while True:
            page = self.cli.ask(
                "usage",
                "list",
                "--tenant",
                SLUG,
                "--customer",
                customer.email,
                "--limit",
                str(latest or _PAGE),
                *cursor,
            )
            found += page["records"]
            if latest or not page["next_cursor"]:
                return found
            cursor = ("--cursor", page["next_cursor"])

    def balance(self, customer: Customer) -> dict[str, Any]:
        """A customer's credit."""
        found: dict[str, Any] = self.cli.ask("credit", "balance", "--tenant", SLUG, "--customer", customer.email)
        return found

    def audit(self) -> dict[str, Any]:
        """What `ledger audit` says, also where it has findings."""
        found: dict[str, Any] = self.cli.run("ledger", "audit", "--json").json()
        return found


def full_name(scenario: Scenario, upstream: str) -> str:
    """The name of a scenario's upstream in tenants.toml."""
    return f"{scenario.name}-{upstream}"


@contextmanager
def open_house(
    folder: Path, scenarios: Sequence[Scenario], database_url: str | None = None, cache_url: str | None = None
) -> Iterator[House]:
    """The product with everything that these scenarios need; a model is named like its scenario."""
    keys = {
        full_name(scenario, name): [
            f"key-{number}-of-{full_name(scenario, name)}" for number in range(1, route.keys + 1)
        ]
        for scenario in scenarios
        for name, route in scenario.upstreams.items()
    }
    (folder / "data").mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        upstreams = stack.enter_context(lab_upstreams(**keys))
        secrets = {_variable(name, number): key for name, own in keys.items() for number, key in enumerate(own, 1)}
        url = database_url or f"sqlite+aiosqlite:///{folder / 'data' / 'reseller_kit.db'}"
        cli = Cli(folder / "data", url, secrets | ({"RESELLER_KIT_CACHE_URL": cache_url} if cache_url else {}))
        text = tenants_toml(scenarios, upstreams)
        file = folder / "tenants.toml"
        file.write_text(text, encoding="utf-8")
        if database_url is not None:
            cli.ask("db", "upgrade")
        applied = cli.run("apply", "-f", str(file), "--yes", "--json")
        if applied.code:
            raise Malformed(f"the product refuses what the scenarios ask of it:\n{applied.stdout}")
        cli.ask("wholesale", "deposit", "--tenant", SLUG, "--amount", "1000000.00", "--reason", "lab")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("RESELLER_KIT_")}
        yield House(folder, cli, text, upstreams, {**kept, **cli.environ})


def tenants_toml(scenarios: Sequence[Scenario], upstreams: Mapping[str, LabUpstream]) -> str:
    """One tenant, and a model for each scenario with its routes."""
    parts = [_HEAD]
    for scenario in scenarios:
        for name, route in scenario.upstreams.items():
            parts.append(_upstream(full_name(scenario, name), route, upstreams))
        routes = ",\n".join(_route(full_name(scenario, name), route) for name, route in scenario.upstreams.items())
        own = _lines(scenario.model)
        parts.append(f'[models."{scenario.name}"]\ncontext = 128000\nmax_output = 4000\nroutes = [\n{routes}\n]\n{own}')
    return "\n".join(parts)


def _upstream(name: str, route: LabRoute, upstreams: Mapping[str, LabUpstream]) -> str:
    references = ", ".join(f'"env:{_variable(name, number)}"' for number in range(1, route.keys + 1))
    address = upstreams[name].base_url(route.dialect)
    return (
        f'[upstreams."{name}"]\ndialect = "{route.dialect}"\nbase_url = "{address}"\napi_keys = [{references}]\n'
        + _lines(route.settings)
    )


def _route(name: str, route: LabRoute) -> str:
    cost = f"cost = {_value(route.cost)}"
    return (
        f'  {{ upstream = "{name}", model = "{upstream_model(name)}", priority = {route.priority},'
        f" weight = {route.weight}, {cost} }}"
    )


def upstream_model(name: str) -> str:
    """What the model is called at an upstream of this name."""
    return f"{name}-model"


def _variable(name: str, number: int) -> str:
    return f"{name.upper().replace('-', '_')}_KEY_{number}"


def _lines(settings: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {_value(value)}\n" for name, value in settings.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_value(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
