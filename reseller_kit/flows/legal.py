"""Keeps every version of a legal text that a storefront has shown: what was accepted can be read for ever."""

from __future__ import annotations

from ..db import legal
from ..db.engine import Database, now_us
from ..db.legal import LegalRow


class LegalArchive:
    """Notes each version once a process."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: set[tuple[int, str, str, str]] = set()

    async def show(self, tenant_id: int, document: str, lang: str, version: str, body: str) -> list[LegalRow]:
        """The versions of a document that were shown up to now, this one among them, newest first."""
        key = (tenant_id, document, lang, version)
        if key not in self._known:
            row = LegalRow(document=document, lang=lang, version=version, body=body, created_at=now_us())
            async with self._db.write(tenant_id) as connection:
                await legal.keep(connection, tenant_id, row)
            self._known.add(key)
        async with self._db.read(tenant_id) as connection:
            return await legal.versions(connection, tenant_id, document, lang)
