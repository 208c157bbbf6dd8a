"""What the console's page of payments shows, as values that `web.console` fills. Holds no secret."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct

from .forms import FormView


class Domain(Struct, frozen=True):
    """A host that the checkout may open on. `state`: approved, pending, rejected, unknown (to the provider)."""

    host: str
    state: str


class PaymentsView(Struct, frozen=True, kw_only=True):
    """How customers pay, step by step. `fields` as they are stored or were typed; `fingerprints` of stored secrets.

    `missing`: why the provider can't be asked. `tried_at` and `problem` are of the last try; `domains` None where the
    provider does not tell. `seen_at`: the last webhook that arrived. `known` of `offered` packages are made there.
    `plugin`: the provider is one that the operator installed; `tries`: its credentials can be tried.
    """

    provider: str
    plugin: bool = False
    tries: bool = True
    environment: str = "sandbox"
    checkout: str = "hosted"
    fields: dict[str, str] = {}
    fingerprints: dict[str, str] = {}
    shared: bool = False
    missing: str = ""
    tried_at: dt.datetime | None = None
    problem: str = ""
    domains: tuple[Domain, ...] | None = None
    webhook_url: str = ""
    pay_url: str = ""
    seen_at: dt.datetime | None = None
    waiting: int = 0
    keeps_catalogue: bool = False
    offered: int = 0
    known: int = 0
    syncing: bool = False
    may_edit: bool = True
    done: str = ""
    form: FormView = FormView()

    @property
    def connected(self) -> bool:
        """The provider was asked with the credentials that are stored now, and answered."""
        return not self.missing and self.tried_at is not None and not self.problem

    @property
    def live(self) -> bool:
        """Whether real money moves."""
        return self.environment == "live"

    @property
    def approved(self) -> bool:
        """Whether a checkout may open on one of the storefront's hosts."""
        return any(domain.state == "approved" for domain in self.domains or ())

    @property
    def steps(self) -> dict[str, bool]:
        """What is to be done with this provider, by name, and whether it is; a plugin's has what it can tell of."""
        synced = self.keeps_catalogue and self.known >= self.offered > 0
        found = {"connected": self.connected, "seen": self.seen_at is not None, "approved": self.approved}
        found["synced"] = synced
        told = {"connected": self.tries or bool(self.missing), "approved": self.domains is not None}
        told["synced"] = self.keeps_catalogue
        return {name: done for name, done in found.items() if not self.plugin or told.get(name, True)}

    @property
    def steps_done(self) -> int:
        """How many of them are done."""
        return sum(self.steps.values())
