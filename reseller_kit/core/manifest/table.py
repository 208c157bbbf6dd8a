"""What every table of tenants.toml has in common. Reads and checks nothing."""

from __future__ import annotations

from msgspec import Struct


class Table(Struct, frozen=True, kw_only=True):
    """A table of the file: every key that it may hold is a field."""
