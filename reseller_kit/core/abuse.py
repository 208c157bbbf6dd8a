"""Reports of abuse and what becomes of them: a state machine, and whether a customer is restricted. Pure.

open → restricted → appealed → upheld | lifted; an open report may be dismissed instead. A restriction holds in the
states of `RESTRICTING`, until its end if it has one. Whoever forced it, the operator, alone lifts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from .errors import Conflict

State = Literal["open", "restricted", "appealed", "upheld", "lifted", "dismissed"]
Move = Literal["restrict", "dismiss", "appeal", "uphold", "lift", "withdraw", "expire", "force"]
Category = Literal["illegal", "violence", "sexual", "malware", "fraud", "spam", "privacy", "other"]
STATES: Final[tuple[State, ...]] = get_args(State)
CATEGORIES: Final[tuple[Category, ...]] = get_args(Category)
RESTRICTING: Final[frozenset[State]] = frozenset({"restricted", "appealed", "upheld"})

WAITING: Final[frozenset[State]] = frozenset({"open", "appealed"})
"""Somebody of the team has to decide."""

_LIFTS: Final[Mapping[Move, State]] = {"lift": "lifted", "withdraw": "lifted", "expire": "lifted"}
_NEXT: Final[Mapping[State, Mapping[Move, State]]] = {
    "open": {"restrict": "restricted", "dismiss": "dismissed", "force": "restricted", "withdraw": "dismissed"},
    "restricted": {"appeal": "appealed", "force": "restricted", **_LIFTS},
    "appealed": {"uphold": "upheld", "force": "appealed", **_LIFTS},
    "upheld": {"force": "upheld", **_LIFTS},
    "lifted": {"force": "restricted"},
    "dismissed": {"force": "restricted"},
}
_TEAM: Final[tuple[Move, ...]] = ("restrict", "dismiss", "uphold", "lift")
_SAID: Final[Mapping[State, str]] = {
    "open": "waits for a decision",
    "restricted": "restricts the customer",
    "appealed": "restricts the customer, who has appealed",
    "upheld": "restricts the customer, after an appeal",
    "lifted": "restricts nobody any more",
    "dismissed": "was dismissed",
}


def after(state: State, move: Move) -> State:
    """The state that a move leads to. Raises Conflict for a move that the state does not allow."""
    found = _NEXT[state].get(move)
    if found is None:
        raise Conflict(f"The report {_SAID[state]}, so it can't {move}.", fix="Look at it again.")
    return found


def team_moves(state: State, *, forced: bool) -> tuple[Move, ...]:
    """What a reseller's team may do now; a restriction that the operator forced is not the team's to lift."""
    return tuple(move for move in _TEAM if move in _NEXT[state] and not (forced and move == "lift"))


def operator_moves(state: State) -> tuple[Move, ...]:
    """What the operator may do now."""
    return tuple(move for move in ("force", "withdraw") if move in _NEXT[state])


def is_restricted(since: int | None, until: int | None, now: int) -> bool:
    """Whether a restriction that began at `since`, if one did, holds now; `until` None: it does not end by itself."""
    return since is not None and (until is None or now < until)
