"""Keys of upstreams that are parked, cool and come back: in every process, told of once, as the operator sees it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from reseller_kit.app import make_upstream
from reseller_kit.core.times import parse_time
from reseller_kit.core.verdict import Blame, Verdict
from reseller_kit.db import tables as t
from reseller_kit.db import upstream_keys
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import open_writer
from reseller_kit.flows import doctor, key_checks, upstreams
from reseller_kit.flows import snapshot as snapshots
from reseller_kit.flows.deliver import Post, deliver
from reseller_kit.flows.provision import apply, read_manifest, resolver
from reseller_kit.flows.runtime import Runtime
from reseller_kit.flows.unlock import unlock
from reseller_kit.telemetry.access import AccessLog
from reseller_kit.theming import load as load_themes
from reseller_kit.upstream.base import Check, KeyCheck
from reseller_kit.upstream.credentials import Ticket
from tests.support.commands import Cli
from tests.support.provisioning import SECRET_KEY, installed

TEXT = """\
schema = 1
[platform]
name = "Northwind"
hosts = ["desk.example"]
alert_emails = ["ops@northwind.example", "night@northwind.example"]
[upstreams.one]
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"
api_keys = ["env:A", "env:B", "env:C"]
"""
SECRETS = {"A": "sk-a", "B": "sk-b", "C": "sk-c"}
HOUR_US = 3_600_000_000
NewRuntime = Callable[[], Any]


async def provision(db: Database, text: str = TEXT, **secrets: str) -> None:
    manifest = read_manifest(text, "tenants.toml", installed())
    await apply(db, await unlock(db, SECRET_KEY), manifest, resolver({**SECRETS, **secrets}, Path()), actor="test")


async def begin(db: Database) -> Runtime:
    vault = await unlock(db, SECRET_KEY)
    runtime = Runtime(
        db=db,
        vault=vault,
        ledger=open_writer(db),
        snapshot=await snapshots.load(db, vault),
        upstream_factory=make_upstream,
        access_log=AccessLog("json"),
        kept_bytes=1_000_000,
    )
    await runtime.upstream_keys.reload()
    return runtime


@pytest.fixture
async def start(db: Database) -> AsyncIterator[NewRuntime]:
    """Starts processes, as far as keys go."""
    await provision(db)
    async with AsyncExitStack() as stack:

        async def another() -> Runtime:
            runtime = await begin(db)
            stack.push_async_callback(runtime.close)
            return runtime

        yield another


def fingerprints(runtime: Runtime) -> list[str]:
    return [key.fingerprint for key in runtime.snapshot.upstreams["one"].api_keys]


def states(runtime: Runtime) -> list[str | None]:
    """The standing of each key of the pool."""
    found = [each.state for each in runtime.upstream("one").keys.credentials]
    return [None if state is None else state.standing for state in found]


async def meet(runtime: Runtime, position: int, blame: Blame, **fields: Any) -> None:
    """A call over the key at this position is refused; written by the time this returns."""
    ring = runtime.upstream("one").keys
    reason = "401 invalid_api_key: sk-proj-0123456789abcdefghij said"
    Ticket(ring.credentials[position], ring).learn(Verdict(blame=blame, reason=reason, **fields))
    await runtime.finish_background(30)


async def mails(db: Database) -> list[tuple[str, str]]:
    async with db.read(EVERY_TENANT) as connection:
        rows = await connection.execute(select(t.outbox.c.kind, t.outbox.c.recipient))
        return sorted((row.kind, row.recipient) for row in rows)


async def test_a_parked_key_is_parked_in_every_process_and_after_a_restart(db: Database, start: NewRuntime) -> None:
    one, two = await start(), await start()
    assert states(two) == [None] * 3
    before = two.snapshot.upstreams
    await meet(one, 0, "key")
    await two.refresh()
    assert states(one) == states(two) == ["parked", None, None]
    assert two.snapshot.upstreams is before, "the snapshot is not loaded anew for a key"
    three = await start()
    assert states(three) == ["parked", None, None]
    for runtime in (one, two, three):
        ring = runtime.upstream("one").keys
        assert fingerprints(runtime)[0] not in {ring.take().credential.fingerprint for _ in range(20)}
        assert '{state="parked",upstream="one"} 1.0' in runtime.metrics.render().decode()


async def test_a_key_cools_in_every_process_until_its_time(db: Database, start: NewRuntime) -> None:
    one, two = await start(), await start()
    assert states(two) == [None] * 3
    await meet(one, 1, "cooldown", retry_after=60.0)
    await two.refresh()
    assert states(two) == [None, "cooling", None]
    assert 50 < two.upstream("one").keys.credentials[1].wait(now_us(), two.upstream("one").keys.ceilings) <= 60
    await meet(two, 0, "cooldown", retry_after=5.0)
    await meet(two, 0, "endpoint")
    listed = (await upstreams.list_upstreams(db))[0].states
    assert {state.standing for state in listed.values()} == {"cooling"}
    assert await mails(db) == []


async def test_a_longer_cooling_and_a_parking_stand_against_what_comes_late(db: Database, start: NewRuntime) -> None:
    one, two = await start(), await start()
    assert states(one) == states(two) == [None] * 3
    await meet(one, 0, "key")
    await meet(one, 1, "cooldown", retry_after=600.0)
    # The other process has not heard of either yet.
    await meet(two, 0, "cooldown", retry_after=900.0)
    await meet(two, 1, "cooldown", retry_after=3.0)
    for runtime in (one, two):
        await runtime.refresh()
        assert states(runtime) == ["parked", "cooling", None]
        assert runtime.upstream("one").keys.credentials[1].wait(now_us(), runtime.upstream("one").keys.ceilings) > 500


async def test_the_operator_is_told_once_and_louder_of_the_last_key(
    db: Database, start: NewRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = await start(), await start()
    everyone = ("night@northwind.example", "ops@northwind.example")
    with caplog.at_level(logging.INFO):
        await asyncio.gather(meet(one, 0, "key"), meet(two, 0, "key"))
        assert await mails(db) == [("upstream_key_parked", each) for each in everyone]
        await asyncio.gather(meet(one, 1, "key"), meet(two, 2, "key"))
    kinds = [kind for kind, _ in await mails(db)]
    assert (kinds.count("upstream_key_parked"), kinds.count("upstream_down")) == (6, 2)
    assert not (await upstreams.list_upstreams(db))[0].stored.models
    assert [record.levelname for record in caplog.records if "every key of upstream one" in record.message] == [
        "CRITICAL"
    ]
    assert "sk-proj-0123456789" not in caplog.text
    found = [complaint for complaint in await doctor.examine(db) if complaint.where == "one"]
    assert [complaint.code for complaint in found if complaint.code.startswith("DR11")] == ["DR111"] * 3 + ["DR112"]
    assert all("reseller-kit upstream check one" in complaint.fix for complaint in found)


async def test_the_mail_is_the_platforms_and_shows_no_key(db: Database, start: NewRuntime) -> None:
    runtime = await start()
    await meet(runtime, 0, "key")
    sent: list[Any] = []

    class Recorder:
        async def send(self, letter: Any) -> None:
            sent.append(letter)

    assert await deliver(db, await unlock(db, SECRET_KEY), Post(load_themes(), Recorder(), 8000)) == 2
    assert {(letter.sender.address, letter.recipient) for letter in sent} == {
        ("no-reply@desk.example", "ops@northwind.example"),
        ("no-reply@desk.example", "night@northwind.example"),
    }
    assert sent[0].subject == "Northwind: a key of an upstream is parked"
    assert fingerprints(runtime)[0] in sent[0].text
    assert "401 invalid_api_key: [redacted] said" in sent[0].text
    assert not any(secret in sent[0].text + sent[0].html for secret in SECRETS.values())
    async with db.read(EVERY_TENANT) as connection:
        assert (await connection.scalars(select(t.outbox.c.sent_at))).all().count(None) == 0


async def test_unparked_keys_are_used_again_everywhere(db: Database, start: NewRuntime) -> None:
    one, two = await start(), await start()
    assert states(two) == [None] * 3
    await meet(one, 0, "key")
    await meet(one, 1, "cooldown", retry_after=60.0)
    first, second, _ = fingerprints(one)
    assert await upstreams.unpark(db, "one", first, "test") == [first]
    for runtime in (one, two):
        await runtime.refresh()
        assert states(runtime) == [None, "cooling", None]
    assert await upstreams.unpark(db, "one", None, "test") == [second]
    assert await upstreams.unpark(db, "one", None, "test") == []
    await one.refresh()
    assert states(one) == [None] * 3


class Checking:
    """Takes every key whose secret is among the good ones."""

    def __init__(self, config: Any, good: set[str]) -> None:
        self.config, self.good = config, good

    async def check(self, fingerprint: str | None = None) -> Check:
        keys = [key for key in self.config.api_keys if fingerprint in {None, key.fingerprint}]
        found = [
            KeyCheck(
                fingerprint=key.fingerprint,
                status=200 if key.secret in self.good else 401,
                latency_ms=1,
                fault="" if key.secret in self.good else "answered 401",
            )
            for key in keys
        ]
        return Check(upstream=self.config.name, keys=tuple(found))

    def close(self) -> None:
        pass


async def test_a_key_that_passes_its_check_is_on_trial_until_a_call_succeeds(db: Database, start: NewRuntime) -> None:
    one, two = await start(), await start()
    await meet(one, 0, "key")
    await meet(one, 1, "key")
    since = one.upstream("one").keys.credentials[0].state
    vault = await unlock(db, SECRET_KEY)
    (checked,) = await upstreams.check_upstreams(
        db, vault, lambda config: cast("Any", Checking(config, {"sk-a", "sk-c"})), "one"
    )
    assert checked.unparked == (fingerprints(one)[0],)
    assert [key.fault for key in checked.check.keys] == ["", "answered 401", ""]
    for runtime in (one, two):
        await runtime.refresh()
        assert states(runtime) == ["trial", "parked", None]
    told = await mails(db)
    await meet(two, 0, "key")
    await one.refresh()
    assert one.upstream("one").keys.credentials[0].state == since, "parked all along"
    assert await mails(db) == told, "it was told of already"
    await key_checks.try_again(db, "one", fingerprints(one)[0])
    await one.refresh()
    ring = one.upstream("one").keys
    ticket = next(each for each in (ring.take() for _ in range(3)) if each.credential is ring.credentials[0])
    ticket.well()
    await one.finish_background(30)
    await two.refresh()
    assert states(one) == states(two) == [None, "parked", None]


async def test_parked_keys_are_looked_at_once_an_hour_by_one_process(
    db: Database, start: NewRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await start(), await start()
    await meet(one, 0, "key")
    await meet(one, 1, "key")
    await two.refresh()
    assert not await key_checks.check_one(one)
    async with db.write(EVERY_TENANT) as connection:
        await connection.execute(update(t.upstream_key_state).values(checked_at=now_us() - HOUR_US - 1))
    asked: list[str] = []
    for runtime in (one, two):
        client = runtime.upstream("one")
        fake = Checking(runtime.snapshot.upstreams["one"], {"sk-b"})

        async def check(fingerprint: str | None = None, fake: Checking = fake) -> Check:
            asked.append(str(fingerprint))
            return await fake.check(fingerprint)

        monkeypatch.setattr(client, "check", check)
    found = await asyncio.gather(*(key_checks.check_one(runtime) for runtime in (one, two, one, two)))
    assert sorted(asked) == sorted(fingerprints(one)[:2])
    assert found.count(True) == 2
    await two.refresh()
    assert states(two) == ["parked", "trial", None]


async def test_a_new_secret_begins_clean_and_an_old_one_that_comes_back_too(db: Database, start: NewRuntime) -> None:
    runtime = await start()
    await meet(runtime, 0, "key")
    old = runtime.upstream("one")
    running = old.keys.take()
    await provision(db, A="sk-new")
    await runtime.refresh()
    assert runtime.upstream("one") is not old
    assert states(runtime) == [None] * 3
    counts = {each.fingerprint: each.load.in_flight for each in runtime.upstream("one").keys.credentials}
    assert counts[running.credential.fingerprint] == 1, "what runs on the old client counts on"
    running.release()
    assert not any(each.load.in_flight for each in runtime.upstream("one").keys.credentials)
    await provision(db)
    await runtime.refresh()
    assert states(runtime) == [None] * 3


async def test_a_state_that_the_database_does_not_take_is_kept_and_written_later(
    db: Database, start: NewRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await start(), await start()
    assert states(two) == [None] * 3
    monkeypatch.setattr("reseller_kit.flows.upstream_keys._AGAIN_SECONDS", 0.01)
    put, faults = upstream_keys.put, [OSError("away"), OSError("away")]

    async def failing(*arguments: Any) -> Any:
        if faults:
            raise faults.pop()
        return await put(*arguments)

    monkeypatch.setattr("reseller_kit.db.upstream_keys.put", failing)
    await meet(one, 0, "key")
    assert not faults
    await one.upstream_keys.reload()
    await two.refresh()
    assert states(one) == states(two) == ["parked", None, None]
    assert len(await mails(db)) == 2


def test_the_operator_sees_and_frees_keys_by_fingerprint(cli: Cli) -> None:
    async def fill(db: Database) -> list[str]:
        await provision(db)
        runtime = await begin(db)
        await meet(runtime, 0, "key")
        await meet(runtime, 1, "cooldown", retry_after=1800.0)
        await meet(runtime, 2, "cooldown", retry_after=1.0)
        async with db.write(EVERY_TENANT) as connection:
            past = update(t.upstream_key_state).where(t.upstream_key_state.c.until_at < now_us() + HOUR_US // 4)
            await connection.execute(past.values(until_at=now_us() - 1))
        await runtime.close()
        return fingerprints(runtime)

    first, second, third = cli.seed(fill)
    (upstream,) = cli.ask("upstream", "list")["upstreams"]
    assert {name: upstream[name] for name in ("name", "dialect", "base_url", "status")} == {
        "name": "one",
        "dialect": "openai",
        "base_url": "http://127.0.0.1:9/v1",
        "status": "active",
    }
    parked, cooling, fine = upstream["keys"]
    assert (parked["fingerprint"], parked["state"], parked["until"]) == (first, "parked", None)
    assert parked["reason"] == "401 invalid_api_key: [redacted] said"
    assert (cooling["fingerprint"], cooling["state"]) == (second, "cooling")
    assert parse_time(cooling["until"]) - parse_time(cooling["since"]) == 1800 * 1_000_000
    assert fine == {
        "reference": "env:C",
        "fingerprint": third,
        "state": "ok",
        "since": None,
        "until": None,
        "reason": None,
    }
    text = cli.run("upstream", "list").stdout
    for word in (first, second, third, "parked since", "cooling until"):
        assert word in text
    assert "sk-" not in text
    checked = cli.run("upstream", "check", "--json")
    assert checked.code == 6
    assert [key["health"] for key in checked.json()["upstreams"][0]["keys"]] == ["failed"] * 3
    assert cli.refused("upstream", "unpark", "two")[0] == 4
    assert cli.refused("upstream", "unpark", "one", "--key", "deadbeef")[0] == 4
    assert cli.ask("upstream", "unpark", "one", "--key", first) == {"name": "one", "unparked": [first]}
    assert cli.ask("upstream", "unpark", "one", "--key", first) == {"name": "one", "unparked": []}
    assert [entry["ref"] for entry in cli.ask("audit", "list")["events"] if entry["action"] == "upstream.unpark"] == [
        f"one/{first}"
    ]
    assert [row["kind"] for row in cli.ask("mail", "list")["mails"]] == ["upstream_key_parked"] * 2
    assert cli.refused("mail", "retry", "mail_0")[0] == 4
