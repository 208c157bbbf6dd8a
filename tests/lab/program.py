"""One run of scripts/chaos. Reads no command line; the program does."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
from msgspec import structs

from scripts._lib import postgres, redis
from scripts._lib.postgres import PostgresUnavailable
from scripts._lib.processes import ChildFailed
from scripts._lib.redis import RedisUnavailable
from tests.lab import runner, scenario, table
from tests.lab.house import House, open_house
from tests.lab.scenario import Malformed, Scenario
from tests.lab.verdict import Verdict, judge
from tests.support.sockets import install_guard


def run(arguments: argparse.Namespace) -> int:
    """Run the scenarios and report; the exit code."""
    try:
        found = scenario.load_scenarios(arguments.file or scenario.HOUSE)
        wanted = scenario.chosen(found, arguments.scenarios)
    except (Malformed, OSError) as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 2
    if arguments.list:
        width = max(len(each.name) for each in wanted)
        print("\n".join(f"{each.name:<{width}}  {each.about}" for each in wanted))
        return 0
    if arguments.quick:
        wanted = [each.shortened() for each in wanted if each.quick]
    wanted = [structs.replace(each, workers=max(each.workers, arguments.workers)) for each in wanted]
    install_guard()
    try:
        return _run(arguments, wanted)
    except (ChildFailed, Malformed, PostgresUnavailable, RedisUnavailable) as error:
        print(f"chaos: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace, wanted: Sequence[Scenario]) -> int:
    with ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        url = stack.enter_context(_database(arguments.backend))
        cache = stack.enter_context(redis.running_redis()).url if arguments.redis else None
        house = stack.enter_context(open_house(folder, wanted, url, cache))
        verdicts = [_one(house, each, arguments.keep) for each in wanted]
        audit = house.audit()
    document = table.document(verdicts, audit)
    print(json.dumps(document, indent=2) if arguments.json else table.table(verdicts))
    _say(f"ledger audit: {'ok' if audit['ok'] else audit['findings']}, {audit['transactions']} transactions")
    return 0 if document["ok"] else 1


def _one(house: House, wanted: Scenario, keep: Path | None) -> Verdict:
    _say(f"{wanted.name}: {wanted.about}")
    run = runner.run(house, wanted)
    if keep is not None:
        lines = [attempt for attempts in run.attempts.values() for attempt in attempts]
        encoded = msgspec.json.Encoder().encode_lines(sorted(lines, key=lambda attempt: attempt.at))
        (keep / f"journal-{wanted.name}.jsonl").write_bytes(encoded)
    return judge(run, house.oracle)


@contextmanager
def _database(backend: str) -> Iterator[str | None]:
    """The URL of an empty database; None is the installation's own file."""
    if backend == "sqlite":
        yield None
        return
    with postgres.running_server() as server:
        yield server.url("postgres")


def _say(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)
