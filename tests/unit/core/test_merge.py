"""Three-way merge: who owns a value, as tables and as properties."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.merge import Change, merge, pending, state_after

KEYS = st.sampled_from(
    [
        ("platform", "platform"),
        ("upstream", "one"),
        ("model", "m"),
        ("tenant", "a"),
        ("tenant", "b"),
        ("domain", "a.example"),
        ("package", "a/p"),
        ("owner", "a/o@example.com"),
    ]
)
FIELDS = st.dictionaries(st.sampled_from(["x", "y", "z.t"]), st.sampled_from(["1", 2, ["l"], {"k": "v"}]), max_size=3)
STATES = st.dictionaries(KEYS, FIELDS, max_size=6)


def owned(state: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Domains name their tenant, as real ones do."""
    return {key: {**fields, "tenant": "a"} if key[0] == "domain" else dict(fields) for key, fields in state.items()}


OWNED = STATES.map(owned)
TENANT = ("tenant", "a")


def one(base: Any, file: Any, actual: Any, *, prune: bool = False, reset_drift: bool = False) -> list[Change]:
    """The merge of one tenant's fields; None where the tenant is missing."""
    sides = [{} if fields is None else {TENANT: fields} for fields in (base, file, actual)]
    return merge(*sides, prune=prune, reset_drift=reset_drift)


def change(action: Any, **fields: tuple[Any, Any]) -> Change:
    pairs = {name: {"old": old, "new": new} for name, (old, new) in fields.items()}
    return Change(action=action, kind="tenant", id="a", fields=pairs)


def test_new_in_the_file_is_created() -> None:
    assert one(None, {"x": 1}, None) == [change("create", x=(None, 1))]


def test_what_the_file_changed_is_written() -> None:
    assert one({"x": 1, "y": 1}, {"x": 2, "y": 1}, {"x": 1, "y": 1}) == [change("update", x=(1, 2))]


def test_what_was_changed_elsewhere_is_drift_and_stays() -> None:
    assert one({"x": 1}, {"x": 1}, {"x": 3}) == [change("drift", x=(1, 3))]
    assert pending(one({"x": 1}, {"x": 1}, {"x": 3})) == []


def test_drift_is_reset_on_demand() -> None:
    assert one({"x": 1}, {"x": 1}, {"x": 3}, reset_drift=True) == [change("update", x=(3, 1))]


def test_the_file_wins_where_both_changed() -> None:
    assert one({"x": 1}, {"x": 2}, {"x": 3}) == [change("update", x=(3, 2))]


def test_both_changed_to_the_same_value_is_no_change() -> None:
    assert one({"x": 1}, {"x": 2}, {"x": 2}) == []


def test_one_resource_may_have_both_an_update_and_drift() -> None:
    found = one({"x": 1, "y": 1}, {"x": 2, "y": 1}, {"x": 1, "y": 9})
    assert found == [change("update", x=(1, 2)), change("drift", y=(1, 9))]


def test_a_key_dropped_from_the_file_goes_back_to_its_default() -> None:
    found = one({"x": 1, "y": 1}, {"x": 1}, {"x": 1, "y": 1})
    assert found == [change("update", y=(1, None))]
    assert state_after({TENANT: {"x": 1, "y": 1}}, found) == {TENANT: {"x": 1}}


def test_what_the_file_never_named_is_drift_and_goes_back_to_its_default() -> None:
    actual = {"x": 1, "tagline": "by the console"}
    assert one({"x": 1}, {"x": 1}, actual) == [change("drift", tagline=(None, "by the console"))]
    reset = one({"x": 1}, {"x": 1}, actual, reset_drift=True)
    assert reset == [change("update", tagline=("by the console", None))]
    assert state_after({TENANT: actual}, reset) == {TENANT: {"x": 1}}


def test_what_exists_before_the_first_apply_is_adopted() -> None:
    assert one(None, {"x": 1, "y": 2}, {"x": 1, "y": 3, "z": 4}) == [
        change("update", y=(3, 2)),
        change("drift", z=(None, 4)),
    ]


def test_missing_from_the_file_is_an_orphan_and_stays() -> None:
    assert one({"x": 1}, None, {"x": 1}) == [change("orphan")]
    assert one(None, None, {"x": 1}) == [change("orphan")]


def test_prune_archives_orphans() -> None:
    found = one({"x": 1}, None, {"x": 1, "status": "active"}, prune=True)
    assert found == [change("archive", status=("active", "archived"))]
    after = state_after({TENANT: {"x": 1, "status": "active"}}, found)
    assert one(None, None, after[TENANT], prune=True) == []


def test_a_resource_removed_elsewhere_is_drift() -> None:
    assert one({"x": 1}, {"x": 1}, None) == [change("drift", x=(1, None))]
    assert one({"x": 1}, {"x": 1}, None, reset_drift=True) == [change("create", x=(None, 1))]
    assert one({"x": 1}, {"x": 2}, None) == [change("create", x=(None, 2))]


def test_what_belongs_to_an_orphaned_tenant_goes_with_it() -> None:
    actual: dict[tuple[str, str], dict[str, Any]] = {
        TENANT: {"status": "active"},
        ("domain", "a.example"): {"tenant": "a"},
        ("package", "a/p"): {},
        ("owner", "a/o"): {},
    }
    assert [(c.kind, c.action) for c in merge({}, {}, actual)] == [("tenant", "orphan")]
    assert [(c.kind, c.action) for c in merge({}, {}, actual, prune=True)] == [("tenant", "archive")]


def test_prune_takes_no_one_s_log_in() -> None:
    actual: dict[tuple[str, str], dict[str, Any]]
    actual = {TENANT: {"x": 1}, ("owner", "a/o"): {}, ("domain", "d"): {"tenant": "a"}, ("package", "a/p"): {}}
    found = merge({}, {TENANT: {"x": 1}}, actual, prune=True)
    assert [(c.kind, c.action) for c in found] == [("domain", "archive"), ("owner", "orphan"), ("package", "archive")]


def test_the_platform_is_never_an_orphan() -> None:
    actual: dict[tuple[str, str], dict[str, Any]] = {("platform", "platform"): {"x": 1}, ("wholesale", "wholesale"): {}}
    assert merge({}, {}, actual, prune=True) == []


@given(base=OWNED, file=OWNED, actual=OWNED, prune=st.booleans(), reset=st.booleans())
def test_apply_then_plan_has_nothing_left(*, base: Any, file: Any, actual: Any, prune: bool, reset: bool) -> None:
    before = copy.deepcopy((base, file, actual))
    after = state_after(actual, merge(base, file, actual, prune=prune, reset_drift=reset))
    assert (base, file, actual) == before
    assert pending(merge(file, file, after, prune=prune)) == []
    if reset:
        assert not [c for c in merge(file, file, after) if c.action == "drift"]


@given(OWNED, OWNED, OWNED)
def test_only_what_the_file_changed_is_written(base: Any, file: Any, actual: Any) -> None:
    after = state_after(actual, merge(base, file, actual))
    for key, fields in actual.items():
        for name, value in fields.items():
            said_before, says_now = base.get(key, {}).get(name), file.get(key, {}).get(name)
            if key not in file or (key in base and said_before == says_now):
                assert after[key][name] == value
    for key, fields in file.items():
        for name, value in fields.items():
            if base.get(key, {}).get(name) != value and (key in actual or key not in base):
                assert after[key][name] == value


@given(OWNED, OWNED, OWNED)
def test_without_prune_nothing_disappears(base: Any, file: Any, actual: Any) -> None:
    assert set(actual) <= set(state_after(actual, merge(base, file, actual)))


@given(OWNED, OWNED)
def test_reset_restores_all_that_the_file_says(file: Any, actual: Any) -> None:
    after = state_after(actual, merge(file, file, actual, reset_drift=True))
    for key, fields in file.items():
        assert {name: after[key].get(name) for name in fields} == fields


@given(OWNED)
def test_a_fresh_database_gets_the_file(file: Any) -> None:
    changes = merge({}, file, {})
    assert {c.action for c in changes} <= {"create"}
    assert state_after({}, changes) == file
