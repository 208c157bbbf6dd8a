from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reseller_kit.core.domain import (
    Found,
    PlatformNames,
    Standing,
    Target,
    Verdict,
    challenge_value,
    judge,
    parents,
    refuse_host,
    step,
    typed_host,
)
from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.tenant import normalise_host
from reseller_kit.core.times import DAY_US
from reseller_kit.dns import is_public_suffix

HOST, TOKEN = "shop.example.com", "0123abcd"
TARGET = Target(cname="edge.stores.example", a=("192.0.2.1",), aaaa=("2001:db8::1",))
PROOF = (challenge_value(TOKEN),)
FINE = Verdict(proven=True, pointed=True)
GONE = Verdict(proven=True, pointed=False)
PLATFORM = PlatformNames(name="Northwind Platform", hosts=("desk.northwind.example",), suffix="stores.example")


def found(**more: object) -> Found:
    return Found(**{"txt": PROOF, "cnames": (), "a": (), "aaaa": (), "issuers": (), **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("said", "proven", "pointed", "surplus"),
    [
        (found(cnames=("edge.stores.example",), a=("198.51.100.7",)), True, True, []),
        (found(a=("192.0.2.1",), aaaa=("2001:0db8:0::1",)), True, True, []),
        (found(a=("192.0.2.1", "198.51.100.7")), True, False, [("A", "198.51.100.7")]),
        (found(a=("192.0.2.1",), aaaa=("2001:db8::2",)), True, False, [("AAAA", "2001:db8::2")]),
        (found(cnames=("parked.example",), a=("198.51.100.7",)), True, False, [("CNAME", "parked.example")]),
        (found(cnames=("example.com",), a=("192.0.2.1",)), True, True, []),
        (found(txt=()), False, False, []),
        (found(txt=(TOKEN, "storefront-challenge=other")), False, False, []),
        (found(txt=None), None, False, []),
        (found(cnames=None), True, None, []),
        (found(a=("192.0.2.1",), aaaa=None), True, None, []),
        (Found(), None, None, []),
    ],
)
def test_an_answer_is_judged_by_what_it_says(
    said: Found,
    proven: bool | None,  # noqa: FBT001
    pointed: bool | None,  # noqa: FBT001
    surplus: list[tuple[str, str]],
) -> None:
    verdict = judge(said, HOST, TOKEN, TARGET)
    assert (verdict.proven, verdict.pointed) == (proven, pointed)
    assert [(record.kind, record.value) for record in verdict.surplus] == surplus


@pytest.mark.parametrize(
    ("issuers", "certifiable"),
    [((), True), (("LetsEncrypt.org",), True), (("digicert.com",), False), ((";",), False), (None, None)],
)
def test_caa_says_who_may_sign(issuers: tuple[str, ...] | None, certifiable: bool | None) -> None:  # noqa: FBT001
    assert judge(found(issuers=issuers), HOST, TOKEN, TARGET).certifiable is certifiable


def test_a_host_is_warned_twice_before_it_is_detached() -> None:
    standing = step(Standing(state="verified"), FINE, 0)
    assert standing.state == "live"
    told = []
    for day in range(1, 32):
        before = standing
        standing = step(standing, GONE, day * DAY_US)
        if (standing.state, standing.warned_days) != (before.state, before.warned_days):
            told.append((day - 1, standing.state, standing.warned_days))
    assert told == [(14, "live", 14), (28, "live", 28), (30, "detached", 28)]
    assert step(standing, GONE, 99 * DAY_US) == standing
    assert step(standing, FINE, 99 * DAY_US) == Standing(state="live")


def test_nobody_is_detached_unwarned_after_a_long_outage_of_ours() -> None:
    standing = step(Standing(state="live", failing_since=0), GONE, 40 * DAY_US)
    assert (standing.state, standing.warned_days) == ("live", 28)
    assert step(standing, GONE, 41 * DAY_US).state == "live"
    assert step(standing, GONE, 42 * DAY_US).state == "detached"


def test_what_could_not_be_found_out_changes_nothing() -> None:
    failing = Standing(state="live", failing_since=0, warned_days=14, warned_at=14 * DAY_US)
    for verdict in (Verdict(), Verdict(proven=True), Verdict(pointed=True)):
        for standing in (failing, Standing(state="verified"), Standing(state="detached"), Standing(state="live")):
            assert step(standing, verdict, 50 * DAY_US) == standing


verdicts = st.builds(Verdict, proven=st.sampled_from((True, False, None)), pointed=st.sampled_from((True, False, None)))


@given(st.lists(st.tuples(verdicts, st.integers(0, 20 * DAY_US)), max_size=30))
def test_no_sequence_of_checks_brings_a_host_to_life_without_proof(checks: list[tuple[Verdict, int]]) -> None:
    standing, now = Standing(state="verified"), 0
    tombstone = Standing(state="tombstone")
    for verdict, pause in checks:
        now += pause
        before, standing = standing, step(standing, verdict, now)
        if standing.state == "live" != before.state:
            assert verdict == FINE
        if standing.state == "detached" != before.state:
            assert before.warned_days == 28
            assert before.failing_since is not None
            assert now - before.failing_since >= 30 * DAY_US
        assert step(tombstone, verdict, now) == tombstone


@pytest.mark.parametrize(
    ("host", "word"),
    [
        ("co.uk", "yours alone"),
        ("com", "yours alone"),
        ("github.io", "yours alone"),
        ("shop.localhost", "yours alone"),
        ("printer.local", "yours alone"),
        ("192.0.2.1", "address"),
        ("2001:db8::1", "address"),
        ("_dmarc.example.com", "website"),
        ("my_shop.example.com", "website"),
        ("desk.northwind.example", "reserved"),
        ("northwind.example", "reserved"),
        ("new.desk.northwind.example", "reserved"),
        ("stores.example", "reserved"),
        ("aurora.stores.example", "reserved"),
        ("north-wind-login.example.com", "reserved"),
    ],
)
def test_what_is_nobodys_is_refused(host: str, word: str) -> None:
    with pytest.raises(InvalidRequest, match=word) as caught:
        refuse_host(host, PLATFORM, is_public_suffix=is_public_suffix(host))
    assert caught.value.param == "host"
    assert "northwind" not in (caught.value.message + caught.value.fix).replace(host, "").lower()


@pytest.mark.parametrize("host", ["example.com", "shop.example.co.uk", "mine.github.io", "xn--fa-hia.de", "a.b.test"])
def test_what_somebody_registered_is_taken(host: str) -> None:
    refuse_host(host, PLATFORM, is_public_suffix=is_public_suffix(host))


@pytest.mark.parametrize(
    ("typed", "host"),
    [
        (" https://Shop.Example.com/pricing?x=1 ", "shop.example.com"),
        ("shop.example.com.", "shop.example.com"),
        ("faß.de", "xn--fa-hia.de"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("例え.jp", "xn--r8jz45g.jp"),
    ],
)
def test_what_was_typed_is_read_as_an_address_bar_would(typed: str, host: str) -> None:
    assert typed_host(typed) == host


@pytest.mark.parametrize(
    "typed", ["", "https://", "a b.example", "x@y.example", "shop.example:8443", "-a.example", "*.example.com"]
)
def test_what_is_no_host_is_refused(typed: str) -> None:
    with pytest.raises(InvalidRequest):
        typed_host(typed)


def test_parents_are_the_names_above_with_a_dot() -> None:
    assert parents("a.b.example.com") == ("b.example.com", "example.com")
    assert parents("example.com") == ()
    assert normalise_host("a.b.example.com") == "a.b.example.com"


WRITINGS = "ab-.\uff0e\u3002\xdf\xdc\u4f8b\u200d\u0301\u0660\uff111xn\U0001f319\x00 :/@[]%"


@given(st.text(alphabet=WRITINGS, max_size=30))
def test_a_host_in_any_writing_is_canonical_or_refused(text: str) -> None:
    try:
        host = normalise_host(text)
    except InvalidRequest:
        return
    assert host.isascii()
    assert normalise_host(host) == host
    is_public_suffix(host)


@pytest.mark.parametrize("text", ["\uff11\uff12\uff17\uff0e\uff10\uff0e\uff10\uff0e\uff11", "a\uff0e1", "fe80::1%eth0"])
def test_no_other_writing_makes_an_address(text: str) -> None:
    with pytest.raises(InvalidRequest):
        normalise_host(text)
