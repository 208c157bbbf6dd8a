"""What the console's pages show: the frame of every page, the views of single ones. Holds no cost and no secret."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from reseller_kit.core.roles import NEEDS_TWO_FACTORS, Right, may
from reseller_kit.core.trail import Difference

from .charts import Chart
from .forms import FormView
from .identity import PasskeyLine, SessionLine


class NavItem(Struct, frozen=True):
    """One entry of the side navigation. `right`: what a member needs to see it; None for everybody."""

    path: str
    title: str
    icon: str
    right: Right | None = None
    group: str = ""


NAVIGATION: Final[tuple[NavItem, ...]] = (
    NavItem("/console", "Overview", "layout-dashboard"),
    NavItem("/console/brand", "Brand", "palette", "brand", "Storefront"),
    NavItem("/console/pricing", "Prices", "tag", "prices", "Selling"),
    NavItem("/console/packages", "Packages", "package", "packages", "Selling"),
    NavItem("/console/payments", "Payments", "credit-card", "payments", "Selling"),
    NavItem("/console/wholesale", "Wholesale", "wallet", "wholesale", "Selling"),
    NavItem("/console/insights", "Insights", "chart-line", "insights", "Selling"),
    NavItem("/console/customers", "Customers", "users", "customers", "Customers"),
    NavItem("/console/orders", "Orders", "receipt", "payments", "Customers"),
    NavItem("/console/vouchers", "Vouchers", "ticket", "credit", "Customers"),
    NavItem("/console/support", "Support", "life-buoy", "support", "Customers"),
    NavItem("/console/abuse", "Abuse reports", "triangle-alert", "customers", "Customers"),
    NavItem("/console/announcements", "Announcements", "bell", "announcements", "Customers"),
    NavItem("/console/domains", "Domains", "globe", "domains", "Organisation"),
    NavItem("/console/team", "Team", "users", "team", "Organisation"),
    NavItem("/console/tokens", "API tokens", "key", "tokens", "Organisation"),
    NavItem("/console/webhooks", "Webhooks", "zap", "tokens", "Organisation"),
    NavItem("/console/audit", "Audit log", "clock", "audit", "Organisation"),
)
"""The console of a reseller, in order; entries of one group stand together under its name."""

PLATFORM_NAVIGATION: Final[tuple[NavItem, ...]] = (
    NavItem("/", "Overview", "layout-dashboard"),
    NavItem("/tenants/new", "New tenant", "plus"),
    NavItem("/abuse", "Abuse reports", "triangle-alert"),
    NavItem("/team", "Operators", "users", None, "Organisation"),
    NavItem("/audit", "Audit log", "clock", None, "Organisation"),
)
"""The operator's, on the platform's own hosts."""


class Who(Struct, frozen=True, kw_only=True):
    """The member who looks at the page."""

    email: str
    name: str
    role: str


class Frame(Struct, frozen=True, kw_only=True):
    """What surrounds a page of a console: where its paths begin, who is there, and where else to go.

    `platform`: it is the operator's. `public_url`: the storefront's own pages, where there are any.
    """

    base: str
    who: Who | None = None
    navigation: tuple[NavItem, ...] = ()
    current: str = ""
    platform: bool = False
    notice: str = ""
    """What is unusual about the storefront: draft | suspended, or nothing."""

    @property
    def groups(self) -> tuple[tuple[str, tuple[NavItem, ...]], ...]:
        """The navigation's entries by group, in order."""
        names = dict.fromkeys(item.group for item in self.navigation)
        return tuple((name, tuple(item for item in self.navigation if item.group == name)) for name in names)


def navigation_of(role: str, items: Sequence[NavItem] = NAVIGATION) -> tuple[NavItem, ...]:
    """The entries that a role may see."""
    return tuple(item for item in items if item.right is None or may(role, item.right))


def current_of(path: str, items: Sequence[NavItem]) -> str:
    """The entry that a page lies under: the longest path that its own begins with; under the first one lies nothing."""
    under = [item.path for item in items[1:] if path.startswith(f"{item.path}/")]
    return path if path in {item.path for item in items} else max(under, key=len, default="")


class LinkView(Struct, frozen=True, kw_only=True):
    """A mailed link that sets a member's password. `purpose`: invite or reset."""

    purpose: str
    token: str
    email: str
    name: str = ""
    role: str = ""
    form: FormView = FormView()
    shortest: int = 10


class ForgottenView(Struct, frozen=True, kw_only=True):
    """The form that asks for a link; `sent`: to which address one is on its way, if it is a member's."""

    form: FormView = FormView()
    sent: str = ""


class ProfileView(Struct, frozen=True, kw_only=True):
    """A member's own log-in. `action`: whose form was sent and is shown again; `done`: what was finished.

    `app`: whether an authenticator app is asked for codes; `passkeys_work`: whether browsers let this host have any.
    """

    email: str
    name: str
    role: str
    app: bool
    recovery_codes: int
    passkeys: tuple[PasskeyLine, ...] = ()
    passkeys_work: bool = True
    sessions: tuple[SessionLine, ...]
    shortest: int = 10
    form: FormView = FormView()
    action: str = ""
    done: str = ""

    @property
    def may_turn_off(self) -> bool:
        """Whether the app may go: another factor stays, or the role may do without."""
        return bool(self.passkeys) or self.role not in NEEDS_TWO_FACTORS

    @property
    def two_factor(self) -> bool:
        """Whether the password alone does not open the console."""
        return self.app or bool(self.passkeys)

    def form_of(self, action: str) -> FormView:
        """The form of one section: what was typed into it, or an empty one."""
        return self.form if self.action == action else FormView()


class TwoFactorView(Struct, frozen=True, kw_only=True):
    """Setting up an authenticator app. `secret`: as text, empty before it is begun; `needed`: by the role."""

    secret: str
    needed: bool
    role: str
    passkeys_work: bool = True
    form: FormView = FormView()


class MemberLine(Struct, frozen=True, kw_only=True):
    """One member of the team. `number` tells its dialog from others'; `may_change`: by whoever looks."""

    number: int
    email: str
    name: str
    role: str
    status: str
    two_factor: bool
    seen: dt.datetime | None = None
    invited: dt.date | None = None
    you: bool = False
    may_change: bool = False


class TeamView(Struct, frozen=True, kw_only=True):
    """The team. `roles`: those that whoever looks may give; `action`: whose form was sent and is shown again."""

    members: tuple[MemberLine, ...]
    roles: tuple[str, ...]
    may_edit: bool
    form: FormView = FormView()
    action: str = ""
    done: str = ""

    @property
    def empty_form(self) -> FormView:
        """What a form shows that was not sent."""
        return FormView()


class AuditLine(Struct, frozen=True, kw_only=True):
    """One change, as whoever looks may read it. `tenant`: whose, for the operator alone."""

    number: int
    at: dt.datetime
    author: str
    who: str
    action: str
    kind: str
    ref: str
    differences: tuple[Difference, ...]
    tenant: str = ""

    @property
    def title(self) -> str:
        """What was done, in words."""
        noun, _, verb = self.action.partition(".")
        return f"{noun} {verb}".replace("_", " ").strip().capitalize()


class AuditView(Struct, frozen=True, kw_only=True):
    """A page of changes. `fields`: the search as it was typed; `query`: the same as an address says it."""

    lines: tuple[AuditLine, ...]
    actions: tuple[str, ...]
    kinds: tuple[str, ...]
    fields: dict[str, str]
    query: str
    newest: bool
    older_url: str | None
    path: str
    problem: str = ""
    everything: bool = False


class Step(Struct, frozen=True, kw_only=True):
    """One step to a running storefront: done or not by what is really there. `path`: where it is done, if linked."""

    name: str
    done: bool
    path: str = ""


class LaunchView(Struct, frozen=True, kw_only=True):
    """What stands between a draft and its opening, as (step, where it is done).

    `missing` keeps it closed, `advised` does not. `review`: the operator opens it; `asked`: it was asked to.
    """

    missing: tuple[tuple[str, str], ...] = ()
    advised: tuple[tuple[str, str], ...] = ()
    review: bool = False
    asked: bool = False


class DayRow(Struct, frozen=True):
    """One day: calls, and what they came to at retail (nano-USD)."""

    day: dt.date
    calls: int
    retail: int


class OverviewView(Struct, frozen=True, kw_only=True):
    """The first page. Amounts are nano-USD; None where the member's role does not include them.

    `linked`: the pages of the console that the member may open.
    """

    name: str
    steps: tuple[Step, ...]
    balance: int | None = None
    reserved: int = 0
    overdraft: int = 0
    settlement: str = "prepaid"
    today: int | None = None
    month: int | None = None
    calls_today: int = 0
    calls: int = 0
    customers: int | None = None
    new_customers: int = 0
    orders: int | None = None
    cases: int | None = None
    reports: int | None = None
    chart: Chart | None = None
    days: tuple[DayRow, ...] = ()
    linked: frozenset[str] = frozenset()
    launch: LaunchView | None = None
    done_now: str = ""
    form: FormView = FormView()

    @property
    def done(self) -> int:
        """How many steps are done."""
        return sum(step.done for step in self.steps)

    @property
    def next(self) -> str:
        """The first step that is left; empty when there is none."""
        return next((step.name for step in self.steps if not step.done), "")
