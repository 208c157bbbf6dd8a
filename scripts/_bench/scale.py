"""A small deployment and a large one in turns: processor time of a call, the start, and what stands in memory.

Both have the same storefront under load. The large one has many storefronts, models and keys besides, and many routes
of the model that is asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import msgspec
import uvloop

from reseller_kit.db.engine import Database
from reseller_kit.flows.unlock import unlock
from scripts._bench import cores as cores_module
from scripts._bench import report, targets
from scripts._bench.program import EXPECTED, say
from scripts._bench.rounds import Plan, measure
from scripts._bench.scale_rows import SLUG, Size, enlarge

_OPENED: Final = 200
_SMALL: Final = Size(tenants=10, models=10, routes=1, keys=1_000)
_SETTLED_SECONDS: Final = 3


class Deployment(msgspec.Struct, kw_only=True):
    """What is known of one deployment. Seconds of the start are from its command to the first answer."""

    name: str
    size: Size
    start_seconds: float
    start_cpu_seconds: float
    memory_megabytes: float
    opened: int = 0
    opening_cpu_ms: float = 0.0
    kilobytes_of_an_opened_storefront: float = 0.0
    kilobytes_of_a_key_in_use: float = 0.0
    plain_cpu_us: float = 0.0
    stream_cpu_us: float = 0.0
    times_small: float | None = None


def run(arguments: argparse.Namespace) -> int:
    """Measure and report; exit code 0, or 1 when calls failed."""
    large = Size(tenants=arguments.tenants, models=arguments.models, routes=arguments.routes, keys=arguments.keys)
    try:
        found = {backend: _measured(arguments, backend, (_SMALL, large)) for backend in arguments.backends}
    except (*EXPECTED, httpx.HTTPError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
    else:
        print(table([each for deployments in found.values() for each in deployments]))
    return 0


def _measured(arguments: argparse.Namespace, backend: str, sizes: Sequence[Size]) -> list[Deployment]:
    cores = cores_module.choose()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=arguments.directory)))
        upstream = stack.enter_context(targets.emulator(scratch, cores, 44))
        started = []
        for number, size in enumerate(sizes):
            folder = scratch / str(number)
            folder.mkdir()
            started.append(stack.enter_context(_deployment(folder, cores, upstream, backend, size)))
        measured = [upstream, *(target for target, _ in started)]
        figures, _ = measure(measured, Plan(arguments.rounds, arguments.calls, arguments.connections), cores, say)
        for target, deployment in started:
            by_mode = {each.mode: each.cpu_us_per_call for each in figures if each.target == target.name}
            deployment.plain_cpu_us, deployment.stream_cpu_us = by_mode["plain"], by_mode["stream"]
            deployment.times_small = deployment.plain_cpu_us / started[0][1].plain_cpu_us
        return [deployment for _, deployment in started]


@contextmanager
def _deployment(
    folder: Path, cores: cores_module.Cores, upstream: targets.Target, backend: str, size: Size
) -> Iterator[tuple[targets.Target, Deployment]]:
    name = f"{size.tenants:,} storefronts, {backend}"
    with targets.provisioned(folder, cores, backend, upstream.port) as place:
        key = targets.customer(place.operator)
        say(f"making {name}, {size.models:,} models, {size.routes} routes, {size.keys:,} keys")
        keys = uvloop.run(_enlarge(place, size))
        # The clock stops with the first answer of a page that needs the storefront.
        began = time.monotonic()
        with targets.serving(folder, cores, place, name, key) as target, _client(target) as http:
            http.get("/healthz").raise_for_status()
            deployment = Deployment(
                name=name,
                size=size,
                start_seconds=time.monotonic() - began,
                start_cpu_seconds=cores_module.cpu_seconds(target.pid),
                memory_megabytes=_settled_kilobytes(target) / 1000,
            )
            _open(http, target, deployment)
            _use_keys(http, target, deployment, keys)
            yield target, deployment


async def _enlarge(place: targets.Provisioned, size: Size) -> list[str]:
    db = Database(place.database_url)
    try:
        vault = await unlock(db, place.secret_key)
        return await enlarge(db, vault.pepper, size)
    finally:
        await db.close()


def _open(http: httpx.Client, target: targets.Target, deployment: Deployment) -> None:
    """Ask for the price list of storefronts that nobody asked for before."""
    slugs = [f"{SLUG}{number}" for number in range(1, min(_OPENED + 1, deployment.size.tenants))]
    http.get("/robots.txt").raise_for_status()
    before, taken = _settled_kilobytes(target), cores_module.cpu_seconds(target.pid)
    for slug in slugs:
        http.get("/pricing.json", headers={"host": f"{slug}.localhost"}).raise_for_status()
    deployment.opened = len(slugs)
    deployment.opening_cpu_ms = (cores_module.cpu_seconds(target.pid) - taken) / len(slugs) * 1000
    deployment.kilobytes_of_an_opened_storefront = (_settled_kilobytes(target) - before) / len(slugs)


def _use_keys(http: httpx.Client, target: targets.Target, deployment: Deployment, keys: Sequence[str]) -> None:
    """Ask with keys that nobody used before."""
    before = _settled_kilobytes(target)
    for key in keys:
        http.get("/v1/credits", headers={"authorization": f"Bearer {key}"}).raise_for_status()
    deployment.kilobytes_of_a_key_in_use = (_settled_kilobytes(target) - before) / len(keys)


def _client(target: targets.Target) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{target.port}", trust_env=False, timeout=60)


def _settled_kilobytes(target: targets.Target) -> int:
    """The memory of a server that has come to rest."""
    time.sleep(_SETTLED_SECONDS)
    status = Path(f"/proc/{target.pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


def table(found: Sequence[Deployment]) -> str:
    """A line for each deployment."""
    columns = (
        "deployment", "plain µs", "× small", "stream µs", "start s", "start CPU s", "memory MB",
        "opening CPU ms", "kB a storefront", "kB a key",
    )  # fmt: skip
    rows = [
        (
            each.name,
            f"{each.plain_cpu_us:.1f}",
            "" if each.times_small is None else f"{each.times_small:.2f}",
            f"{each.stream_cpu_us:.1f}",
            f"{each.start_seconds:.2f}",
            f"{each.start_cpu_seconds:.2f}",
            f"{each.memory_megabytes:.1f}",
            f"{each.opening_cpu_ms:.1f}",
            f"{each.kilobytes_of_an_opened_storefront:.1f}",
            f"{each.kilobytes_of_a_key_in_use:.2f}",
        )
        for each in found
    ]
    return report.aligned([columns, *rows], left=1)
