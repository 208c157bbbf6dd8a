"""Every route of the consoles with the guards that stand before it, from the application itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from reseller_kit import theming
from reseller_kit.web.console import console_handlers
from reseller_kit.web.pages import Pages

DOORS = frozenset(
    {"/console/login", "/console/login/passkey/options", "/console/logout", "/console/invite", "/console/reset"}
)
"""Open to everybody: they are how members come in and leave."""
_PARAMETER = re.compile(r"\{[^}]+\}")


class Route(Struct, frozen=True):
    """One way to call the console. `right` and `edit` are what its guard asks for, if it asks for a right."""

    method: str
    path: str
    guards: tuple[str, ...]
    right: str | None
    edit: bool

    @property
    def url(self) -> str:
        """The path with something that is nobody's in each of its parameters."""
        return _PARAMETER.sub("nothing", self.path)


def routes_of(handlers: list[Any]) -> Iterator[Route]:
    for handler in handlers:
        guards = tuple(handler.guards or ())
        asking = next((guard for guard in guards if hasattr(guard, "right")), None)
        names = tuple(getattr(guard, "__qualname__", "").partition(".")[0] for guard in guards)
        for path in sorted(handler.paths):
            for method in sorted(getattr(handler, "http_methods", {"GET"})):
                if method != "OPTIONS":
                    yield Route(method, path, names, getattr(asking, "right", None), getattr(asking, "edit", False))


def console_routes() -> list[Route]:
    """The routes of a reseller's console."""
    return list(routes_of(list(console_handlers(Pages(theming.load(), 8000)))))
