"""A form as its page shows it: what was typed, and what is wrong with it. Reads no request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class FormProblem(Struct, frozen=True, kw_only=True):
    """What is wrong with a field, or with the form as a whole where `field` is empty; `key` names the text."""

    field: str
    key: str
    values: Mapping[str, Any] = {}


class FormView(Struct, frozen=True, kw_only=True):
    """A form's fields as they were typed, without secrets, and what is wrong with them."""

    values: Mapping[str, str] = {}
    problems: tuple[FormProblem, ...] = ()

    def value(self, name: str, default: str = "") -> str:
        """What the field shows."""
        return self.values.get(name, default)

    def problem(self, name: str) -> FormProblem | None:
        """What is wrong with the field."""
        return next((problem for problem in self.problems if problem.field == name), None)

    def wrong(self, *starts: str) -> bool:
        """Whether there is a problem with a field whose name begins so: a fold around it has to be open."""
        return any(problem.field.startswith(starts) for problem in self.problems)
