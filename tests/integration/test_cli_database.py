from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert

from reseller_kit.cli.root import run
from reseller_kit.db import schema
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.settings import SECRET_KEY_FILE
from tests.support.commands import Cli
from tests.support.factories import SECRET_KEY, make_customer, make_platform, make_tenant

ON = ("--tenant", "aurora", "--customer", "kim@example.com")


async def _seed(db: Database) -> None:
    await make_customer(db, await make_tenant(db, "aurora"), "kim@example.com")


@pytest.fixture
def empty(database_url: str, tmp_path: Path) -> Cli:
    return Cli(tmp_path, database_url)


@pytest.fixture
def local(tmp_path: Path) -> Cli:
    cli = Cli(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/reseller_kit.db")
    cli.ask("db", "upgrade")
    cli.seed(_seed)
    return cli


def test_upgrading_makes_the_schema_once(empty: Cli) -> None:
    assert empty.ask("db", "upgrade") == {"schema": schema.head(), "applied": schema.known_revisions()}
    assert empty.ask("db", "upgrade") == {"schema": schema.head(), "applied": []}
    assert empty.ask("db", "check") == {"ok": True, "schema": schema.head(), "head": schema.head(), "findings": []}


def test_a_missing_schema_is_a_finding(empty: Cli, backend: str) -> None:
    if backend == "sqlite":
        assert empty.refused("db", "check")[0] == 4
        return
    result = empty.run("db", "check", "--json")
    assert result.code == 6
    assert [finding["code"] for finding in result.json()["findings"]] == ["DB101"]
    code, error = empty.refused("tenant", "list")
    assert (code, error["code"]) == (1, "schema_outdated")
    assert "db upgrade" in error["fix"]


def test_other_commands_make_an_embedded_database_on_first_use(empty: Cli, backend: str) -> None:
    if backend == "sqlite":
        assert empty.ask("tenant", "list")["tenants"] == []


def test_postgresql_is_left_to_its_own_tools(cli: Cli, backend: str, tmp_path: Path) -> None:
    for verb in ("backup", "restore"):
        if backend == "postgres":
            code, error = cli.refused("db", verb, str(tmp_path / "copy"))
            assert code == 2
            assert "pg_dump" in error["fix"]
        else:
            assert cli.run("db", verb, "--help").code == 0


def test_a_backup_is_restored_and_what_was_there_is_kept(local: Cli, tmp_path: Path) -> None:
    local.ask("credit", "grant", *ON, "--amount", "10", "--reason", "x")
    copy = tmp_path / "copy.db"
    made = local.ask("db", "backup", str(copy))
    assert made == {"path": str(copy), "bytes": copy.stat().st_size}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    local.ask("credit", "grant", *ON, "--amount", "5", "--reason", "x")
    restored = local.ask("db", "restore", str(copy))
    assert local.ask("credit", "balance", *ON)["balance"] == "10.00"
    kept = Path(restored["kept"])
    assert local.ask("db", "restore", str(kept))["restored"] == str(kept)
    assert local.ask("credit", "balance", *ON)["balance"] == "15.00"
    assert local.ask("ledger", "audit")["ok"] is True
    assert not list(tmp_path.glob("restore-*"))


def test_a_backup_can_be_restored_where_there_is_nothing(local: Cli, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    local.ask("db", "backup", str(copy))
    (tmp_path / "fresh").mkdir()
    fresh = Cli(tmp_path / "fresh", f"sqlite+aiosqlite:///{tmp_path}/fresh/reseller_kit.db")
    assert fresh.ask("db", "restore", str(copy))["kept"] is None
    assert [row["slug"] for row in fresh.ask("tenant", "list")["tenants"]] == ["aurora"]


def test_a_backup_overwrites_nothing(local: Cli, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    assert local.refused("db", "backup", str(tmp_path / "copy.db"))[0] == 5
    assert (tmp_path / "copy.db").read_text() == "precious"
    assert local.refused("db", "backup", str(tmp_path / "no" / "copy.db"))[0] == 4


def test_what_is_no_backup_is_refused_and_the_database_stays(local: Cli, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database at all, but long enough to be read as one" * 100)
    sqlite3.connect(tmp_path / "other.db").close()
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE x (y)")
    other.close()
    for name, code in (("text.db", 2), ("other.db", 2), ("missing.db", 4)):
        assert local.refused("db", "restore", str(tmp_path / name))[0] == code
    assert [row["slug"] for row in local.ask("tenant", "list")["tenants"]] == ["aurora"]


def test_a_backup_under_another_secret_key_is_refused(local: Cli, tmp_path: Path) -> None:
    local.ask("key", "create", *ON)
    local.ask("db", "backup", str(tmp_path / "copy.db"))
    other = Cli(tmp_path, local.database_url, {"RESELLER_KIT_SECRET_KEY": "another" * 6})
    code, error = other.refused("db", "restore", str(tmp_path / "copy.db"))
    assert (code, error["code"]) == (1, "wrong_secret_key")
    assert [row["slug"] for row in local.ask("tenant", "list")["tenants"]] == ["aurora"]


def test_a_backup_of_a_newer_version_is_refused(local: Cli, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    local.ask("db", "backup", str(copy))
    newer = sqlite3.connect(copy)
    newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.commit()
    newer.close()
    code, error = local.refused("db", "restore", str(copy))
    assert (code, error["code"]) == (1, "schema_outdated")


def test_nothing_is_restored_under_a_running_server(local: Cli, tmp_path: Path) -> None:
    local.ask("db", "backup", str(tmp_path / "copy.db"))

    async def lease(db: Database) -> None:
        row = {"owner": "own_1", "epoch": 1, "renewed_at": now_us() + 60_000_000, "schema": schema.head()}
        async with db.write(EVERY_TENANT) as connection:
            await connection.execute(insert(t.lease).values(row))

    local.seed(lease)
    code, error = local.refused("db", "restore", str(tmp_path / "copy.db"))
    assert (code, error["code"]) == (5, "conflict")
    assert "server" in error["message"]


def test_damage_is_a_finding(local: Cli) -> None:
    database = sqlite3.connect(local.folder / "reseller_kit.db")
    database.execute("UPDATE customer SET wallet_id = 999")
    database.commit()
    database.close()
    result = local.run("db", "check", "--json")
    assert result.code == 6
    (finding,) = result.json()["findings"]
    assert finding["code"] == "DB102"
    assert "customer" in finding["message"]


def test_a_file_that_is_no_database_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "reseller_kit.db").write_text("not a database at all, but long enough to be read as one" * 100)
    cli = Cli(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/reseller_kit.db")
    code, error = cli.refused("tenant", "list")
    assert (code, error["code"]) == (2, "invalid_request")
    assert "no SQLite database" in error["message"]
    code, error = Cli(tmp_path, f"sqlite+aiosqlite:///{tmp_path}/no/x.db").refused("tenant", "list")
    assert (code, error["code"]) == (2, "invalid_request")
    assert "folder" in error["message"]


def test_a_server_that_is_away_is_told_plainly(tmp_path: Path) -> None:
    cli = Cli(tmp_path, "postgresql+asyncpg://app:hunter2@127.0.0.1:9/app")
    result = cli.run("tenant", "list", "--json")
    assert result.code == 1
    assert result.json()["error"]["code"] == "database_unavailable"
    assert "hunter2" not in result.stdout + result.stderr


def test_the_secret_key_is_rotated_and_api_keys_go_on(local: Cli, tmp_path: Path) -> None:
    made = local.ask("key", "create", *ON)
    code, error = local.refused("secret", "rotate")
    assert code == 5
    assert "--new-key-file" in error["fix"]
    file = tmp_path / "new.key"
    rotated = local.ask("secret", "rotate", "--new-key-file", str(file))
    assert (rotated["rotated"], rotated["key_file"]) == (2, str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert local.refused("key", "create", *ON)[1]["code"] == "wrong_secret_key"
    renewed = Cli(tmp_path, local.database_url, {"RESELLER_KIT_SECRET_KEY": file.read_text().strip()})
    assert renewed.ask("key", "rotate", made["id"])["key"]
    assert renewed.refused("secret", "rotate", "--new-key-file", str(file))[0] == 2


def test_old_and_new_secret_key_work_side_by_side(cli: Cli, tmp_path: Path) -> None:
    """A server of either configuration starts before, during and after the rotation."""
    cli.seed(make_platform)
    cli.seed(lambda db: make_tenant(db, "aurora"))
    old, new = SECRET_KEY, "another-secret-key-of-more-than-32-characters"
    make = ("customer", "create", "--tenant", "aurora", "--email")
    both = Cli(tmp_path, cli.database_url, {"RESELLER_KIT_SECRET_KEY_NEXT": new})
    only_new = Cli(tmp_path, cli.database_url, {"RESELLER_KIT_SECRET_KEY": new})
    assert cli.ask(*make, "a@example.com")["id"]
    assert both.ask(*make, "b@example.com")["id"]
    assert only_new.refused(*make, "x@example.com")[1]["code"] == "wrong_secret_key"
    assert both.refused("secret", "rotate", "--new-key-file", str(tmp_path / "x"))[0] == 5
    rotated = both.ask("secret", "rotate")
    assert rotated["rotated"] == 2
    assert new not in str(rotated)
    assert both.ask("secret", "rotate")["rotated"] == 0
    assert both.ask(*make, "c@example.com")["id"]
    assert only_new.ask(*make, "d@example.com")["id"]
    assert cli.refused(*make, "y@example.com")[1]["code"] == "wrong_secret_key"
    strange = {"RESELLER_KIT_SECRET_KEY": "a-third" * 6, "RESELLER_KIT_SECRET_KEY_NEXT": old}
    assert Cli(tmp_path, cli.database_url, strange).refused(*make, "z@example.com")[1]["code"] == "wrong_secret_key"


def test_a_generated_secret_key_is_replaced_in_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"RESELLER_KIT_DATA_DIR": str(tmp_path)}
    assert run(["tenant", "create", "aurora"], environ) == 0
    assert run(["customer", "create", "--tenant", "aurora", "--email", "kim@example.com"], environ) == 0
    before = (tmp_path / SECRET_KEY_FILE).read_text()
    assert run(["secret", "rotate"], environ) == 0
    assert (tmp_path / SECRET_KEY_FILE).read_text() != before
    assert run(["key", "create", *ON], environ) == 0
    assert sorted(path.name for path in tmp_path.iterdir() if "key" in path.name) == [SECRET_KEY_FILE]
    capsys.readouterr()


def test_the_program_runs_as_a_module(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "RESELLER_KIT_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "reseller_kit", "tenant", "show", "aurora", "--json"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 4
    assert '"not_found"' in done.stdout
    assert done.stderr == ""
