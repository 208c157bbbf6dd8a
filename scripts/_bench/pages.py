"""Processor time of whole pages as browsers ask for them: each page of a storefront and of its portal, in turns.

Every page is asked for on kept-alive connections, many times in a round; the least of the rounds counts, since
neighbours only add. What the server does by itself meanwhile, such as its sweeps, is measured before and taken off.

With visitors each page is also asked for over as many connections: in turns, each asking again when the page is there,
so that all but one wait; and so many pages a second, as people ask who read what they get.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec

from scripts._bench import cores as cores_module
from scripts._bench import targets
from scripts._bench.load import Order
from scripts._bench.report import aligned
from scripts._bench.rounds import LoadFailed, send
from scripts._lib.demo.product import CommandFailed, Operator
from scripts._lib.postgres import PostgresUnavailable
from scripts._lib.processes import ChildFailed

MOST_MS: Final = 10.0
STOREFRONT: Final = (
    "/", "/pricing", "/models", f"/models/{targets.MODEL}", "/docs", "/docs/quickstart", "/docs/claude-code", "/faq",
    "/legal/terms", "/status", "/contact", "/signup", "/login",
)  # fmt: skip
PORTAL: Final = (
    "/account", "/account/keys", "/account/usage", "/account/usage?period=90d", "/account/billing",
    "/account/playground", "/account/security", "/account/support",
)  # fmt: skip
_EMAIL: Final = "reader@bench.example"
_PASSWORD: Final = "correct horse battery"
_CALLS: Final = 60
_WAITED_FOR: Final = (
    "/", "/pricing", f"/models/{targets.MODEL}", "/account", "/account/keys", "/account/usage", "/account/billing",
)  # fmt: skip
_IN_TURNS: Final = 5
"""Pages a visitor asks for in turns."""
_PAGES_A_SECOND: Final = 50.0
_READING_SECONDS: Final = 8
_IDLE_SECONDS: Final = 4
_HIDDEN: Final = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
_EXPECTED: Final = (ChildFailed, CommandFailed, LoadFailed, PostgresUnavailable, httpx.HTTPError)


class Waits(msgspec.Struct, frozen=True):
    """Milliseconds until a page is there, half of the time and 99 times of a hundred."""

    in_turns: tuple[float, float]
    at_a_rate: tuple[float, float]


class Pages(msgspec.Struct, frozen=True):
    """Milliseconds of processor time by page, the database server's included; how long some are waited for."""

    cpu_ms: dict[str, float]
    waits: dict[str, Waits]


def run(arguments: argparse.Namespace) -> int:
    """Measure and report; exit code 0, or 1 when a page was not answered, or with --check took too much."""
    try:
        found = {backend: _measured(arguments, backend) for backend in arguments.backends}
    except _EXPECTED as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(json.dumps(msgspec.to_builtins(found), indent=2) if arguments.json else _table(found))
    slow = [f"{page} on {name}" for name, pages in found.items() for page, ms in pages.cpu_ms.items() if ms >= MOST_MS]
    if arguments.check and slow:
        print(f"bench: {MOST_MS:g} ms or more: {', '.join(slow)}", file=sys.stderr)
        return 1
    return 0


def _measured(arguments: argparse.Namespace, backend: str) -> Pages:
    cores = cores_module.choose()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory) as name:
        scratch = Path(name)
        with (
            targets.emulator(scratch, cores, 44) as upstream,
            targets.gateway(scratch, cores, upstream, backend) as (target, operator),
            _reader(target, operator) as reader,
            httpx.Client(base_url=reader.base_url, trust_env=False, timeout=60) as stranger,
        ):
            by_itself = _idle_rate(target)
            rounds: dict[str, list[float]] = {page: [] for page in (*STOREFRONT, *PORTAL)}
            for _ in range(arguments.rounds + 1):
                for page, figures in rounds.items():
                    visitor = reader if page in PORTAL else stranger
                    figures.append(_once(visitor, target, page, arguments.requests, by_itself))
            waited_for = _WAITED_FOR if arguments.visitors else ()
            return Pages(
                {page: round(min(figures[1:]), 2) for page, figures in rounds.items()},
                {page: _waits(reader, target, page, arguments.visitors, cores) for page in waited_for},
            )


def _once(visitor: httpx.Client, target: targets.Target, page: str, requests: int, by_itself: float) -> float:
    started, before = time.monotonic(), _cpu_seconds(target)
    for _ in range(requests):
        visitor.get(page).raise_for_status()
    own = by_itself * (time.monotonic() - started)
    return max(0.0, _cpu_seconds(target) - before - own) / requests * 1000


def _waits(reader: httpx.Client, target: targets.Target, page: str, visitors: int, cores: cores_module.Cores) -> Waits:
    headers = {"accept-encoding": "gzip"}
    if page in PORTAL:
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in reader.cookies.items())
    order = Order(
        port=target.port, path=page, headers=headers, end=b"", calls=visitors * _IN_TURNS, connections=visitors
    )
    steady = msgspec.structs.replace(order, rate=_PAGES_A_SECOND, calls=int(_PAGES_A_SECOND * _READING_SECONDS))
    send(msgspec.structs.replace(order, calls=visitors), cores)
    found = []
    for each in (order, steady):
        report = send(each, cores)
        if report.failed:
            raise LoadFailed(f"{page}: {report.failed} of {each.calls} were not answered: {report.fault}")
        found.append((round(report.p50_ms, 1), round(report.p99_ms, 1)))
    return Waits(*found)


def _idle_rate(target: targets.Target) -> float:
    """Processor seconds a second of a server that nobody asks."""
    before = _cpu_seconds(target)
    time.sleep(_IDLE_SECONDS)
    return (_cpu_seconds(target) - before) / _IDLE_SECONDS


def _cpu_seconds(target: targets.Target) -> float:
    return sum(cores_module.cpu_seconds(pid) for pid in (target.pid, target.database_pid) if pid is not None)


@contextmanager
def _reader(target: targets.Target, operator: Operator) -> Iterator[httpx.Client]:
    """A customer who is logged in, has credit and a key, and made some calls."""
    owner = ("--tenant", targets.TENANT, "--customer", _EMAIL)
    link = operator.run("customer", "create", "--tenant", targets.TENANT, "--email", _EMAIL)["link"]
    operator.run("credit", "grant", *owner, "--amount", "100.00", "--reason", "bench")
    key: str = operator.run("key", "create", *owner)["key"]
    origin = f"http://127.0.0.1:{target.port}"
    with httpx.Client(base_url=origin, trust_env=False, timeout=60, headers={"origin": origin}) as http:
        body = {"model": targets.MODEL, "messages": [{"role": "user", "content": "Hi"}]}
        for _ in range(_CALLS):
            headers = {"authorization": f"Bearer {key}"}
            http.post("/v1/chat/completions", json=body, headers=headers).raise_for_status()
        path = httpx.URL(link).raw_path.decode()
        _send(http, path, {"password": _PASSWORD, "terms": "yes"})
        if http.get("/account").status_code != httpx.codes.OK:
            _send(http, "/login", {"email": _EMAIL, "password": _PASSWORD})
        yield http


def _send(http: httpx.Client, path: str, fields: Mapping[str, str]) -> None:
    """Fill in the form of a page as a browser does."""
    hidden = dict(_HIDDEN.findall(http.get(path).raise_for_status().text))
    http.post(path, data={**hidden, **fields}, follow_redirects=True).raise_for_status()


def _table(found: Mapping[str, Pages]) -> str:
    rows = [[page, *(f"{pages.cpu_ms[page]:.1f}" for pages in found.values())] for page in (*STOREFRONT, *PORTAL)]
    table = aligned([["page, CPU ms", *found], *rows], left=1)
    waited_for = next(iter(found.values())).waits
    if not waited_for:
        return table
    named = [f"{name}, {how}" for name in found for how in ("in turns", "at a rate")]
    rows = [
        [
            page,
            *(
                f"{p50:g} / {p99:g}"
                for pages in found.values()
                for p50, p99 in msgspec.structs.astuple(pages.waits[page])
            ),
        ]
        for page in waited_for
    ]
    return f"{table}\n\n{aligned([['page, ms p50 / p99', *named], *rows], left=1)}"
