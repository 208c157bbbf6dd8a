"""The configuration as it is now, as a tenants.toml: so that file and database never drift unseen. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import tomli_w

from ...core.errors import NotFound
from ...core.manifest import STORED, Report, read_state
from ...core.merge import Change, merge
from ...db import operator_manifest
from ...db.engine import EVERY_TENANT, Database, now_us
from ...db.operator_manifest import ManifestRows
from .state import actual_resources, base_resources, without_usual
from .timeline import begin

_HEAD: Final = "# The configuration as the database has it. Keep it in git; apply it with: reseller-kit apply\n"
_PART_HEAD: Final = (
    "# One tenant as the database has it. Put it into your tenants.toml, which has the platform and the models.\n"
)
_SECRETS: Final = "# These secrets were given in a console. Before this file is applied, set:\n"


async def export_state(db: Database, tenant_slug: str | None = None) -> str:
    """All of it as one file that can be applied, or one tenant's part of it. Raises NotFound.

    A secret that was given in a console stands as a reference to an environment variable, named at the top.
    """
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        rows, _ = begin(await operator_manifest.read_all(connection, now), now)
    stated = _stated(rows)
    if tenant_slug is not None:
        found = [tenant for tenant in stated["tenants"] if tenant["slug"] == tenant_slug]
        if not found:
            raise NotFound(f"There is no tenant {tenant_slug[:80]!r}.", fix="See: reseller-kit tenant list")
        stated = {"tenants": found}
    variables = [_name_variable(owner, name, path) for owner, name, path in _stored(stated)]
    head = (_HEAD if tenant_slug is None else _PART_HEAD) + (
        _SECRETS + "".join(f"#   {name}\n" for name in variables) if variables else ""
    )
    return f"{head}\n{tomli_w.dumps(stated, indent=2)}"


async def drift(db: Database) -> list[Change]:
    """What the database has that the file applied last does not say: changed since, or never in it."""
    now = now_us()
    async with db.read(EVERY_TENANT) as connection:
        rows, _ = begin(await operator_manifest.read_all(connection, now), now)
    base = base_resources(rows)
    return merge(base, base, without_usual(actual_resources(rows), base))


def _stated(rows: ManifestRows) -> dict[str, Any]:
    """The document's keys, without those that are at their default and that the file never spoke of."""
    state = without_usual(actual_resources(rows), base_resources(rows))
    _, stated = read_state(state, Report("", {}))
    return {name: value for name, value in _plain(stated).items() if value not in ({}, [])}


def _plain(value: Any) -> Any:
    """Without nulls, for which TOML has no word."""
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _stored(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any, tuple[str, ...]]]:
    """(container, key, path) of each secret that was given in a console."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        label = item.get("slug", str(name)) if isinstance(item, dict) else str(name)
        if item == STORED:
            yield value, name, (*path, label)
        else:
            yield from _stored(item, (*path, label))


def _name_variable(owner: Any, name: Any, path: tuple[str, ...]) -> str:
    """Put a reference in the place of a stored secret; the variable's name."""
    words = (part for part in path if part not in {"tenants", "upstreams"} and not part.isdigit())
    variable = "_".join("".join(letter if letter.isalnum() else "_" for letter in word) for word in words).upper()
    owner[name] = f"env:{variable}"
    return variable
