"""Who may do what in the console: roles of a reseller's team and of the operator. Knows no page and no member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

Role = Literal["owner", "admin", "finance", "support", "operator"]
"""`operator` is the role of the platform's own members; it gives no right in any reseller's console."""
Right = Literal[
    "brand",
    "prices",
    "packages",
    "customers",
    "credit",
    "domains",
    "payments",
    "wholesale",
    "payouts",
    "insights",
    "team",
    "tokens",
    "audit",
    "announcements",
    "support",
    "abuse",
]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
TEAM_ROLES: Final[tuple[Role, ...]] = ("owner", "admin", "finance", "support")
"""The roles that a reseller gives."""
RIGHTS: Final[tuple[Right, ...]] = get_args(Right)
NEEDS_TWO_FACTORS: Final[frozenset[str]] = frozenset({"owner", "operator"})

_MONEY: Final[frozenset[Right]] = frozenset({"payments", "wholesale", "payouts", "credit"})
_ALL: Final[frozenset[Right]] = frozenset(RIGHTS)
_READ: Final[Mapping[str, frozenset[Right]]] = {
    "owner": _ALL,
    "admin": _ALL - {"payouts"},
    "finance": _MONEY | {"prices", "packages", "customers", "insights", "audit"},
    "support": frozenset({"customers", "support", "announcements"}),
    "operator": frozenset(),
}
_EDIT: Final[Mapping[str, frozenset[Right]]] = {
    "owner": _ALL,
    "admin": _ALL - {"payouts"},
    "finance": _MONEY,
    "support": frozenset({"customers", "support"}),
    "operator": frozenset(),
}


def may(role: str, right: Right, edit: bool = False) -> bool:  # noqa: FBT001, FBT002  # reads as the sentence it is
    """Whether a role sees what the right is about or, with `edit`, changes it. An unknown role may nothing."""
    return right in (_EDIT if edit else _READ).get(role, frozenset())


def may_make(role: str, other: str) -> bool:
    """Whether a role may give or take away the role `other` in its team.

    Owners are made and unmade by owners alone, operators by operators.
    """
    if role == other == "operator":
        return True
    return may(role, "team", edit=True) and other in TEAM_ROLES and (other != "owner" or role == "owner")
