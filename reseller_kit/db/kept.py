"""Statements that are made once and asked with other values: making one takes longer than asking it. Asks none."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec

from sqlalchemy import Select, bindparam

P = ParamSpec("P")


def kept(make: Callable[P, Select[Any]]) -> Callable[P, tuple[Select[Any], dict[str, Any]]]:
    """The statement that `make` makes and its values, for `connection.execute(*…)`.

    `make` is called once for each set of parameters that are not None, and with places instead of values: it may
    compare them with columns and give them to `limit`, and look at nothing of them but whether they are None. A truth
    value is passed as it is.
    """
    names = tuple(inspect.signature(make).parameters)
    made: dict[frozenset[tuple[str, bool | None]], Select[Any]] = {}

    @functools.wraps(make)
    def asked(*values: P.args, **named: P.kwargs) -> tuple[Select[Any], dict[str, Any]]:
        every: dict[str, Any] = dict(zip(names, values, strict=False)) | named
        given = {name: value for name, value in every.items() if value is not None and not isinstance(value, bool)}
        shape = frozenset(
            (name, None if name in given else value) for name, value in every.items() if value is not None
        )
        statement = made.get(shape)
        if statement is None:
            places: dict[str, Any] = {name: bindparam(name) if name in given else every[name] for name in every}
            statement = made[shape] = make(**places)  # type: ignore[call-arg]  # what was passed, all by its name
        return statement, given

    return asked
