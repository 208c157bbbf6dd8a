"""Finds the plugins of installed packages by their entry points, and keeps their faults to themselves.

A package that is broken is a sentence to the operator and a line in the log, never the end of a process.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Final, TypeVar

from msgspec import Struct

from ..core.errors import InvalidRequest, KitError
from ..payments import Provider
from ..telemetry.redaction import redact
from ..upstream.base import Upstream
from .shapes import API_VERSION, PaymentPlugin, PaymentSetup, UpstreamPlugin, UpstreamSetup

T = TypeVar("T", UpstreamPlugin, PaymentPlugin)
M = TypeVar("M")

UPSTREAMS: Final = "reseller_kit.upstreams"
PAYMENTS: Final = "reseller_kit.payments"
_log = logging.getLogger(__name__)
_MAX_REASON: Final = 200
_MEND: Final = "Mend or update its package."


class PluginUnusable(InvalidRequest):
    """A plugin that is not installed, or that can't be loaded or used."""


class _Found(Struct, frozen=True):
    plugin: UpstreamPlugin | PaymentPlugin | None
    problem: str = ""
    fix: str = ""


def upstream_plugin(name: str) -> UpstreamPlugin:
    """The installed plugin of that name. Raises PluginUnusable."""
    return _get(UPSTREAMS, name, UpstreamPlugin)


def payment_plugin(name: str) -> PaymentPlugin:
    """The installed plugin of that name. Raises PluginUnusable."""
    return _get(PAYMENTS, name, PaymentPlugin)


def make_upstream(name: str, setup: UpstreamSetup) -> Upstream:
    """The plugin's client of an upstream. Raises InvalidRequest as `make_provider` does."""
    made = _made(name, lambda: upstream_plugin(name).make(setup))
    if not isinstance(made, Upstream):
        raise PluginUnusable(f"The plugin {name!r} made a {type(made).__name__}, no Upstream.", fix=_MEND)
    return made


def make_provider(name: str, setup: PaymentSetup) -> Provider:
    """The plugin's provider. Raises InvalidRequest where it is missing, broken or not content with its settings."""
    made = _made(name, lambda: payment_plugin(name).make(setup))
    if not isinstance(made, Provider):
        raise PluginUnusable(f"The plugin {name!r} made a {type(made).__name__}, no Provider.", fix=_MEND)
    if made.name != name:
        raise PluginUnusable(f"The plugin {name!r} calls itself {str(made.name)[:40]!r}.", fix=_MEND)
    return made


def installed(group: str) -> list[str]:
    """The names of the plugins of a group, in order. Nothing of them is run."""
    return sorted({point.name for point in entry_points(group=group)})


def _made(name: str, make: Callable[[], M]) -> M:
    try:
        return make()
    except KitError as error:
        raise InvalidRequest(error.message, fix=error.fix) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # nor may it end what asks for it later
        _log.warning("the plugin %s failed", name, exc_info=True)
        raise PluginUnusable(_problem(f"The plugin {name!r} failed", error), fix=_MEND) from None


def forget() -> None:
    """Look at what is installed anew, for processes that outlive a change of it."""
    _load.cache_clear()


def _get(group: str, name: str, kind: type[T]) -> T:
    found = _load(group, name)
    if isinstance(found.plugin, kind):
        return found.plugin
    raise PluginUnusable(found.problem, fix=found.fix)


@functools.cache
def _load(group: str, name: str) -> _Found:
    """What an entry point leads to; it is looked for once in a process."""
    points = list(entry_points(group=group, name=name))
    if not points:
        known = ", ".join(installed(group)) or "none"
        return _Found(None, f"The plugin {name!r} is not installed.", f"Install its package. Installed: {known}.")
    if len({point.value for point in points}) > 1:
        return _Found(None, f"Several packages have a plugin {name!r}: {_values(points)}.", "Remove all but one.")
    try:
        loaded = points[0].load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # others' code may raise anything when it is imported
        _log.warning("the plugin %s of %s can't be loaded", name, group, exc_info=True)
        return _Found(None, _problem(f"The plugin {name!r} can't be loaded", error), _MEND)
    kind = UpstreamPlugin if group == UPSTREAMS else PaymentPlugin
    if not isinstance(loaded, kind):
        text = f"The plugin {name!r} is a {type(loaded).__name__}, not a {kind.__name__}."
        return _Found(None, text, f"Its entry point has to lead to a {kind.__name__}.")
    if loaded.api != API_VERSION:
        text = f"The plugin {name!r} is for version {loaded.api} of the plugin interface; this is {API_VERSION}."
        return _Found(None, text, "Install a version of the plugin that suits.")
    return _Found(loaded)


def _values(points: Iterable[EntryPoint]) -> str:
    return ", ".join(sorted({point.value for point in points}))


def _problem(what: str, error: BaseException) -> str:
    told = redact(str(error)).replace("\n", " ")[:_MAX_REASON]
    return f"{what}: {type(error).__name__}{f': {told}' if told else ''}."
