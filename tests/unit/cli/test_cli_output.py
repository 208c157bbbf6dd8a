"""What goes to another program has each row of a table on one line; a terminal folds what is too long for it."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from reseller_kit.cli.invocation import Invocation
from reseller_kit.cli.output import emit, table


def shown(**environment: str | None) -> str:
    @click.command()
    def command() -> None:
        emit({}, table(("PRODUCT", "PRICE"), [("p" * 90, "q" * 90)], empty=""))

    return CliRunner(env=environment).invoke(command, obj=Invocation(environ={}), catch_exceptions=False).output


@pytest.mark.parametrize(("columns", "lines"), [(None, 2), ("80", 4)])
def test_a_row_is_one_line_for_programs(columns: str | None, lines: int) -> None:
    found = shown(COLUMNS=columns).splitlines()
    assert len(found) == lines
    assert found[0].split() == ["PRODUCT", "PRICE"]
