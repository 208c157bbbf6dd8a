"""`package`: what a storefront sells, as its payment provider knows it."""

from __future__ import annotations

import click

from ..db.engine import Database
from ..flows.package_sync import Synced, synchronise
from ..flows.providers import Providers
from ..vault import Vault
from .invocation import with_vault
from .options import Group, tenant_option
from .output import emit, table


@click.group(cls=Group)
def package() -> None:
    """What a storefront sells, as its payment provider knows it."""


@package.command()
@tenant_option
def sync(tenant: str) -> None:
    """Make every package on offer known to the payment provider, and archive there what is on offer no longer.

    Packages are made known before their first sale anyway. Repeating this changes nothing.
    """

    async def work(db: Database, vault: Vault) -> list[Synced]:
        providers = Providers(db, vault)
        try:
            return await synchronise(db, vault, providers, tenant_slug=tenant, progress=_progress)
        finally:
            providers.close()

    done = with_vault(work)
    documents = [
        {
            "package": one.package,
            "version": one.version,
            "state": one.state,
            "product": one.product_ref,
            "price": one.price_ref,
        }
        for one in done
    ]
    rows = [(one.package, str(one.version), one.state, one.product_ref, one.price_ref or "–") for one in done]
    columns = ["PACKAGE", "VERSION>", "STATE", "PRODUCT", "PRICE"]
    emit({"packages": documents}, table(columns, rows, empty="The payment provider keeps no list of packages."))


def _progress(done: int, total: int) -> None:
    if total:
        click.echo(f"{done} of {total}", err=True)
