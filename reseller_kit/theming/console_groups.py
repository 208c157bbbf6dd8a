"""What the console's pages of groups show, as values that `web.console` fills."""

from __future__ import annotations

from msgspec import Struct

from .forms import FormView


class GroupLine(Struct, frozen=True, kw_only=True):
    """A group of the list. `markup` as the file says it, empty for the storefront's; `limits`: what each may do."""

    id: str
    title: str
    markup: str
    allow_loss: bool
    limits: tuple[str, ...]
    customers: int


class GroupsView(Struct, frozen=True, kw_only=True):
    """All groups. `left`: groups that are gone, with how many customers are still in each."""

    lines: tuple[GroupLine, ...]
    left: tuple[tuple[str, int], ...]
    markup: str
    mark: str
    may_edit: bool
    form: FormView = FormView()
    done: str = ""


class GroupPriceLine(Struct, frozen=True, kw_only=True):
    """One price of a model as the reseller pays it, as all pay it and as the group does."""

    model: str
    label: str
    unit: str
    paid: str
    usual: str
    retail: str
    percent: str
    tone: str = ""


class GroupView(Struct, frozen=True, kw_only=True):
    """One group to be made or changed, and the prices that its customers pay or would pay."""

    id: str
    title: str
    is_new: bool
    customers: int
    markup: str
    mark: str
    may_edit: bool
    form: FormView
    prices: tuple[GroupPriceLine, ...] = ()
    more: int = 0
    previewed: bool = False
