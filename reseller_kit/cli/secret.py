"""`secret`: the key that encrypts stored secrets."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ..core.errors import Conflict
from ..db.engine import Database
from ..flows.rotate_secret import rotate_secret
from ..flows.unlock import unlock
from ..settings import PREFIX, Settings, read_key_file, write_key_file
from .invocation import actor, current, with_database
from .options import Group
from .output import emit


@click.group(cls=Group)
def secret() -> None:
    """The key that encrypts stored secrets."""


@secret.command()
@click.option(
    "--new-key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="PATH",
    help="Holds the new key; made with a generated one when it does not exist.",
)
def rotate(new_key_file: Path | None) -> None:
    """Re-encrypt the stored keys under a new secret key. API keys, passwords and stored secrets stay as they are.

    The new key is that of RESELLER_KIT_SECRET_KEY_NEXT where it is set: servers that know both keys go on, and can be
    replaced at any time. Else it is that of --new-key-file, or a generated one put in the place of the generated one:
    then what starts afterwards needs the new key.
    """
    settings = current().settings
    if settings.secret_key_next is not None:
        _rotate_to_next(settings, settings.secret_key_next, new_key_file)
        return
    target = new_key_file or _draft(settings)
    if not target.exists():
        write_key_file(target)
    new_key = read_key_file(target)

    async def work(db: Database) -> int:
        await unlock(db, settings.secret_key)
        return await rotate_secret(db, settings.secret_key, new_key, actor())

    sealed = with_database(work)
    used = settings.secret_key_file
    if used is not None:
        _put_in_place(target, used)
    elif new_key_file is not None:
        used = new_key_file
    advice = f"Set {PREFIX}SECRET_KEY to what {used} holds." if settings.secret_key_file is None else ""
    emit(
        {"rotated": sealed, "key_file": str(used), "next": advice},
        f"{sealed} keys are sealed under the new secret key, which is in {used}.",
        advice,
    )


def _rotate_to_next(settings: Settings, new_key: str, new_key_file: Path | None) -> None:
    if new_key_file is not None:
        raise Conflict(f"Both --new-key-file and {PREFIX}SECRET_KEY_NEXT name a new key.", fix="Leave one of them out.")

    async def work(db: Database) -> int:
        await unlock(db, *settings.secret_keys)
        return await rotate_secret(db, settings.secret_key, new_key, actor())

    sealed = with_database(work)
    advice = f"Set {PREFIX}SECRET_KEY to the new key everywhere, and {PREFIX}SECRET_KEY_NEXT to nothing."
    shown = (
        f"{sealed} keys are sealed under the new secret key." if sealed else "All keys are under the new one already."
    )
    emit({"rotated": sealed, "key_file": None, "next": advice}, shown, advice)


def _draft(settings: Settings) -> Path:
    if settings.secret_key_file is None:
        raise Conflict(
            f"The secret key comes from {PREFIX}SECRET_KEY, so there is no file to renew.",
            fix="Give --new-key-file PATH for the new key.",
        )
    return settings.secret_key_file.with_name(settings.secret_key_file.name + ".new")


def _put_in_place(source: Path, used: Path) -> None:
    """Make the new key the one that the next command reads; the file never holds half a key."""
    draft = used.with_name(used.name + ".new")
    if source != draft:
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(read_key_file(source) + "\n")
            out.flush()
            os.fsync(out.fileno())
    draft.replace(used)
