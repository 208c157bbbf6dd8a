from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.ids import IdSource, is_public_id, new_id


def test_ids_have_their_form() -> None:
    made = new_id("req")
    assert is_public_id(made, "req")
    assert len(made) == 30
    assert not is_public_id(made, "key")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "req",
        "req_",
        "req_01ARZ3NDEKTSV4RRFFQ69G5FA",
        "req_01ARZ3NDEKTSV4RRFFQ69G5FAVX",
        "req_81ARZ3NDEKTSV4RRFFQ69G5FAV",
        "req_01arz3ndektsv4rrffq69g5fav",
        "req_01ARZ3NDEKTSV4RRFFQ69G5FAU",
        "req_01ARZ3NDEKTSV4RRFFQ69G5FAV\n",
        "req_'; DROP TABLE",
    ],
)
def test_what_is_no_id_is_told_apart(text: str) -> None:
    assert not is_public_id(text, "req")


@given(st.lists(st.integers(1, 2**45), min_size=2, max_size=60))
def test_ids_of_a_process_rise_even_when_the_clock_steps_back(milliseconds: list[int]) -> None:
    source = IdSource()
    made = [source.next(ms * 1_000_000) for ms in milliseconds]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(is_public_id(f"txn_{text}", "txn") for text in made)


def test_an_id_begins_with_its_millisecond() -> None:
    ms = 1_469_918_176_385
    # The example of the ULID specification: 01ARYZ6S41 is this moment.
    assert IdSource().next(ms * 1_000_000).startswith("01ARYZ6S41")


def test_ids_cannot_be_guessed_from_one_another() -> None:
    ms = 10**15
    assert IdSource().next(ms)[10:] != IdSource().next(ms)[10:]
    source = IdSource()
    steps = {source.next(ms)[-5:] for _ in range(50)}
    assert len(steps) == 50


def test_counting_up_goes_on_beyond_the_low_bits() -> None:
    source = IdSource()
    made = [source.next(10**15)]
    for _ in range(3):
        source._low = (1 << 40) - 1
        made += [source.next(10**15), source.next(10**15)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert made[-1][:10] == made[0][:10]


def test_a_copy_of_the_process_draws_bits_of_its_own() -> None:
    program = """
import os, time
from reseller_kit.core.ids import new_id

new_id("req")
child = os.fork()
time.sleep(0.002)
os.write(1, (new_id("req")[14:22] + "\\n").encode())
if child:
    os.waitpid(child, 0)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout.split()
    assert len(found) == 2
    assert found[0] != found[1]
