"""What is pure of webhooks: signatures, the schedule of attempts, which URLs may be sent to."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from reseller_kit.core import hook
from reseller_kit.core.errors import InvalidRequest
from reseller_kit.core.hook import MAX_ATTEMPTS, Outcome, judge, new_secret, signatures, subscribes, wait_us
from reseller_kit.core.hook_address import hook_address
from reseller_kit.core.times import DAY_US, HOUR_US, SECOND_US
from reseller_kit.telemetry.redaction import redact

FAILED = Outcome(status=500, duration_ms=1)


@given(body=st.text(max_size=200))
def test_a_signature_is_verified_by_the_published_library(body: str) -> None:
    secret, now = new_secret(), int(dt.datetime.now(dt.UTC).timestamp())
    content = f'{{"text": {len(body)}}}'.encode()
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(now),
        "webhook-signature": signatures([secret, new_secret()], "evt_1", now, content),
    }
    assert Webhook(secret).verify(content, headers) == {"text": len(body)}
    assert headers["webhook-signature"].count("v1,") == 2


def test_a_signature_is_the_one_of_the_specification() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = signatures([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(text=st.binary(min_size=1))
def test_a_secret_never_gets_into_a_log(text: bytes) -> None:
    secret = new_secret()
    assert secret not in redact(f"{text!r} {secret} after")
    assert secret.removeprefix("whsec_")[:12] not in redact(f"signed with {secret}.")


def test_delays_grow_and_end_after_three_days() -> None:
    waits = [wait_us(FAILED, attempts, 0) for attempts in range(1, MAX_ATTEMPTS)]
    assert waits[0] == 5 * SECOND_US
    assert waits == sorted(waits)
    assert 3 * DAY_US < sum(waits) < 4 * DAY_US
    assert [judge(FAILED, n) for n in (1, MAX_ATTEMPTS - 1, MAX_ATTEMPTS)] == ["again", "again", "failed"]
    assert wait_us(FAILED, 1, 1) > waits[0]


@pytest.mark.parametrize(
    ("status", "asked", "wait"),
    [(503, 60, 60 * SECOND_US), (429, 10**9, DAY_US), (429, 1, 5 * SECOND_US), (500, 3600, 5 * SECOND_US)],
)
def test_a_receiver_may_ask_for_more_time_but_not_for_ever(status: int, asked: int, wait: int) -> None:
    assert wait_us(Outcome(status=status, duration_ms=1, retry_after=asked), 1, 0) == wait


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(200, "delivered"), (299, "delivered"), (301, "again"), (404, "again"), (410, "gone"), (None, "again")],
)
def test_only_success_is_delivered(status: int | None, verdict: str) -> None:
    assert judge(Outcome(status=status, duration_ms=1), 1) == verdict


def test_events_are_chosen_by_name_or_all() -> None:
    assert subscribes(["*"], "order.paid")
    assert subscribes(["key.created", "order.paid"], "order.paid")
    assert not subscribes(["key.created"], "order.paid")
    assert all(name == name.lower() and "." in name for name in hook.EVENTS)
    assert wait_us(FAILED, 99, 0) == 24 * HOUR_US


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com/hook",
        "https://user:secret@example.com/hook",
        "https://example.com/hook#part",
        "https://example.com:22/hook",
        "https://example.com:0/hook",
        "https://example.com:70000/hook",
        "https:///hook",
        "https://exa mple.com/",
        "https://example.com/a b",
        "https://example.com/\r\nhost: evil",
        "https://localhost/hook",
        "https://shop.localhost/hook",
        "https://127.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/hook",
        "https://[::1]/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "https://[64:ff9b::7f00:1]/hook",
        "https://2130706433/hook",
        "https://127.1/hook",
        "https://0x7f.0.0.1/hook",
        "https://münchen.example/hook",
        "https://example.com/" + "a" * 1000,
        "javascript:alert(1)",
        "",
    ],
)
def test_what_may_not_be_sent_to_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        hook_address(url, private=False)
    assert refused.value.param == "url"
    assert refused.value.fix


def test_a_url_is_kept_in_one_spelling() -> None:
    found = hook_address(" https://EXAMPLE.com:443?token=a%20b ", private=False)
    assert found.url == "https://example.com/?token=a%20b"
    assert (found.host, found.port, found.target) == ("example.com", 443, "/?token=a%20b")
    assert hook_address("https://[2606:4700::1111]:8443/x", private=False).url == "https://[2606:4700::1111]:8443/x"


def test_a_closed_network_may_be_sent_to_where_the_operator_says_so() -> None:
    assert hook_address("http://127.0.0.1:8080/hook", private=True).port == 8080
    assert hook_address("https://10.0.0.1/hook", private=True).host == "10.0.0.1"
    with pytest.raises(InvalidRequest):
        hook_address("http://10.0.0.1:8080/hook", private=True)
