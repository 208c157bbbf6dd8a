from __future__ import annotations

from pathlib import Path

from tests.support.commands import Cli

NOWHERE = "sqlite+aiosqlite:////nowhere/reseller_kit.db"


def test_the_installed_themes_are_listed(tmp_path: Path) -> None:
    themes = Cli(tmp_path, NOWHERE).ask("theme", "list")["themes"]
    assert {"base", "daylight", "midnight"} <= {theme["name"] for theme in themes}
    assert {theme["extends"] for theme in themes if theme["name"] != "base"} == {"base"}


def test_a_new_theme_passes_the_check(tmp_path: Path) -> None:
    cli = Cli(tmp_path, NOWHERE)
    made = cli.ask("theme", "new", "harbour", "--into", str(tmp_path))
    assert str(tmp_path / "harbour" / "theme.toml") in made["files"]
    assert cli.ask("theme", "check", str(tmp_path / "harbour")) == {"ok": True, "findings": []}
    assert cli.refused("theme", "new", "harbour", "--into", str(tmp_path))[0] == 5
    assert cli.refused("theme", "new", "Not A Name", "--into", str(tmp_path))[0] == 2


def test_a_broken_theme_is_reported_with_rule_file_and_line(tmp_path: Path) -> None:
    cli = Cli(tmp_path, NOWHERE)
    cli.ask("theme", "new", "harbour", "--into", str(tmp_path))
    home = tmp_path / "harbour" / "templates" / "storefront" / "home.html"
    home.write_text(home.read_text() + '\n<p style="color:red">x</p>\n')
    result = cli.run("theme", "check", str(tmp_path / "harbour"), "--json")
    assert result.code == 6
    (finding,) = [row for row in result.json()["findings"] if row["code"] == "TH203"]
    assert finding["line"] == len(home.read_text().splitlines())
    assert finding["fix"]
    assert "TH203" in cli.run("theme", "check", str(tmp_path / "harbour")).stdout


def test_a_folder_that_is_not_there_is_not_found_and_a_file_is_a_bad_value(tmp_path: Path) -> None:
    cli = Cli(tmp_path, NOWHERE)
    assert cli.refused("theme", "check", str(tmp_path / "nothing"))[0] == 4
    (tmp_path / "file").touch()
    assert cli.refused("theme", "check", str(tmp_path / "file"))[0] == 2
