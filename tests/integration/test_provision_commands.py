"""`init`, `plan` and `apply` as commands: what they print, and their exit codes."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reseller_kit.cli.root import run

EXAMPLE = (Path(__file__).parents[2] / "tenants.example.toml").read_text(encoding="utf-8")


class Shell:
    """Runs commands in one folder and keeps what the last one printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = folder / "tenants.toml"
        self.environ = {
            "RESELLER_KIT_DATA_DIR": str(folder / "data"),
            "RESELLER_KIT_CONFIG": str(self.file),
            "DEMO_UPSTREAM_KEY": "sk-demo",
        }
        self._capsys = capsys
        self.out = ""
        self.err = ""

    def __call__(self, *argv: str) -> int:
        code = run(argv, self.environ)
        self.out, self.err = self._capsys.readouterr()
        return code

    def json(self) -> Any:
        return msgspec.json.decode(self.out)

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text(encoding="utf-8")
        assert old in text
        self.file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    shell = Shell(tmp_path, capsys)
    assert shell("init", str(tmp_path)) == 0
    return shell


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A terminal at which somebody types this."""
    terminal = io.StringIO(text)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)


def test_init_writes_the_example_and_never_over_a_file(shell: Shell, tmp_path: Path) -> None:
    assert shell.file.read_text(encoding="utf-8") == EXAMPLE
    shell.edit("Northwind", "Mine")
    assert shell("init", str(tmp_path)) == 5
    assert "Mine" in shell.file.read_text(encoding="utf-8")
    assert shell("init", str(tmp_path / "new" / "folder"), "--json") == 0
    assert shell.json() == {"path": str(tmp_path / "new" / "folder" / "tenants.toml")}


def test_plan_and_apply_from_nothing_to_no_changes(shell: Shell) -> None:
    assert shell("plan", "--detailed-exitcode") == 7
    assert "+ tenant aurora" in shell.out
    assert "Plan: 18 to create." in shell.out
    assert shell("plan") == 0
    assert shell("apply", "--yes") == 0
    assert "Applied: 18 created." in shell.out
    assert shell("plan", "--detailed-exitcode") == 0
    assert shell("apply") == 0
    assert "No changes." in shell.out
    assert shell("apply", "--yes", "--json") == 0
    assert shell.json() == {
        "changes": [], "prices": [], "scheduled": [], "costs": [], "routes": [], "warnings": [],
    }  # fmt: skip


def test_a_tenant_made_by_command_has_prices_and_leaves_no_change_pending(shell: Shell) -> None:
    shell("apply", "--yes")
    assert shell("tenant", "create", "boreal", "--markup", "30%") == 0
    assert shell("plan", "--detailed-exitcode", "--json") == 0
    assert [(one["action"], one["id"]) for one in shell.json()["changes"]] == [("orphan", "boreal")]
    assert shell("price", "show", "--tenant", "boreal", "--model", "gpt-5", "--json") == 0
    assert {row["class"]: row["retail"] for row in shell.json()["prices"]}["input"] == "1.7875"


def test_plan_shows_fields_and_margins(shell: Shell) -> None:
    shell("apply", "--yes")
    shell.edit('markup = "40%"', 'markup = "50%"')
    assert shell("plan", "--json") == 0
    found = shell.json()
    assert found["changes"] == [
        {
            "action": "update",
            "kind": "tenant",
            "id": "aurora",
            "fields": {"pricing.markup": {"old": "40%", "new": "50%"}},
        }
    ]
    moved = {(row["model"], row["class"]): row for row in found["prices"]}
    assert moved["gpt-5", "input"]["before"] == {"wholesale": "1.375", "retail": "1.925", "margin": "0.55"}
    assert moved["gpt-5", "input"]["after"] == {"wholesale": "1.375", "retail": "2.0625", "margin": "0.6875"}
    assert shell("plan") == 0
    assert '"40%" → "50%"' in shell.out
    assert "0.55 → 0.6875" in shell.out


def test_apply_without_a_terminal_changes_nothing(shell: Shell) -> None:
    assert shell("apply") == 8
    assert "+ tenant aurora" in shell.out
    assert shell("apply", "--json") == 8
    assert shell.json()["error"]["code"] == "confirmation_needed"
    assert len(shell.json()["error"]["details"]) == 18
    assert shell("plan", "--detailed-exitcode") == 7


def test_apply_asks_on_a_terminal(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, "n\n")
    assert shell("apply") == 8
    assert "Nothing was changed." in shell.err
    assert shell("plan", "--detailed-exitcode") == 7
    answer(monkeypatch, "y\n")
    assert shell("apply") == 0
    assert "Applied: 18 created." in shell.out
    assert shell("plan", "--detailed-exitcode") == 0


def test_invalid_files_exit_3_with_every_place(shell: Shell) -> None:
    shell.edit('markup = "40%"', "markup = 40")
    shell.edit('theme = "midnight"', 'theme = "midnite"')
    for command in (["plan"], ["apply", "--yes"]):
        assert shell(*command) == 3
        assert f"{shell.file}:" in shell.err
        assert "error RK105 tenants[0].pricing.markup" in shell.err
        assert "error RK502 tenants[1].theme" in shell.err
        assert shell.out == ""
    assert shell("plan", "--json") == 3
    assert [detail["code"] for detail in shell.json()["error"]["details"]] == ["RK105", "RK502"]


def test_a_missing_secret_exits_3(shell: Shell) -> None:
    del shell.environ["DEMO_UPSTREAM_KEY"]
    for command in (["plan"], ["apply", "--yes"]):
        assert shell(*command) == 3
        assert "error RK501 upstreams.demo.api_keys[0]" in shell.err
        assert "export DEMO_UPSTREAM_KEY=" in shell.err


def test_files_that_cannot_be_read(shell: Shell, tmp_path: Path) -> None:
    assert shell("plan", "-f", str(tmp_path / "none.toml")) == 4
    assert "reseller-kit init" in shell.err
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    assert shell("plan", "-f", str(tmp_path / "latin.toml")) == 3
    assert shell("plan", "-f", str(tmp_path)) == 2


def test_another_file_by_option(shell: Shell, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    shell.file.rename(other)
    assert shell("apply", "-f", str(other), "--yes") == 0
    assert shell("plan", "-f", str(other), "--detailed-exitcode") == 0


def test_an_export_is_a_whole_file_and_that_of_one_tenant_says_that_it_is_none(shell: Shell) -> None:
    assert shell("apply", "--yes") == 0
    assert shell("tenant", "export") == 0
    assert "apply it with" in shell.out
    shell.file.write_text(shell.out, encoding="utf-8")
    assert shell("plan", "--detailed-exitcode") == 0
    assert shell("tenant", "export", "aurora") == 0
    assert "Put it into your tenants.toml" in shell.out
    assert "apply it with" not in shell.out


def test_orphans_are_told_and_pruned(shell: Shell) -> None:
    shell("apply", "--yes")
    text = shell.file.read_text(encoding="utf-8")
    shell.file.write_text(text.partition("# The second storefront")[0], encoding="utf-8")
    assert shell("plan", "--detailed-exitcode") == 0
    assert "! tenant nocturne  orphan: not in the file and kept" in shell.out
    assert shell("plan", "--prune", "--detailed-exitcode", "--json") == 7
    assert [(change["action"], change["id"]) for change in shell.json()["changes"]] == [("archive", "nocturne")]
    assert shell("apply", "--prune", "--yes", "--json") == 0
    assert [(change["action"], change["id"]) for change in shell.json()["changes"]] == [("archive", "nocturne")]
    assert shell("plan", "--prune", "--detailed-exitcode") == 0


def test_drift_is_told_and_reset(shell: Shell) -> None:
    shell("apply", "--yes")
    shell.edit('markup = "40%"', 'markup = "41%"')
    shell("apply", "--yes")
    database = Path(shell.environ["RESELLER_KIT_DATA_DIR"]) / "reseller_kit.db"
    import sqlite3

    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE tenant SET theme = 'midnight' WHERE slug = 'aurora'")
    connection.close()
    assert shell("plan") == 0
    assert 'theme  file says "daylight", now "midnight"' in shell.out
    assert shell("apply", "--yes", "--json") == 0
    assert shell.json()["changes"] == []
    assert shell("apply", "--reset-drift", "--yes", "--json") == 0
    assert shell.json()["changes"][0]["fields"] == {"theme": {"old": "midnight", "new": "daylight"}}


def test_a_file_that_is_no_utf_8_is_an_invalid_one_and_the_line_is_named(shell: Shell) -> None:
    shell.file.write_bytes(EXAMPLE.encode().replace(b"schema = 1", b"schema = 1 # caf\xe9"))
    line = EXAMPLE[: EXAMPLE.index("schema = 1")].count("\n") + 1
    assert shell("plan", "--json") == 3
    (found,) = shell.json()["error"]["details"]
    assert (found["line"], found["code"], found["fix"]) == (line, "RK101", "Save the file as UTF-8.")
