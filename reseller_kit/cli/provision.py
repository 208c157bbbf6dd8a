"""`init`, `plan` and `apply`: from tenants.toml to a running platform."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

import reseller_kit

from ..core.errors import ConfirmationNeeded, Conflict, InvalidRequest, NotFound
from . import plan_text
from .failures import CHANGES_PENDING, CONFIRMATION_NEEDED, DONE
from .invocation import actor, current, with_vault
from .options import Command
from .output import emit, tell

if TYPE_CHECKING:
    from ..core.manifest import Manifest
    from ..flows.provision import Logos, Plan, Resolve

_FILE_NAME = "tenants.toml"
_EXAMPLE = "tenants.example.toml"
_MAX_BYTES = 8 * 1024 * 1024

_file_option = click.option(
    "-f", "--file", "path", metavar="FILE", type=click.Path(path_type=Path), help="Default: RESELLER_KIT_CONFIG."
)
_prune_option = click.option(
    "--prune", is_flag=True, help="Archive what the file does not name, consoles' packages and hosts too."
)
_reset_option = click.option("--reset-drift", is_flag=True, help="Restore the file's values where others were set.")


@click.command(cls=Command)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write a commented tenants.toml."""
    target = folder / _FILE_NAME
    text = _example()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Conflict(f"{target} exists already.", fix="Edit it, or choose another folder.") from None
    except OSError as error:
        raise InvalidRequest(f"{target} can't be written: {error.strerror}.", fix="Choose another folder.") from None
    steps = (
        f"Wrote {target}. Next:",
        "  1. Set the upstream's base_url and api_keys, and the brands' names, hosts and prices.",
        "  2. reseller-kit plan     shows what the file would change.",
        "  3. reseller-kit apply    changes it.",
        "  4. reseller-kit serve    serves every storefront.",
    )
    emit({"path": str(target)}, "\n".join(steps))


@click.command(cls=Command)
@_file_option
@_prune_option
@_reset_option
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 7 when changes are pending.")
def plan(*, path: Path | None, prune: bool, reset_drift: bool, detailed_exitcode: bool) -> int:
    """Show what apply would change."""
    from ..flows import provision as flow

    manifest, resolve, _ = _read(path)
    found = with_vault(lambda db, vault: flow.plan(db, vault, manifest, resolve, prune=prune, reset_drift=reset_drift))
    emit(plan_text.document(found), plan_text.describe(found), _next_step(found, path))
    return CHANGES_PENDING if detailed_exitcode and found.pending else DONE


@click.command(cls=Command)
@_file_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@_prune_option
@_reset_option
def apply(*, path: Path | None, yes: bool, prune: bool, reset_drift: bool) -> int:
    """Make the database say what tenants.toml says."""
    from ..flows import provision as flow

    manifest, resolve, logos = _read(path)
    expected = None
    if not yes:
        found = with_vault(
            lambda db, vault: flow.plan(
                db, vault, manifest, resolve, prune=prune, reset_drift=reset_drift, needs_secrets=True
            )
        )
        if found.pending and not _agreed(found):
            tell("Nothing was changed.")
            return CONFIRMATION_NEEDED
        expected = found.changes
    done = with_vault(
        lambda db, vault: flow.apply(
            db,
            vault,
            manifest,
            resolve,
            actor=actor(),
            prune=prune,
            reset_drift=reset_drift,
            expected=expected,
            logos=logos,
        )
    )
    emit(
        plan_text.document(done, applied=True),
        plan_text.describe(done) if yes or not done.pending else "",
        plan_text.outcome(done),
    )
    return DONE


def _read(path: Path | None) -> tuple[Manifest, Resolve, Logos]:
    """The manifest, the resolver of its references, and the logos beside it."""
    from ..catalogue import catalogue_today
    from ..flows.provision import read_manifest, resolver, with_logos
    from ..theming.library import installed_themes

    run = current()
    file = path or run.settings.config
    manifest = read_manifest(_text_of(file), str(file), installed_themes(), catalogue_today())
    shown, logos = with_logos(manifest, file.parent)
    return shown, resolver(run.environ, file.parent), logos


def _text_of(file: Path) -> str:
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise InvalidRequest(f"{file} is larger than {_MAX_BYTES >> 20} MiB.", fix="Name another file with -f.")
        content = file.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no {file}.", fix="Write one with: reseller-kit init") from None
    except OSError as error:
        raise InvalidRequest(f"{file} can't be read: {error.strerror}.", fix="Name another file with -f.") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        from ..core.manifest import invalid, syntax_finding

        line = content.count(b"\n", 0, error.start) + 1
        raise invalid([syntax_finding(str(file), line, "The text is not UTF-8.", "Save the file as UTF-8.")]) from None


def _example() -> str:
    """The example that comes with the product: inside the wheel, or beside the package in a checkout."""
    package = Path(reseller_kit.__file__).parent
    installed = package / f"_{_EXAMPLE}"
    return (installed if installed.is_file() else package.parent / _EXAMPLE).read_text(encoding="utf-8")


def _agreed(found: Plan) -> bool:
    """Show the plan and ask. Raises ConfirmationNeeded where nobody can be asked."""
    if current().as_json or not sys.stdin.isatty():
        if not current().as_json:
            emit({}, plan_text.describe(found))
        raise ConfirmationNeeded(
            "Changes are pending and nobody can be asked. Nothing was changed.",
            fix="Look at the plan, then run apply with --yes.",
            details=plan_text.document(found)["changes"] if current().as_json else [],
        )
    emit({}, plan_text.describe(found))
    return click.confirm("\nApply these changes?", default=False)


def _next_step(found: Plan, path: Path | None) -> str:
    if not found.pending:
        return ""
    return f"To make these changes: reseller-kit apply{'' if path is None else f' -f {path}'}"
