"""Options and value types that several commands share. Every value is checked here or in the flow it goes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from ..core.errors import InvalidRequest
from ..core.lines import is_line
from ..core.money import parse_amount
from ..core.paging import DEFAULT_LIMIT, Window, window
from .invocation import Invocation

F = TypeVar("F", bound=Callable[..., Any])


def signed_amount(text: str) -> int:
    """A decimal amount in USD with an optional sign to nano-USD. Raises InvalidAmount."""
    return parse_amount(text.removeprefix("+"), negative=True)


def patterns(text: str) -> tuple[str, ...]:
    """Patterns separated by commas; what they may hold is checked by who uses them."""
    return tuple(part.strip() for part in text.split(","))


class TextType(click.ParamType[str]):
    """A printable text of so many characters that is not empty: one line, or several where `lines` are allowed."""

    name = "text"

    def __init__(self, most: int, *, lines: bool = False) -> None:
        self.most = most
        self.lines = lines

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002  # click's signature
        """Raises InvalidRequest."""
        text = str(value).strip()
        shown = f"--{param.name.replace('_', '-')}" if param is not None and param.name else "The text"
        if not text:
            way_out = "" if param is not None and param.required else ", or leave the option out"
            raise InvalidRequest(f"{shown} is empty.", fix=f"Give a text{way_out}.")
        if len(text) > self.most or not all(map(is_line, text.splitlines() if self.lines else (text,))):
            raise InvalidRequest(
                f"{shown} is too long or holds control characters.", fix=f"At most {self.most} printable characters."
            )
        return text


TEXT: Final = TextType(200)
PROSE: Final = TextType(5_000, lines=True)


class Command(click.Command):
    """A command that takes --json like every other."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        take_json(self)


class Group(click.Group):
    """A noun: its verbs are `Command`s."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        take_json(self)


def take_json(command: click.Command) -> None:
    """Give a command the --json option if it has none."""
    if not any("--json" in param.opts for param in command.params):
        command.params.append(
            click.Option(
                ["--json", "as_json"],
                is_flag=True,
                expose_value=False,
                callback=_remember_json,
                help="Print one JSON document.",
            )
        )


def tenant_option(command: F) -> F:
    """--tenant, which must be given."""
    return click.option("--tenant", required=True, metavar="SLUG", help="The tenant, by its slug.")(command)


def any_tenant_option(command: F) -> F:
    """--tenant, which narrows."""
    return click.option("--tenant", metavar="SLUG", help="Only this tenant, by its slug.")(command)


def customer_option(command: F) -> F:
    """--customer, which must be given."""
    return click.option("--customer", required=True, metavar="CUSTOMER", help="E-mail address or id.")(command)


def any_customer_option(command: F) -> F:
    """--customer, which narrows."""
    return click.option("--customer", metavar="CUSTOMER", help="Only this customer: e-mail address or id.")(command)


def reason_option(command: F) -> F:
    """--reason, which must be given."""
    return click.option("--reason", required=True, type=TEXT, help="Why; kept with the change.")(command)


def idempotency_option(command: F) -> F:
    """--idempotency-key."""
    return click.option(
        "--idempotency-key", type=TEXT, metavar="KEY", help="Repeating the command with this key does it once."
    )(command)


def page_options(command: F) -> F:
    """--limit and --cursor, for `window_of`."""
    limit = click.option("--limit", type=int, default=DEFAULT_LIMIT, show_default=True, help="Most rows, up to 1000.")
    cursor = click.option("--cursor", help="next_cursor of the page before.")
    return limit(cursor(command))


def window_of(limit: int, cursor: str | None) -> Window:
    """The page that the options ask for. Raises InvalidRequest."""
    return window(limit, cursor)


def tenant_argument(command: F) -> F:
    """The tenant as an argument or as --tenant, for `chosen`."""
    argument = click.argument("slug", required=False)
    option = click.option("--tenant", "--slug", "tenant", metavar="SLUG", help="The same, as an option.")
    return argument(option(command))


def customer_argument(command: F) -> F:
    """The customer as an argument or as --customer, for `chosen`."""
    argument = click.argument("who", metavar="[CUSTOMER]", required=False)
    option = click.option("--customer", "--email", "customer", metavar="CUSTOMER", help="The same, as an option.")
    return argument(option(command))


def chosen(argument: str | None, option: str | None, what: str) -> str:
    """The value given as an argument or as an option. Raises UsageError for none, or for two that differ."""
    given = {value for value in (argument, option) if value is not None}
    if len(given) != 1:
        problem = f"Missing {what}." if not given else f"Two different values for {what}."
        raise click.UsageError(problem, ctx=click.get_current_context())
    return given.pop()


def _remember_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click's callback
    if value:
        ctx.ensure_object(Invocation).as_json = True
