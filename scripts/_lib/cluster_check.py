"""What the cluster has to show: brands with certificates, calls, one truth in all processes, a rolling restart."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from scripts._lib.cluster import Cluster, running_cluster
from scripts._lib.cluster_load import Caller, Kind, Tally, ask, steady
from scripts._lib.demo import product

_WATCH_SECONDS: Final = 0.5
_BETWEEN_SECONDS: Final = 2.0
_EFFECTIVE_SECONDS: Final = 20.0
_KINDS: Final[tuple[Kind, ...]] = ("page", "plain", "stream")


class CheckFailed(RuntimeError):
    """The cluster did not do what it should; the text says what."""


def main(*, check: bool, size: int, port: int) -> int:
    """Stay up until Ctrl-C; with `check`, try everything once and end."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both ways to end it take the same path
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reseller-kit-cluster-")))
            cluster = stack.enter_context(running_cluster(folder, size=size, https_port=port, durable=not check))
            callers = customers_of(cluster)
            print(invitation(cluster, callers), flush=True)
            if check:
                for line in run_check(cluster, callers):
                    print(line, flush=True)
                return 0
            while (problem := cluster.failed()) is None:
                time.sleep(_WATCH_SECONDS)
            raise CheckFailed(problem)
    except KeyboardInterrupt:
        return 0


def customers_of(cluster: Cluster) -> list[Caller]:
    """A customer with credit on each storefront."""
    with ThreadPoolExecutor() as pool:
        made = list(pool.map(lambda store: product.make_customer(cluster.operator, store), cluster.storefronts))
    return [Caller(cluster.host_of(each.storefront), each.key, each.storefront.plain_model) for each in made]


def run_check(cluster: Cluster, callers: list[Caller]) -> Iterator[str]:
    """Try everything; a line for each thing that holds. Raises CheckFailed."""
    yield every_brand_answers(cluster, callers)
    yield a_change_is_everywhere(cluster, callers[0])
    yield rolling_restart(cluster, callers)
    yield books_are_right(cluster)


def every_brand_answers(cluster: Cluster, callers: list[Caller]) -> str:
    """A page, a plain call and a stream at each storefront, on certificates of their own."""
    hosts = {caller.host: caller for caller in callers}
    for caller in hosts.values():
        for kind in _KINDS:
            _, problem = ask(cluster.door, caller, kind)
            if problem:
                raise CheckFailed(f"{kind} at {caller.host}: {problem}")
    return f"ok  {len(hosts)} brands answer pages, calls and streams on certificates of their own"


def a_change_is_everywhere(cluster: Cluster, caller: Caller) -> str:
    """A suspended storefront is refused by every process, and served by every one after it is resumed."""
    slug = next(store.slug for store in cluster.storefronts if cluster.host_of(store) == caller.host)
    cluster.operator.run("tenant", "suspend", slug, "--reason", "check")
    _eventually(cluster, caller, refused=True)
    cluster.operator.run("tenant", "resume", slug)
    _eventually(cluster, caller, refused=False)
    return "ok  a change by the command line holds in every process"


def rolling_restart(cluster: Cluster, callers: list[Caller]) -> str:
    """Every process is replaced in turn under load; no call fails, and each is in the books."""
    with steady(cluster.door, callers) as tally:
        time.sleep(_BETWEEN_SECONDS)
        codes = cluster.roll(pause=lambda: time.sleep(_BETWEEN_SECONDS))
    require_whole(cluster, tally)
    if any(codes):
        raise CheckFailed(f"processes ended with {codes}, not 0")
    return f"ok  {len(codes)} processes replaced one after the other under load: {tally.line()}"


def require_whole(cluster: Cluster, tally: Tally) -> None:
    """Raises CheckFailed when a request failed, or an answered call is not in the books."""
    if tally.failures:
        raise CheckFailed(f"{tally.line()}:\n" + "\n".join(tally.failures[:20]))
    missing = set(tally.calls) - recorded(cluster)
    if missing:
        raise CheckFailed(f"{len(missing)} calls were answered whole and are not in the books: {sorted(missing)[:5]}")


def recorded(cluster: Cluster, operator: product.Operator | None = None) -> set[str]:
    """The ids of all calls that the books have as answered whole."""
    found: set[str] = set()
    cursor: list[str] = []
    while True:
        page = (operator or cluster.operator).run("usage", "list", "--limit", "1000", *cursor)
        found |= {record["id"] for record in page["records"] if record["status"] == "ok"}
        if page["next_cursor"] is None:
            return found
        cursor = ["--cursor", page["next_cursor"]]


def books_are_right(cluster: Cluster, operator: product.Operator | None = None) -> str:
    """The audit finds nothing, and nothing is held."""
    report = (operator or cluster.operator).run("ledger", "audit")
    if not report["ok"] or report["open_holds"]:
        raise CheckFailed(f"ledger audit: {report}")
    return f"ok  ledger audit: {report['entries']} entries, imbalance {report['imbalance']}, nothing held"


def invitation(cluster: Cluster, callers: list[Caller]) -> str:
    """What can be done with it."""
    https, root = cluster.door.https_port, cluster.door.root
    first = callers[0]
    resolve = f"--resolve {first.host}:{https}:127.0.0.1"
    trust = f"curl --cacert {root} {resolve}"
    hosts = sorted({caller.host for caller in callers})
    nodes = [f"  {node.address}  process {node.child.process.pid}" for node in cluster.nodes if node.child is not None]
    return "\n".join(
        [
            "Storefronts, each with a certificate of its own:",
            *(f"  https://{host}:{https}/" for host in hosts),
            "Behind them:",
            *nodes,
            f"  {cluster.database.url('cluster')}",
            f"  {cluster.redis.url}",
            f"The CA that signed: {root}",
            f"  {trust} https://{first.host}:{https}/v1/models -H 'Authorization: Bearer {first.key}'",
            f"Data, logs and settings: {cluster.folder} (gone at the end; this program is process {os.getpid()})",
        ]
    )


def _eventually(cluster: Cluster, caller: Caller, *, refused: bool) -> None:
    deadline = time.monotonic() + _EFFECTIVE_SECONDS
    right = 0
    # Calls go to all processes in turn: as many right answers in a row as reach each of them.
    while right < 4 * len(cluster.nodes):
        if time.monotonic() > deadline:
            raise CheckFailed(f"after {_EFFECTIVE_SECONDS:.0f} s a change does not hold in every process")
        _, problem = ask(cluster.door, caller, "plain")
        right = right + 1 if (problem is not None and problem.startswith("403")) == refused else 0
