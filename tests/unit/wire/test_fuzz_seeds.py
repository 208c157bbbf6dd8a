"""Every input that fuzzing starts with, and a few changed ones, so that the targets keep up with the code."""

from __future__ import annotations

import random

import pytest

from reseller_kit.core.errors import InvalidRequest
from tests.fuzz import inputs, targets

_SEEDS = list(inputs.seeds(len(targets.TARGETS)))


def test_no_seed_gets_more_than_a_refusal() -> None:
    for seed in _SEEDS:
        targets.run(seed)


@pytest.mark.thorough
def test_no_changed_seed_gets_more_than_a_refusal() -> None:
    rng = random.Random(7)
    for _ in range(3_000):
        data = rng.choice(_SEEDS)
        for _ in range(rng.randrange(1, 4)):
            data = inputs.changed(data, rng) or data
        targets.run(data)


def test_each_api_accepts_one_of_the_seeds() -> None:
    accepted = set()
    for seed in _SEEDS:
        for api, decode in targets.DECODERS_OF_CALLS.items():
            try:
                decode(seed[1:])
            except InvalidRequest:
                continue
            accepted.add(api)
    assert accepted == set(targets.DECODERS_OF_CALLS)
