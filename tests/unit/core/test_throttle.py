from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.throttle import ADDRESS, HOUR_US, MAILS, PASSWORD, SIGN_UPS, Count, Rule, attempt, delay_us
from reseller_kit.core.times import DAY_US, SECOND_US

RULE = Rule(free=3, first_us=10, longest_us=100, forget_us=1_000)


def test_free_attempts_wait_for_nothing_and_later_ones_wait_twice_as_long_each() -> None:
    assert [delay_us(RULE, attempts) for attempts in range(1, 9)] == [0, 0, 10, 20, 40, 80, 100, 100]


def test_an_attempt_in_time_is_refused_and_not_counted() -> None:
    verdict = attempt(RULE, Count(3, next_at=510, last_at=500), now=505)
    assert verdict.wait_us == 5
    assert verdict.count.attempts == 3
    assert attempt(RULE, verdict.count, now=510).wait_us == 0


def test_after_a_long_pause_everything_is_forgotten() -> None:
    assert attempt(RULE, Count(50, next_at=10_000, last_at=500), now=1_500).count == Count(1, 0, 1_500)


def test_free_attempts_hold_each_other_up_in_no_order() -> None:
    first = attempt(RULE, Count(), now=700).count
    second = attempt(RULE, first, now=699)
    assert second.wait_us == 0
    assert second.count == Count(2, 0, 700)


def test_a_day_has_room_for_few_guesses_at_one_account() -> None:
    """However many addresses, processes and moments: attempts at once are counted one by one."""
    count, now, made = Count(), 0, 0
    while now < DAY_US:
        verdict = attempt(PASSWORD, count, now)
        if verdict.wait_us:
            now += verdict.wait_us
            continue
        count, made = verdict.count, made + 1
    assert made <= 115


def test_the_rules_make_sense() -> None:
    for rule in (PASSWORD, ADDRESS, MAILS, SIGN_UPS):
        assert rule.free > 0
        assert SECOND_US <= rule.first_us < rule.longest_us <= 6 * HOUR_US < DAY_US
        assert rule.longest_us <= rule.forget_us


@given(st.integers(0, 10**9))
def test_no_number_of_attempts_waits_longer_than_the_longest(attempts: int) -> None:
    assert 0 <= delay_us(PASSWORD, attempts) <= PASSWORD.longest_us
