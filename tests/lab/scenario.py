"""Scenarios: which upstreams there are, what goes wrong with them when, how customers call, what has to come of it.

Read from TOML; `tests/lab/scenarios.toml` holds those of the house. Runs nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, field, structs

from tests.lab.behaviour import Rule
from tests.lab.load import APIS, Load

HOUSE: Final = Path(__file__).with_name("scenarios.toml")
Dialect = Literal["openai", "anthropic", "gemini"]
Harm = Literal["terminate", "kill_worker"]


class Malformed(ValueError):
    """A file of scenarios that can't be used; the text says where and why."""


class LabRoute(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An upstream of the scenario's model. `settings`: further keys of its table in tenants.toml.

    `keys`: how many it has. `cost`: as in tenants.toml. `rules`: what goes wrong there.
    """

    dialect: Dialect = "openai"
    keys: int = 1
    priority: int = 0
    weight: int = 1
    cost: dict[str, str] = field(default_factory=lambda: {"input": "1.00", "output": "4.00"})
    settings: dict[str, Any] = {}
    rules: tuple[Rule, ...] = ()


class ServerHarm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done to the product itself, so many seconds after the load began."""

    at: float
    do: Harm


class Expect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What has to come of it; None is not looked at. Shares are of all calls, and exact.

    `client_errors`: the share of calls without a good answer, but for those that hung up; `client_errors_at_most`, a
    count, where some may be. `attempts_at_most`: requests that upstreams got, for each call. `status`, `should_retry`:
    of every call that was refused. `asked_at_most`: requests that one upstream got; `asked_key_at_most`: that one of
    its keys got, named as in "near#2". `serves_at_least`: the share of good answers that an upstream gave.
    `recovery_at_most`: seconds from the end of a fault until its upstream gives good answers again. `errors_in_band`:
    every call without a good answer is a stream that ends in an error, and is recorded as cut.
    `first_byte_p50_at_most`: seconds.
    """

    client_errors: float = 0.0
    client_errors_at_most: int | None = None
    attempts_at_most: float | None = None
    status: int | None = None
    should_retry: str | None = None
    charged_nothing: bool = False
    asked_at_most: dict[str, int] = {}
    asked_key_at_most: dict[str, int] = {}
    serves_at_least: dict[str, float] = {}
    recovery_at_most: float | None = None
    errors_in_band: bool = False
    first_byte_p50_at_most: float | None = None


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One case. `quick`: calls of its quick form, which every run of the tests makes; 0: only the whole one is run.

    `model`: further keys of the model's table in tenants.toml.
    """

    name: str
    about: str
    upstreams: dict[str, LabRoute]
    load: Load = Load()
    expect: Expect = Expect()
    harm: tuple[ServerHarm, ...] = ()
    workers: int = 1
    model: dict[str, Any] = {}
    quick: int = 0

    def shortened(self) -> Scenario:
        """Its quick form: fewer calls. How many attempts one call takes says something of many calls only."""
        callers = min(self.load.callers, max(4, self.quick // 4))
        load = structs.replace(self.load, calls=self.quick, callers=callers)
        attempts = self.expect.attempts_at_most
        few = structs.replace(self.expect, attempts_at_most=None if attempts and attempts > 1 else attempts)
        return structs.replace(self, load=load, expect=few)


class _File(Struct, forbid_unknown_fields=True):
    scenario: list[Scenario]


def load_scenarios(path: Path = HOUSE) -> list[Scenario]:
    """All scenarios of a file, in its order. Raises Malformed."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).scenario
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Malformed(f"{path}: {error}") from error
    names = [scenario.name for scenario in found]
    for scenario in found:
        fault = _fault(scenario, names)
        if fault:
            raise Malformed(f"{path}: scenario {scenario.name!r}: {fault}")
    return found


def chosen(scenarios: Sequence[Scenario], names: Sequence[str]) -> list[Scenario]:
    """Those of these names or that begin with one of them, all without any. Raises Malformed for a name of none."""
    for name in names:
        if not any(scenario.name.startswith(name) for scenario in scenarios):
            known = ", ".join(scenario.name for scenario in scenarios)
            raise Malformed(f"there is no scenario {name!r}; there are: {known}")
    return [each for each in scenarios if not names or each.name.startswith(tuple(names))]


def _fault(scenario: Scenario, names: Sequence[str]) -> str:
    """What is wrong with a scenario beyond its types; empty for nothing."""
    if names.count(scenario.name) > 1:
        return "there are two of this name"
    if unknown := set(scenario.load.apis) - set(APIS):
        return f"no such API: {', '.join(sorted(unknown))}; there are: {', '.join(APIS)}"
    if not scenario.upstreams:
        return "it has no upstream"
    if scenario.quick and scenario.load.seconds is not None:
        return "what takes so many seconds has no quick form"
    expect = scenario.expect
    named = {
        *expect.asked_at_most,
        *expect.serves_at_least,
        *(key.partition("#")[0] for key in expect.asked_key_at_most),
    }
    if unknown := named - scenario.upstreams.keys():
        return f"it expects something of {', '.join(sorted(unknown))}, which it does not have"
    return ""
