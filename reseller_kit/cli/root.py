"""The `reseller-kit` command itself: finds the noun that is asked for, and turns errors into exit codes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Final

import click
from msgspec import Struct

from .. import __version__
from .failures import report
from .invocation import Invocation
from .options import Group, take_json

PROGRAM: Final = "reseller-kit"


class Entry(Struct, frozen=True):
    """Where a command lives (module of this package, attribute) and what it is for."""

    module: str
    attribute: str
    help: str


COMMANDS: Final[Mapping[str, Entry]] = {
    "init": Entry("provision", "init", "Write a commented tenants.toml."),
    "plan": Entry("provision", "plan", "Show what apply would change."),
    "apply": Entry("provision", "apply", "Make the database say what tenants.toml says."),
    "serve": Entry("serve", "serve", "Serve every storefront."),
    "doctor": Entry("doctor", "doctor", "Look for what is missing or wrong."),
    "tenant": Entry("tenant", "tenant", "Storefronts: create, look up, suspend, resume."),
    "domain": Entry("domain", "domain", "Storefronts' own hosts: add, check, list, change, remove."),
    "member": Entry("member", "member", "The people who run a storefront: invite, list, remove."),
    "operator": Entry("member", "operator", "The operator's own people."),
    "token": Entry("token", "token", "Tokens of the management API: create, list, revoke."),
    "webhook": Entry("webhook", "webhook", "Events for a storefront's own systems: endpoints and deliveries."),
    "customer": Entry("customer", "customer", "Customers of a tenant."),
    "key": Entry("key", "key", "API keys: create, look up, rotate, revoke."),
    "credit": Entry("credit", "credit", "Customers' credit: grant, correct, reverse, look up."),
    "package": Entry("package", "package", "What a storefront sells, as its payment provider knows it."),
    "order": Entry("order", "order", "Orders of customers: create, look up, approve, reject, refund."),
    "subscription": Entry("subscription", "subscription", "Subscriptions of customers: look up, cancel."),
    "voucher": Entry("voucher", "voucher", "Vouchers: create, list, revoke, export, redeem."),
    "wholesale": Entry("wholesale", "wholesale", "Resellers' accounts with the operator: deposit, look up, margins."),
    "payment": Entry("payment", "payment", "Payments as providers told of them: list, match, dismiss."),
    "payout": Entry("payout", "payout", "Payouts of revenue shares: request, approve, reject, export."),
    "usage": Entry("usage", "usage", "Calls and what they cost."),
    "price": Entry("price", "price", "Published prices at all three levels."),
    "catalogue": Entry("catalogue", "catalogue", "The bundled prices of providers."),
    "announcement": Entry("announcement", "announcement", "Announcements: publish, list, end, withdraw."),
    "case": Entry("case", "case", "Support cases: look up, answer, close."),
    "abuse": Entry("abuse", "abuse", "Reports of abuse: file, look up, restrict, close."),
    "mail": Entry("mail", "mail", "Mails that were sent, wait, or were given up."),
    "upstream": Entry("upstream", "upstream", "Provider endpoints and their keys."),
    "reconcile": Entry("reconcile", "reconcile", "Compare our records with an upstream's or a payment provider's."),
    "ledger": Entry("ledger", "ledger", "Prove the books."),
    "theme": Entry("theme", "theme", "Themes: list, check, start a new one."),
    "audit": Entry("audit", "audit", "Who changed what."),
    "secret": Entry("secret", "secret", "The key that encrypts stored secrets."),
    "db": Entry("db", "db", "The database: upgrade, check, back up, restore, archive."),
}


class Root(Group):
    """Loads a noun when it is asked for, so that --help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Every command, in the order of a first day at work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """The command of this name."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f".{entry.module}", __package__)
        command: click.Command = getattr(module, entry.attribute)
        take_json(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        """The list of commands, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.group(PROGRAM, cls=Root)
@click.version_option(__version__, prog_name=PROGRAM)
def root() -> None:
    """Run a platform of branded AI storefronts.

    Settings come from RESELLER_KIT_* environment variables. Exit codes: 0 done, 1 failed, 2 usage or bad value,
    3 invalid configuration, 4 not found, 5 conflict, 6 findings, 7 changes pending, 8 confirmation needed.
    """


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command in this environment; its exit code."""
    invocation = Invocation(environ)
    try:
        code = root.main(list(argv), prog_name=PROGRAM, standalone_mode=False, obj=invocation)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001  # the rim: whatever comes here is told, with an exit code
        return report(error, as_json=invocation.as_json or "--json" in argv)
    return code if isinstance(code, int) else 0
