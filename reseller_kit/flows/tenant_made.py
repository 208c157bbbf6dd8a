"""A tenant made of another's configuration, here or elsewhere, with errors in words for the operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..core.errors import Conflict, InvalidManifest, InvalidRequest
from ..core.tenant import is_slug, normalise_host
from ..db.engine import Database
from ..vault import Vault
from .provision.edit import Also, Edit, edit, problems_of

_SHOWN: Final = 5


def checked_slug(slug: str) -> str:
    """Raises InvalidRequest for what is no slug."""
    if not is_slug(slug):
        raise InvalidRequest(
            f"{slug[:80]!r} is no slug, or is reserved.",
            param="slug",
            fix="Use 1 to 40 of a-z, 0-9 and hyphen, beginning with a letter.",
        )
    return slug


def checked_hosts(hosts: Sequence[str]) -> list[str]:
    """Each once, in canonical form. Raises InvalidRequest for what is no host."""
    return list(dict.fromkeys(normalise_host(host) for host in hosts))


async def make(db: Database, vault: Vault, slug: str, edits: Sequence[Edit], *, actor: str, also: Also) -> None:
    """Make the tenant and what `also` adds, in one transaction.

    Raises Conflict for a slug or hosts that are taken and for whatever `apply` would refuse here.
    """
    try:
        await edit(db, vault, tenant_slug=slug, edits=edits, actor=actor, new=True, also=also)
    except InvalidManifest as error:
        problems = [f"{path}: {text}" for path, text in problems_of(error.details).items()]
        more = [f"… and {len(problems) - _SHOWN} more."] if len(problems) > _SHOWN else []
        raise Conflict(
            f"{slug} can't be made here. " + " ".join([*problems[:_SHOWN], *more]),
            fix="Choose other hosts, or change what is named, then try again.",
        ) from None
