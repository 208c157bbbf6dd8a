"""The states of a report of abuse: every move from every state, and when a restriction holds."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.abuse import RESTRICTING, STATES, Move, State, after, is_restricted, operator_moves, team_moves
from reseller_kit.core.errors import Conflict

MOVES: tuple[Move, ...] = get_args(Move)
TABLE: dict[tuple[str, str], str] = {
    ("open", "restrict"): "restricted",
    ("open", "dismiss"): "dismissed",
    ("open", "force"): "restricted",
    ("open", "withdraw"): "dismissed",
    ("restricted", "appeal"): "appealed",
    ("appealed", "uphold"): "upheld",
    **{(state, move): "lifted" for state in RESTRICTING for move in ("lift", "withdraw", "expire")},
    **{(state, "force"): state for state in RESTRICTING},
    ("lifted", "force"): "restricted",
    ("dismissed", "force"): "restricted",
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("state", STATES)
def test_each_move_leads_where_the_table_says_or_nowhere(state: State, move: Move) -> None:
    wanted = TABLE.get((state, move))
    if wanted is None:
        with pytest.raises(Conflict):
            after(state, move)
    else:
        assert after(state, move) == wanted


@given(st.lists(st.sampled_from(MOVES), max_size=20))
def test_a_customer_appeals_once_a_restriction(moves: list[Move]) -> None:
    state: State = "open"
    appeals = 0
    for move in moves:
        try:
            state = after(state, move)
        except Conflict:
            continue
        appeals += move == "appeal"
        if state not in RESTRICTING:
            appeals = 0
        assert appeals <= 1


def test_a_forced_restriction_is_not_the_teams_to_lift() -> None:
    assert team_moves("open", forced=False) == ("restrict", "dismiss")
    assert team_moves("appealed", forced=False) == ("uphold", "lift")
    assert team_moves("appealed", forced=True) == ("uphold",)
    assert team_moves("restricted", forced=True) == ()
    assert all(team_moves(state, forced=False) == () for state in ("lifted", "dismissed"))
    assert operator_moves("lifted") == ("force",)


@pytest.mark.parametrize(
    ("since", "until", "now", "held"),
    [(None, None, 5, False), (None, 9, 5, False), (1, None, 5, True), (1, 6, 5, True), (1, 5, 5, False)],
)
def test_a_restriction_holds_until_its_end(since: int | None, until: int | None, now: int, held: bool) -> None:  # noqa: FBT001  # parametrized
    assert is_restricted(since, until, now) is held
