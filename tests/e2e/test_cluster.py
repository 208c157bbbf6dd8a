"""The cluster is upgraded under load: two versions side by side on one database, no call fails, the books are whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reseller_kit.db import schema
from scripts._lib import cluster_check
from scripts._lib.bootstrap import ROOT
from scripts._lib.cluster import Cluster, running_cluster
from scripts._lib.cluster_load import Caller, steady
from scripts._lib.demo.product import Operator
from scripts._lib.ports import free_port
from tests.support import raw_http

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table("novelty", sa.Column("id", sa.BigInteger(), nullable=False), sa.PrimaryKeyConstraint("id"))
    op.add_column("customer", sa.Column("novelty", sa.Text(), server_default="", nullable=False))
    op.create_index("ix_usage_record_novelty", "usage_record", ["status"])
"""


@dataclass(frozen=True)
class NextVersion:
    """A copy of the product with one migration more."""

    revision: str
    program: tuple[str, ...]
    environment: dict[str, str]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as up:
        yield up


@pytest.fixture(scope="module")
def callers(cluster: Cluster) -> list[Caller]:
    return cluster_check.customers_of(cluster)


@pytest.fixture(scope="module")
def coming(tmp_path_factory: pytest.TempPathFactory) -> NextVersion:
    folder = tmp_path_factory.mktemp("next-version")
    for name in ("reseller_kit", "themes"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    revision = f"{int(schema.head()) + 1:04}"
    path = folder / "reseller_kit" / "db" / "migrations" / "versions" / f"{revision}_novelty.py"
    path.write_text(MIGRATION.format(revision=revision, before=schema.head()))
    return NextVersion(revision, (sys.executable, "-P", "-m", "reseller_kit"), {"PYTHONPATH": str(folder)})


def test_two_versions_take_turns_under_load(cluster: Cluster, callers: list[Caller], coming: NextVersion) -> None:
    newer = Operator({**cluster.operator.environment, **coming.environment}, coming.program)
    with steady(cluster.door, callers) as tally:
        time.sleep(2)
        assert newer.run("db", "upgrade")["applied"] == [coming.revision]
        time.sleep(2)
        first = cluster.nodes[0]
        assert first.end() == 0
        first.start()  # the old version again, on the schema of the new one
        time.sleep(2)
        assert cluster.roll(coming.program, coming.environment, pause=lambda: time.sleep(2)) == [0, 0]
    assert all(len(found) > 20 for found in tally.good.values()), tally.line()
    cluster_check.require_whole(cluster, tally)
    for operator in (cluster.operator, newer):
        assert cluster_check.books_are_right(cluster, operator).startswith("ok")
        assert operator.run("db", "check")["ok"] is True
    assert cluster.operator.run("db", "upgrade") == {"schema": schema.head(), "applied": []}


def test_a_process_that_is_about_to_leave_says_so_and_serves_on(cluster: Cluster, callers: list[Caller]) -> None:
    node = cluster.nodes[-1]
    assert node.child is not None
    process = node.child.process
    process.terminate()
    time.sleep(0.5)
    ready = raw_http.exchange(node.port, b"GET /readyz HTTP/1.1\r\nconnection: close\r\n\r\n")
    head = f"GET /v1/models HTTP/1.1\r\nhost: {callers[0].host}\r\nauthorization: Bearer {callers[0].key}\r\n"
    served = raw_http.exchange(node.port, f"{head}connection: close\r\n\r\n".encode())
    assert ready is not None
    assert served is not None
    assert (ready.status, served.status) == (503, 200)
    assert node.end() == 0
    node.start()


@pytest.mark.slow
def test_servers_of_two_processes_each_take_turns_under_load(tmp_path: Path) -> None:
    with running_cluster(tmp_path, workers=2) as up:
        assert cluster_check.rolling_restart(up, cluster_check.customers_of(up)).startswith("ok")
        assert cluster_check.books_are_right(up).startswith("ok")


@pytest.mark.slow
def test_the_program_checks_itself() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "cluster"), "--check", "--port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok  ") == 4
