"""Versions of legal texts that a storefront has shown. Decides on no text."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from . import tables as t


class LegalRow(Struct, frozen=True, kw_only=True):
    """A version as stored; `body` is Markdown, `created_at` in µs when it was first shown."""

    document: str
    lang: str
    version: str
    body: str
    created_at: int


async def keep(connection: AsyncConnection, tenant_id: int, row: LegalRow) -> None:
    """Note a version, unless it is known."""
    add = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    values = {name: getattr(row, name) for name in LegalRow.__struct_fields__}
    await connection.execute(
        add(t.legal_text)
        .values({**values, "tenant_id": tenant_id})
        .on_conflict_do_nothing(index_elements=["tenant_id", "document", "lang", "version"])
    )


async def versions(connection: AsyncConnection, tenant_id: int, document: str, lang: str) -> list[LegalRow]:
    """The tenant's versions of a document in a language, newest first."""
    c = t.legal_text.c
    columns = [c[name] for name in LegalRow.__struct_fields__]
    statement = select(*columns).where(c.tenant_id == tenant_id, c.document == document, c.lang == lang)
    rows = await connection.execute(statement.order_by(c.id.desc()).limit(100))
    return [LegalRow(**row) for row in rows.mappings()]
