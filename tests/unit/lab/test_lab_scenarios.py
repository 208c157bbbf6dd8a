"""Scenarios are read strictly: a mistake in one must not look like a product that holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.behaviour import GOOD, Behaviour, Rule
from tests.lab.scenario import HOUSE, Malformed, chosen, load_scenarios

WHOLE = '[[scenario]]\nname = "one"\nabout = "…"\nupstreams.near = {}\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "scenarios.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_house_has_one_of_two_upstreams_fail_in_eight_ways() -> None:
    found = load_scenarios()
    two = [each for each in found if len(each.upstreams) == 2 and each.expect.attempts_at_most == 1.2]
    failing = [each for each in two if "far" in each.upstreams and not each.upstreams["far"].rules]
    whole = [each for each in failing if each.load.calls >= 1000 and each.load.seconds is None]
    assert len(whole) == 8
    assert all(each.expect.client_errors == 0 for each in whole)
    ways = [each.upstreams["near"].rules[0] for each in whole]
    assert len({"refuse" if rule.refuse else rule.do.name for rule in ways} - {GOOD.name}) == 8


def test_a_quick_form_has_fewer_calls_and_the_same_faults() -> None:
    for scenario in load_scenarios():
        if scenario.quick:
            short = scenario.shortened()
            assert short.load.calls == scenario.quick < scenario.load.calls
            assert short.upstreams == scenario.upstreams
            assert short.expect.client_errors == scenario.expect.client_errors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WHOLE.replace("near = {}", "near = { rulez = [] }"), "rulez"),
        (WHOLE.replace("near = {}", 'near = { rules = [{ do = { stop = "sometimes" } }] }'), "stop"),
        (WHOLE.replace("upstreams.near = {}\n", "upstreams = {}\n"), "no upstream"),
        (WHOLE + WHOLE, "two of this name"),
        (WHOLE + 'load.apis = ["chatter"]\n', "chatter"),
        (WHOLE + "expect.asked_at_most = { far = 3 }\n", "far"),
        (WHOLE + 'expect.asked_key_at_most = { "far#2" = 3 }\n', "far"),
        (WHOLE + "quick = 3\nload.seconds = 2\n", "quick"),
        ("scenario = [", "Invalid"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Malformed, match=said) as refused:
        load_scenarios(written(tmp_path, text))
    assert "scenarios.toml" in str(refused.value)


def test_names_choose_by_their_beginning() -> None:
    found = load_scenarios(HOUSE)
    assert [each.name for each in chosen(found, ["error"])] == ["error-500", "error-in-200"]
    assert chosen(found, []) == found
    with pytest.raises(Malformed, match="there is no scenario 'nothing'"):
        chosen(found, ["nothing"])


def test_a_behaviour_is_named_by_what_it_changes() -> None:
    assert GOOD.name == "good"
    assert Behaviour(stop="reset", stop_after=3, canary="x").name == "stop=reset stop_after=3"
    assert Behaviour(line_end="crlf").is_good(stream=True)
    assert not Behaviour(error_after=0).is_good(stream=False)
    assert [Behaviour(broken_event=3).is_good(stream=stream) for stream in (False, True)] == [True, False]


def test_a_rule_holds_for_its_time_key_model_and_number() -> None:
    rule = Rule(key=2, model="m", since=1.0, until=2.0, most=3)
    fits = {"at": 1.5, "key": 2, "model": "m", "api": "openai", "shown": 2}
    assert rule.fits(**fits)  # type: ignore[arg-type]  # of a dictionary with values of two types
    for name, value in (("at", 0.9), ("at", 2.0), ("key", 1), ("model", "n"), ("shown", 3)):
        assert not rule.fits(**(fits | {name: value}))  # type: ignore[arg-type]  # see above
