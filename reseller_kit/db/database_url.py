"""What RESELLER_KIT_DATABASE_URL may say. Connects to nothing: what is wrong is told before a driver trips over it."""

from __future__ import annotations

from typing import Final

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from ..core.errors import InvalidRequest

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
"""As a URL may begin, such as those that hosts of databases hand out → the driver that is meant."""
_HOW: Final = "Use sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE."
_MOST_PORT: Final = 65535
_NUMBERS: Final = frozenset({"command_timeout", "prepared_statement_cache_size", "timeout"})
_TEXTS: Final = frozenset(
    {"gsslib", "host", "krbsrvname", "passfile", "port", "service", "servicefile", "ssl", "target_session_attrs"}
)
"""Parameters that SQLAlchemy's dialect takes as they stand in a URL; asyncpg's `connect` takes those that are texts."""
_SSL: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def parse(url: str) -> URL:
    """The URL's parts, as SQLAlchemy takes them: `ssl` says what libpq's `sslmode` does.

    Raises InvalidRequest for one that neither database can be opened with.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        fix = f"{_HOW} In a password write %40 for @, %2F for / and %3A for a colon."
        raise InvalidRequest("RESELLER_KIT_DATABASE_URL is not a database URL.", fix=fix) from None
    if parsed.drivername not in _DRIVERS:
        raise InvalidRequest(f"RESELLER_KIT_DATABASE_URL names the driver {parsed.drivername!r}.", fix=_HOW)
    parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed)
        return parsed
    parsed = _renamed(parsed, "sslmode", "ssl")
    _check_server(parsed)
    return parsed


def asyncpg_dsn(url: URL) -> str:
    """A URL of `parse` as asyncpg's `connect` takes it: there `ssl` would be a setting of the server."""
    dsn = _renamed(url, "ssl", "sslmode").difference_update_query(_NUMBERS)
    return dsn.set(drivername="postgresql").render_as_string(hide_password=False)


def _renamed(url: URL, name: str, other: str) -> URL:
    if name not in url.query:
        return url
    if other in url.query:
        raise InvalidRequest("RESELLER_KIT_DATABASE_URL has both 'ssl' and 'sslmode'.", fix="Leave one of them.")
    return url.difference_update_query([name]).update_query_dict({other: url.query[name]})


def _check_file(url: URL) -> None:
    if url.host or url.port is not None or url.username is not None:
        fix = "Use sqlite+aiosqlite:///PATH; an absolute path makes it four slashes."
        raise InvalidRequest("RESELLER_KIT_DATABASE_URL names a host, and SQLite has none.", fix=fix)
    if url.database in {None, "", ":memory:"}:
        raise InvalidRequest("An in-memory database would lose the ledger.", fix=_HOW)
    if url.query:
        fix = "Take out what begins with the question mark."
        raise InvalidRequest("RESELLER_KIT_DATABASE_URL has parameters, and SQLite takes none here.", fix=fix)


def _check_server(url: URL) -> None:
    if url.port is not None and not 0 < url.port <= _MOST_PORT:
        raise InvalidRequest(f"RESELLER_KIT_DATABASE_URL names the port {url.port}.", fix="Give one from 1 to 65535.")
    for name, value in url.query.items():
        if name == "ssl" and value not in _SSL:
            raise InvalidRequest("RESELLER_KIT_DATABASE_URL: ssl is not known.", fix=f"Give one of {', '.join(_SSL)}.")
        if name not in _TEXTS | _NUMBERS:
            fix = f"Known are {', '.join(sorted(_TEXTS | _NUMBERS))}."
            raise InvalidRequest(f"RESELLER_KIT_DATABASE_URL has the parameter {name[:80]!r}.", fix=fix)
        if name in _NUMBERS and not (isinstance(value, str) and value.isascii() and value.isdigit()):
            raise InvalidRequest(f"RESELLER_KIT_DATABASE_URL: {name} is no number.", fix="Give a whole number.")
