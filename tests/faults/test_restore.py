"""The restore drill: a backup under load, brought back elsewhere, has every call that was answered before it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from reseller_kit.settings import SECRET_KEY_FILE
from scripts._lib import postgres
from tests.support.crowd import Crowd
from tests.support.databases import Databases, url_for_processes
from tests.support.product import ADDRESSES, Shop
from tests.support.server import Installation, make_installation
from tests.support.verdict import Books, is_embedded, judge

Serve = Callable[[int], AbstractContextManager[Shop]]

RESOLVED_SECONDS = 10.0


def back_up(shop: Shop, target: Path) -> None:
    """As the docs say: `db backup` for SQLite, pg_dump for PostgreSQL."""
    if is_embedded(shop):
        shop.installation.ask("db", "backup", str(target))
    else:
        run("pg_dump", "--format=custom", f"--file={target}", f"--dbname={libpq(shop.installation)}")


def restore(installation: Installation, source: Path, *, embedded: bool) -> None:
    if embedded:
        installation.ask("db", "restore", str(source))
    else:
        run("pg_restore", "--exit-on-error", f"--dbname={libpq(installation)}", source)
        installation.ask("db", "upgrade")


def libpq(installation: Installation) -> str:
    return installation.environment["RESELLER_KIT_DATABASE_URL"].replace("+asyncpg", "")


def run(program: str, *arguments: str | Path) -> None:
    command = [postgres.program(program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def elsewhere(shop: Shop, folder: Path, databases: Databases) -> Iterator[Installation]:
    """A fresh installation with an empty database, and the secret key that was kept apart from the backup."""
    with url_for_processes("sqlite" if is_embedded(shop) else "postgres", databases) as url:
        (folder / "data").mkdir(parents=True)
        kept = shop.installation.environment.get("RESELLER_KIT_SECRET_KEY")
        key = kept or (shop.installation.folder / "data" / SECRET_KEY_FILE).read_text().strip()
        yield make_installation(folder, url, RESELLER_KIT_SECRET_KEY=key)


@pytest.mark.thorough
def test_a_backup_under_load_is_brought_back_elsewhere(
    serve: Serve, callers: Crowd, databases: Databases, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    with serve(1) as shop:
        customers = [shop.customer() for _ in range(4)]
        port = shop.server.port
        before = callers.calls_of(port, customers * 3, "[[input=500 output=20]]", stream=False)
        callers.wait(before, 60)
        streams = [
            callers.call(port, customers[n % 4], "[[input=500 cached=0 output=150 pace=0.1]]") for n in range(12)
        ]
        callers.wait_for_tokens(streams, 20)
        beside = callers.calls_of(port, customers * 5, "[[input=90 output=9]]", stream=False)
        began_at = time.time()
        back_up(shop, copy)
        later = callers.calls_of(port, customers, "[[input=90 output=9]]", stream=False)
        callers.wait([*streams, *beside, *later], 120)
        assert all(call.finished for call in (*before, *streams, *beside, *later))
    with elsewhere(shop, tmp_path / "elsewhere", databases) as fresh:
        restore(fresh, copy, embedded=is_embedded(shop))
        with fresh.serving(*ADDRESSES) as server:
            restored = replace(shop, installation=fresh, server=server)
            # What was under way when the copy was made ends as after a crash: at its last checkpoint.
            Books(restored).wait_until_resolved(customers, time.time(), RESOLVED_SECONDS)
            records = judge(restored, before, stopped_at=began_at)
            assert {call.request_id for call in before} <= records.keys()
            assert not {call.request_id for call in later} & records.keys()
            anew = callers.calls_of(server.port, customers, "[[input=90 output=9]]", stream=False)
            callers.wait(anew, 60)
            assert all(call.finished for call in anew)
            restored.assert_books_are_right()
