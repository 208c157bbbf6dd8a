"""The demo from start to end: data, upstream, server, calls, table; then it waits, or checks every figure."""

from __future__ import annotations

import os
import signal
import tempfile
import time
import urllib.request
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from scripts._lib.bootstrap import ROOT, VENV
from scripts._lib.demo import example, product, report, verify
from scripts._lib.demo.oracle import Oracle
from scripts._lib.ports import free_port
from scripts._lib.processes import Child, running

EXAMPLE: Final = ROOT / "tenants.example.toml"
SERVER_PORT: Final = 8000
_WATCH_SECONDS: Final = 0.5


class DemoFailed(RuntimeError):
    """The demo could not be shown; the text says what to do."""


@dataclass(frozen=True)
class Session:
    """A demo that is up."""

    example: example.Example
    operator: product.Operator
    customers: list[product.Customer]
    calls: list[product.Call]
    journal_url: str
    data_dir: Path
    port: int
    children: tuple[Child, Child]


def main(*, check: bool, port: int | None) -> int:
    """Show the demo. With `check`, compare every figure and end: 0 when all agree, 1 when one differs."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both ways to end it take the same path
    _leave_proxies()
    try:
        with ExitStack() as stack:
            session = _start(stack, port)
            reported = _ask_all(session)
            _show(session, reported)
            if check:
                return _check(session, reported)
            print(report.invitation(session.customers, session.port, str(session.data_dir)), flush=True)
            return _stay(session)
    except KeyboardInterrupt:
        return 130


def _start(stack: ExitStack, port: int | None) -> Session:
    data_dir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reseller-kit-demo-")))
    shop = example.read(EXAMPLE)
    operator = product.Operator(product.environment_for(data_dir, shop.secret_names()))
    upstream_port = free_port(shop.upstream_host, preferred=shop.upstream_port)
    manifest = data_dir / "tenants.toml"
    manifest.write_text(shop.with_upstream_port(upstream_port), encoding="utf-8")
    operator.run("apply", "--yes", "-f", str(manifest))

    emulator = stack.enter_context(_emulator(shop.upstream_host, upstream_port, data_dir / "journal.jsonl"))
    hosts = ["127.0.0.1", *(store.address for store in shop.storefronts)]
    chosen = _server_port(hosts, port)
    customers = [product.make_customer(operator, store) for store in shop.storefronts]
    server = stack.enter_context(_server(operator, hosts, chosen, data_dir / "server.log"))
    calls = [call for customer in customers for call in product.make_calls(customer, chosen)]
    journal_url = f"http://{shop.upstream_host}:{upstream_port}/journal"
    return Session(shop, operator, customers, calls, journal_url, data_dir, chosen, (emulator, server))


def _emulator(host: str, port: int, journal: Path) -> AbstractContextManager[Child]:
    command: list[str | Path] = [VENV / "bin" / "python", ROOT / "scripts" / "emulator"]
    command += ["--host", host, "--port", str(port), "--journal", journal]
    return running("the emulator", command, log=journal.with_name("emulator.log"), answers_on=[(host, port)])


def _server(operator: product.Operator, hosts: list[str], port: int, log: Path) -> AbstractContextManager[Child]:
    command: list[str | Path] = [product.PROGRAM, "serve", "--port", str(port)]
    for host in hosts:
        command += ["--host", host]
    answers_on = [(host, port) for host in hosts]
    return running("the server", command, log=log, answers_on=answers_on, environment=operator.environment)


def _server_port(hosts: list[str], wanted: int | None) -> int:
    try:
        found = free_port(*hosts, preferred=wanted or SERVER_PORT)
    except OSError as error:
        raise DemoFailed(
            f"{error}. On macOS add the addresses first, for example: sudo ifconfig lo0 alias {hosts[1]}"
        ) from None
    if wanted and found != wanted:
        raise DemoFailed(f"port {wanted} is taken on one of {', '.join(hosts)}; give another with --port")
    return found


def _ask_all(session: Session) -> dict[str, verify.Reported]:
    return {customer.storefront.slug: _ask(session, customer) for customer in session.customers}


def _ask(session: Session, customer: product.Customer) -> verify.Reported:
    tenant = ("--tenant", customer.storefront.slug)
    ask = session.operator.run
    return verify.Reported(
        records=ask("usage", "list", *tenant)["records"],
        credit=ask("credit", "balance", *tenant, "--customer", customer.email),
        wholesale=ask("wholesale", "balance", *tenant),
        prices=ask("price", "show", *tenant)["prices"],
    )


def _show(session: Session, reported: dict[str, verify.Reported]) -> None:
    rows = [
        report.row(store, record, reported[store.slug].credit["balance"])
        for store in session.example.storefronts
        for record in reversed(reported[store.slug].records)
    ]
    print(f"\n{report.table(rows)}\n", flush=True)


def _check(session: Session, reported: dict[str, verify.Reported]) -> int:
    made = [
        verify.Made(call.customer.storefront.slug, call.model, call.stream, verify.usage_of(call.usage))
        for call in session.calls
    ]
    comparisons = list(
        verify.compare(
            Oracle(session.example.document),
            verify.read_journal(_read(session.journal_url)),
            made,
            reported,
            session.operator.run("ledger", "audit"),
            granted=Fraction(product.CREDIT),
            deposited=Fraction(product.DEPOSIT),
        )
    )
    for comparison in comparisons:
        print(comparison.line())
    wrong = sum(not comparison.equal for comparison in comparisons)
    print(f"\n{len(comparisons) - wrong} figures agree, {wrong} differ", flush=True)
    return 1 if wrong else 0


def _read(url: str) -> str:
    with urllib.request.urlopen(url) as answer:  # noqa: S310  # the emulator that this program started
        text: str = answer.read().decode()
        return text


def _stay(session: Session) -> int:
    """Until Ctrl-C or SIGTERM: 0. A child that ends by itself is a failure: 1, with the end of its log."""
    try:
        while True:
            time.sleep(_WATCH_SECONDS)
            for child in session.children:
                if child.process.poll() is not None:
                    print(f"{child.name} ended with {child.process.returncode}:\n{child.tail()}", flush=True)
                    return 1
    except KeyboardInterrupt:
        print("\nstopping", flush=True)
        return 0


def _leave_proxies() -> None:
    """Calls to loopback must not be sent to a proxy that the environment names."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
