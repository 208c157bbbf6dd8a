"""Links that show a revision of a brand before it is published: signed, of one storefront, good for an hour."""

from __future__ import annotations

import hmac
import re
from typing import Any, Final

import msgspec

from ..core.brand import BrandContent, changed_fields, content_of, fields_of
from ..core.manifest import flat, nested
from ..core.storefront import Storefront
from ..core.theme import exposed_tokens
from ..db import brand_revisions
from ..db.brand_revisions import DRAFT
from ..db.engine import Database, now_us
from ..theming.library import Theme
from ..vault import Vault, token_digest
from .brand_editor import setting_names

VALID_US: Final = 3600 * 1_000_000
_FORM: Final = re.compile(r"(\d{1,9})-(\d{1,17})-([0-9a-f]{64})", re.ASCII)


def preview_token(vault: Vault, tenant_id: int, number: int) -> str:
    """What a link to a revision carries, for an hour from now. 0 is the draft: whatever it is by then."""
    until = now_us() + VALID_US
    return f"{number}-{until}-{_signature(vault, tenant_id, number, until)}"


def opened(vault: Vault, tenant_id: int, token: str) -> int | None:
    """The number of the revision that a link shows; None where it is not ours, another tenant's, or too old."""
    match = _FORM.fullmatch(token)
    if match is None:
        return None
    number, until = int(match[1]), int(match[2])
    if not hmac.compare_digest(_signature(vault, tenant_id, number, until), match[3]) or until < now_us():
        return None
    return number


async def previewed(db: Database, storefront: Storefront, number: int) -> BrandContent | None:
    """The content of a revision; without a draft, what is shown now stands for it."""
    async with db.read(storefront.tenant_id) as connection:
        found = await brand_revisions.find(connection, storefront.tenant_id, number)
    if found is not None:
        return msgspec.convert(found.content, BrandContent)
    return content_of(_fields(storefront)) if number == DRAFT else None


def as_if_published(storefront: Storefront, content: BrandContent, theme: Theme) -> Storefront:
    """The storefront as it would be with a content in a theme, and open."""
    fields = _fields(storefront)
    wanted = fields_of(
        msgspec.structs.replace(content, theme=theme.name), exposed_tokens(theme.chain), setting_names(theme)
    )
    changed = {**fields, **changed_fields(fields, wanted)}
    kept = {name: value for name, value in changed.items() if value is not None and name not in {"name", "theme"}}
    return msgspec.structs.replace(
        storefront,
        name=str(changed["name"]),
        theme=theme.name,
        settings=nested("tenant", kept),
        status="active",
        suspended=False,
    )


def _fields(storefront: Storefront) -> dict[str, Any]:
    return {"name": storefront.name, "theme": storefront.theme, **flat("tenant", storefront.settings)}


def _signature(vault: Vault, tenant_id: int, number: int, until: int) -> str:
    return token_digest(vault.pepper, "brand-preview", f"{tenant_id}:{number}:{until}").hex()
