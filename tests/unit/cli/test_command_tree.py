from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from reseller_kit.cli.root import COMMANDS, root, run


def every_command() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(root, info_name="reseller-kit")
    pending: list[tuple[str, click.Command]] = [(name, root.get_command(context, name)) for name in COMMANDS]  # type: ignore[misc]
    while pending:
        path, command = pending.pop()
        yield path, command
        if isinstance(command, click.Group):
            pending += [(f"{path} {name}", child) for name, child in command.commands.items()]


def test_every_command_says_what_it_is_for_and_takes_json() -> None:
    found = dict(every_command())
    assert set(COMMANDS) <= set(found)
    for path, command in found.items():
        assert command.help, path
        assert any("--json" in param.opts for param in command.params), path


def test_every_option_says_what_it_is_for() -> None:
    for path, command in every_command():
        for param in command.params:
            if isinstance(param, click.Option) and param.show_default is None:
                assert param.help or isinstance(param.type, click.Choice), f"{path} {param.opts}"


def test_the_help_of_a_noun_is_the_line_in_the_list() -> None:
    for name, entry in COMMANDS.items():
        command = root.get_command(click.Context(root), name)
        assert command is not None
        if isinstance(command, click.Group):
            assert command.help == entry.help, name


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"], {}) == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in shown


@pytest.mark.parametrize("arguments", [["nonsense"], ["tenant", "nonsense"], ["tenant", "list", "--nonsense"], ["key"]])
def test_usage_errors_end_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments, {}) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Usage: reseller-kit" in err
