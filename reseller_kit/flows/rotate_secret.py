"""Use case of the operator: put another secret key in the place of the present one. Touches no hash and no secret."""

from __future__ import annotations

from ..core.errors import InvalidRequest
from ..db import audit_log, secrets
from ..db.engine import EVERY_TENANT, Database
from ..db.secrets import StoredSecret
from ..vault import DataKey, WrongSecretKey, open_vault
from ..vault.rotation import reseal

_DATA_KEY = "data_key:"
_PEPPER = "pepper"


async def rotate_secret(db: Database, old_key: str, new_key: str, actor: str) -> int:
    """Seal every data key and the pepper under `new_key`, in one transaction; how many were sealed, 0 if they are.

    Raises WrongSecretKey when `old_key` is not the present one. Processes that run keep working until they end.
    """
    if old_key == new_key:
        raise InvalidRequest("The new secret key is the present one.", fix="Give another key.")
    async with db.write(EVERY_TENANT) as connection:
        stored = await secrets.fetch(connection, _DATA_KEY)
        pepper = await secrets.fetch(connection, _PEPPER)
        keys = [DataKey(row.name.removeprefix(_DATA_KEY), row.ciphertext) for row in stored]
        if _is_opened(new_key, keys, pepper[0].ciphertext):
            return 0
        moved, sealed_pepper = reseal(old_key, new_key, keys, pepper[0].ciphertext)
        for key in moved:
            await secrets.put(connection, StoredSecret(_DATA_KEY + key.id, None, key.sealed, ""))
        await secrets.put(connection, StoredSecret(_PEPPER, None, sealed_pepper, ""))
        facts = {"data_keys": [key.id for key in moved]}
        await audit_log.record(connection, None, actor, "secret.rotate", "secret", "secret_key", after=facts)
    return len(moved) + 1


def _is_opened(key: str, keys: list[DataKey], pepper: bytes) -> bool:
    try:
        open_vault(key, keys, pepper)
    except WrongSecretKey:
        return False
    return True
