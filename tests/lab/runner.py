"""Runs a scenario on the real product and says what came of it; `verdict.py` judges that."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from scripts._lib.processes import Child
from tests.lab import load
from tests.lab.house import House
from tests.lab.journal import Attempt
from tests.lab.scenario import Scenario, ServerHarm

_SETTLE_SECONDS: Final = 20.0
"""Until everything is at rest: leases of the dead run out after three seconds, their holds are resolved within five."""
_LOOK_SECONDS: Final = 0.05


@dataclass
class Run:
    """What happened: the calls as customers saw them, every attempt upstream, the usage records and the balance."""

    scenario: Scenario
    calls: load.Result
    attempts: dict[str, list[Attempt]]
    records: list[dict[str, Any]]
    balance: dict[str, Any]
    audit: dict[str, Any]
    exit_code: int | None
    began: float
    log: str = ""
    faults: list[str] = field(default_factory=list)


def run(house: House, scenario: Scenario) -> Run:
    """Run it once, to its end."""
    upstreams = house.upstreams_of(scenario)
    customer = house.customer()
    with house.serving(scenario.workers) as (port, child):
        target = house.target(port, customer, scenario.name)
        _warm_up(target, scenario.workers)
        began = 0.0
        for name, upstream in upstreams.items():
            began = upstream.begin(scenario.upstreams[name].rules)
        with load.running(target, scenario.load) as calls:
            exit_code = _harm(scenario.harm, child, calls)
            result = calls.wait()
        _wait_until_settled(house, customer.email)
        attempts = {name: _ended(upstream.journal.attempts) for name, upstream in upstreams.items()}
        if exit_code is None:
            child.process.terminate()
            child.process.wait(_SETTLE_SECONDS + 30)
        log = child.log.read_text(encoding="utf-8", errors="replace")
    for upstream in upstreams.values():
        upstream.begin()
    return Run(
        scenario=scenario,
        calls=result,
        attempts=attempts,
        records=house.records(customer),
        balance=house.balance(customer),
        audit=house.audit(),
        exit_code=exit_code,
        began=began,
        log=log,
    )


def _warm_up(target: load.Target, workers: int) -> None:
    """Let each process load what its first call needs: counting tokens does, and leaves no record."""
    body = {"model": target.model, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"host": target.host, "authorization": f"Bearer {target.key}"}
    url = f"http://127.0.0.1:{target.port}/v1/messages/count_tokens"
    for _ in range(1 if workers == 1 else 4 * workers):
        httpx.post(url, json=body, headers=headers, trust_env=False, timeout=30).raise_for_status()


def _harm(harm: Sequence[ServerHarm], child: Child, calls: load.Run) -> int | None:
    """Do to the server what the scenario says; its exit code where it was told to end."""
    exit_code = None
    for each in harm:
        time.sleep(max(0.0, calls.result.began + each.at - time.monotonic()))
        if each.do == "kill_worker":
            os.kill(_workers(child)[0], signal.SIGKILL)
        else:
            child.process.send_signal(signal.SIGTERM)
            exit_code = child.process.wait(60)
            calls.stop()
    return exit_code


def _workers(child: Child) -> list[int]:
    """The processes of a server that has several."""
    parent = child.process.pid
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _wait_until_settled(house: House, email: str) -> None:
    """Until nothing is held any more; what is still held then, the verdict says."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        if house.cli.ask("credit", "balance", "--tenant", "lab", "--customer", email)["held"] == "0.00":
            return
        time.sleep(_LOOK_SECONDS)


def _ended(attempts: Any) -> list[Attempt]:
    """The journal once no attempt goes on, or a moment later: what hangs is not waited for."""
    deadline = time.monotonic() + 1.0
    while any(attempt.end == "open" for attempt in attempts()) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    found: list[Attempt] = attempts()
    return found
