"""Opens the vault of a database, making its keys on first use."""

from __future__ import annotations

from contextlib import suppress

from ..db import secrets
from ..db.engine import NO_TENANT, Connection, Database
from ..vault import DataKey, Vault, WrongSecretKey, open_vault, seal_new_keys

_DATA_KEY = "data_key:"
_PEPPER = "pepper"
_FIRST_KEY_ID = "k0001"


async def unlock(db: Database, secret_key: str, *others: str) -> Vault:
    """The vault that one of the keys opens; a new database is made with the first.

    Raises WrongSecretKey when the database was made with none of them.
    """
    async with db.read(NO_TENANT) as connection:
        stored = await _stored_keys(connection)
    if not stored[0]:
        async with db.write(NO_TENANT) as connection:
            stored = await _stored_keys(connection)
            if not stored[0]:
                data_key, pepper = seal_new_keys(secret_key, _FIRST_KEY_ID)
                await secrets.put_new(
                    connection,
                    [
                        secrets.StoredSecret(_DATA_KEY + data_key.id, None, data_key.sealed, ""),
                        secrets.StoredSecret(_PEPPER, None, pepper, ""),
                    ],
                )
                stored = [data_key], pepper
    for key in (secret_key, *others[:-1]) if others else ():
        with suppress(WrongSecretKey):
            return open_vault(key, *stored)
    return open_vault(others[-1] if others else secret_key, *stored)


async def _stored_keys(connection: Connection) -> tuple[list[DataKey], bytes]:
    keys = [DataKey(s.name.removeprefix(_DATA_KEY), s.ciphertext) for s in await secrets.fetch(connection, _DATA_KEY)]
    pepper = await secrets.fetch(connection, _PEPPER)
    return keys, pepper[0].ciphertext if pepper else b""
