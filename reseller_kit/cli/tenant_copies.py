"""`tenant clone`, `export` and `import`: storefronts made of others. Knows no rule of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from ..flows import shapes
from ..flows import tenant_clone as flow
from ..flows.provision.export import export_state
from ..flows.tenant_archive.bring import Brought, Wanted, bring
from ..flows.tenant_archive.export import export_tenant
from ..flows.tenant_archive.file import Manifest
from ..flows.tenant_clone import Cloned, CloneOf
from .failures import DONE, FINDINGS
from .invocation import actor, with_database, with_vault
from .options import TEXT, Command, chosen
from .output import emit, facts, tell

_FILE: Final = click.Path(path_type=Path)
_SHOWN_EACH: Final = 10_000


@click.command(cls=Command)
@click.argument("slug", required=False)
@click.option("--tenant", metavar="SLUG", help="The tenant to copy, as an option.")
@click.option("--slug", "new", required=True, type=TEXT, metavar="NEW", help="The slug of the new tenant.")
@click.option("--name", type=TEXT, help="What customers read. Default: the new slug.")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Where it answers; the first is the primary one.")
@click.option("--owner", "owners", multiple=True, metavar="EMAIL", help="Log-in of its reseller, who is invited.")
@click.option("--status", type=click.Choice(["draft", "active"]), default="draft", show_default=True)
def clone(
    *,
    slug: str | None,
    tenant: str | None,
    new: str,
    name: str | None,
    hosts: tuple[str, ...],
    owners: tuple[str, ...],
    status: str,
) -> None:
    """A new tenant with the settings, look, packages and prices of another: no customers, money or secrets."""
    source = chosen(slug, tenant, "the tenant's slug")
    wanted = CloneOf(
        slug=new,
        name=name or new,
        hosts=hosts,
        owners=owners,
        status="active" if status == "active" else "draft",
    )
    done = with_vault(lambda db, vault: flow.clone_tenant(db, vault, source, wanted, actor=actor()))
    _emit(source, done)
    if wanted.status == "draft":
        tell(f"It is a draft. See: reseller-kit tenant doctor {new}")


def _emit(source: str, done: Cloned) -> None:
    detail = done.detail
    document = {
        **shapes.tenant_detail(detail),
        "from": source,
        "left_out": list(done.left_out),
        "still_naming": list(done.still_naming),
    }
    emit(
        document,
        facts(
            [
                ("Slug", detail.view.tenant.slug),
                ("Name", detail.view.tenant.name),
                ("State", detail.view.tenant.status),
                ("Hosts", detail.view.hosts),
                ("Team", [member.email for member in detail.members]),
                ("To be set", list(done.left_out) or "nothing"),
                (f"Still names {source}", list(done.still_naming) or "nowhere"),
            ]
        ),
    )


@click.command(cls=Command)
@click.argument("slug", required=False)
@click.option("--tenant", metavar="SLUG", help="The same as the argument. Left out: everything.")
@click.option("--to", type=_FILE, metavar="FILE", help="Write all of the tenant, rows too, as an archive (.tar.gz).")
@click.option("--operator", is_flag=True, help="With your costs and upstreams, as `tenant import` needs them.")
def export(slug: str | None, tenant: str | None, to: Path | None, *, operator: bool) -> None:
    """The configuration as a tenants.toml, of everything or of one tenant; with --to, everything of a tenant."""
    if to is not None:
        wanted = chosen(slug, tenant, "the tenant's slug")
        done = with_database(lambda db: export_tenant(db, wanted, to, complete=operator, progress=_progress))
        document = {"tenant": wanted, "path": str(done.path), "sha256": done.sha256, **_counted(done.manifest)}
        emit(
            document,
            facts([("Archive", done.path), ("SHA-256", done.sha256), ("Rows", sum(document["rows"].values()))]),
        )
        return
    if operator:
        raise click.UsageError("--operator is for an archive: name it with --to FILE.")
    one = chosen(slug, tenant, "the tenant's slug") if slug or tenant else None
    text = with_database(lambda db: export_state(db, one))
    emit({"tenant": one, "toml": text}, text)


@click.command("import", cls=Command)
@click.argument("archive", type=_FILE)
@click.option("--slug", type=TEXT, help="Its slug here. Default: as it was.")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Its hosts here. Default: as they were.")
@click.option("--sha256", metavar="HEX", help="Refuse another file than the one that `export` told this of.")
@click.option("--status", type=click.Choice(["draft", "active"]), default="draft", show_default=True)
@click.option("--dry-run", is_flag=True, help="Try all of it and take it back.")
def import_(
    archive: Path, *, slug: str | None, hosts: tuple[str, ...], sha256: str | None, status: str, dry_run: bool
) -> int:
    """A tenant of another deployment, from its archive (`tenant export --operator --to FILE`), with its books."""
    wanted = Wanted(
        slug=slug,
        hosts=hosts or None,
        status="active" if status == "active" else "draft",
        sha256=sha256,
        dry_run=dry_run,
    )
    done = with_vault(lambda db, vault: bring(db, vault, archive, wanted, actor=actor(), progress=_progress))
    _emit_brought(done)
    return DONE if done.audit is None or done.audit.ok else FINDINGS


def _emit_brought(done: Brought) -> None:
    report, detail = done.audit, done.detail
    document: dict[str, Any] = {
        "slug": done.slug,
        "dry_run": detail is None,
        "hosts": [] if detail is None else detail.view.hosts,
        "left_out": list(done.left_out),
        "audit": None if report is None else {"ok": report.ok, "findings": report.findings},
        **_counted(done.manifest),
    }
    books = "not looked at" if report is None else "right" if report.ok else "see: reseller-kit ledger audit"
    emit(
        document,
        facts(
            [
                ("Slug", done.slug),
                ("Hosts", document["hosts"]),
                ("Rows", sum(document["rows"].values())),
                ("Books", books),
                ("To be set", list(done.left_out) or "nothing"),
            ]
        ),
    )
    if detail is None:
        tell("A dry run: nothing was changed.")
        return
    tell("Passwords, keys and codes don't move: customers set a new password by mail and make new keys.")


def _counted(manifest: Manifest) -> dict[str, Any]:
    rows = {file.name: file.rows for file in manifest.files if file.name.startswith("rows/")}
    return {
        "made_at": manifest.made_at,
        "complete": manifest.complete,
        "rows": {name.removeprefix("rows/").removesuffix(".jsonl"): count for name, count in rows.items()},
        "money": manifest.money,
    }


def _progress(table: str, rows: int) -> None:
    if rows and rows % _SHOWN_EACH == 0:
        click.echo(f"{table}: {rows}", err=True)
