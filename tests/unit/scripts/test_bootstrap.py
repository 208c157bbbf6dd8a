from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from scripts._lib import bootstrap

RECORDING_APT = """#!/bin/sh
echo "$@" >> "{log}"
test "$1" != "{refused}"
"""


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for apt-get that writes down what it is asked; the file with that."""
    return install_apt(tmp_path, monkeypatch)


def install_apt(folder: Path, monkeypatch: pytest.MonkeyPatch, refused: str = "") -> Path:
    log = folder / "apt.log"
    program = folder / "apt-get"
    program.write_text(RECORDING_APT.format(log=log, refused=refused))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return log


def test_root_installs_a_missing_package(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    bootstrap.install_debian("chromium")
    assert apt.read_text().splitlines() == ["update", "install --no-install-recommends chromium --yes"]


def test_others_are_told_the_command(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(bootstrap.SetupFailed, match="sudo apt-get install --no-install-recommends chromium"):
        bootstrap.install_debian("chromium")
    assert not apt.exists()


def test_a_machine_without_apt_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bootstrap.SetupFailed, match="no apt-get"):
        bootstrap.install_debian("chromium")


def test_an_installation_that_fails_says_which_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_apt(tmp_path, monkeypatch, refused="update")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(bootstrap.SetupFailed, match="apt-get update failed"):
        bootstrap.install_debian("chromium")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose environment looks finished, without being one."""
    (tmp_path / "requirements").mkdir()
    for name in bootstrap.SETS:
        (tmp_path / "requirements" / f"{name}.lock").write_text(f"# {name}\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "PYTHON", tmp_path / ".venv" / "bin" / "python")
    return tmp_path


def finish(checkout: Path, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace making and filling the environment by writing down what was asked."""

    def create() -> None:
        bootstrap.PYTHON.parent.mkdir(parents=True, exist_ok=True)
        bootstrap.PYTHON.touch()
        commands.append(("venv",))

    monkeypatch.setattr(bootstrap, "_create", create)
    monkeypatch.setattr(bootstrap, "_usable", bootstrap.PYTHON.exists)
    monkeypatch.setattr(bootstrap, "_pip", lambda *arguments: commands.append(arguments))


def test_the_environment_is_made_once_and_refreshed_when_a_lock_changes(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[tuple[str, ...]] = []
    finish(checkout, commands, monkeypatch)
    bootstrap.ensure("demo")
    assert [command[0] for command in commands] == ["venv", "install", "install"]
    assert "--require-hashes" in commands[1]
    assert {"--no-deps", "--no-build-isolation", "--editable"} <= set(commands[2])

    commands.clear()
    bootstrap.ensure("demo")
    assert commands == []

    bootstrap.lock_path("demo").write_text("# newer\n")
    bootstrap.ensure("demo")
    assert [command[0] for command in commands] == ["install", "install"]


def test_the_larger_set_holds_the_smaller_one(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    finish(checkout, commands, monkeypatch)
    bootstrap.ensure("dev")
    commands.clear()
    bootstrap.ensure("demo")
    assert commands == []


def test_the_smaller_set_does_not_pass_for_the_larger_one(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    finish(checkout, commands, monkeypatch)
    bootstrap.ensure("demo")
    commands.clear()
    bootstrap.ensure("dev")
    assert str(bootstrap.lock_path("dev")) in commands[0]


def test_an_installation_that_breaks_off_is_done_again(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    finish(checkout, commands, monkeypatch)

    def refuse(*_: str) -> None:
        raise bootstrap.SetupFailed("no network")

    with monkeypatch.context() as broken:
        broken.setattr(bootstrap, "_pip", refuse)
        with pytest.raises(bootstrap.SetupFailed):
            bootstrap.ensure("demo")
    commands.clear()
    bootstrap.ensure("demo")
    assert [command[0] for command in commands] == ["install", "install"]


def test_processes_at_once_install_once(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []
    finish(checkout, commands, monkeypatch)

    def slow(*arguments: str) -> None:
        time.sleep(0.05)
        commands.append(arguments)

    monkeypatch.setattr(bootstrap, "_pip", slow)
    threads = [threading.Thread(target=bootstrap.ensure, args=("demo",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [command[0] for command in commands] == ["venv", "install", "install"]


def test_a_standard_library_without_ensurepip_is_completed_first(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refuse(*packages: str) -> None:
        asked.extend(packages)
        raise bootstrap.SetupFailed("run: sudo apt-get install …")

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(bootstrap, "install_debian", refuse)
    with pytest.raises(bootstrap.SetupFailed):
        bootstrap.ensure("demo")
    assert len(asked) == 1
    assert asked[0].startswith("python3.")
    assert asked[0].endswith("-venv")
