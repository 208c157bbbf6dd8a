"""Webhooks to a reseller's systems on both databases: put out with the fact, signed, repeated, given up, pruned."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import func, select, update
from standardwebhooks import Webhook

from reseller_kit.core.errors import Conflict, InvalidRequest, NotFound
from reseller_kit.core.hook import MAX_ATTEMPTS, OVERLAP_US
from reseller_kit.core.paging import window
from reseller_kit.core.times import DAY_US, SECOND_US
from reseller_kit.db import operator_hooks, tenants
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.tenants import Tenant
from reseller_kit.flows import events, hooks
from reseller_kit.flows.customers import create_customer, resume_customer, suspend_customer
from reseller_kit.flows.hooks import EndpointTerms, Logged, NewEndpoint
from reseller_kit.flows.hooks.courier import KEPT_US, Courier, tidy
from reseller_kit.flows.unlock import unlock
from reseller_kit.vault import Vault
from tests.support.factories import SECRET_KEY, make_platform, make_tenant
from tests.support.receiver import OK, deliver_due, listen, receiver, status, until

BY = "cli:test"


async def make_shop(db: Database, slug: str = "aurora") -> tuple[Tenant, Vault]:
    if slug == "aurora":
        await make_platform(db, private_upstreams=True)
    return await make_tenant(db, slug, hosts=[f"{slug}.example"]), await unlock(db, SECRET_KEY)


async def sent(db: Database, tenant: Tenant, made: NewEndpoint) -> list[Logged]:
    return list((await hooks.list_deliveries(db, tenant.slug, made.endpoint.id, window(100, None))).items)


async def test_an_event_is_put_out_with_its_fact_and_delivered_signed(db: Database) -> None:
    tenant, vault = await make_shop(db)
    async with receiver() as crm, receiver() as other:
        made = await listen(db, vault, tenant.slug, crm.url)
        await listen(db, vault, tenant.slug, other.url, "customer.suspended")
        new = await create_customer(db, vault, tenant_slug="aurora", email="j@x.example", name="J", actor=BY)
        for _ in range(2):
            await suspend_customer(db, "aurora", new.customer.id, "why", BY)
        await resume_customer(db, "aurora", new.customer.id, BY)
        await deliver_due(db, vault)
        await deliver_due(db, vault)
    assert [json.loads(one.body)["type"] for one in sorted(crm.got, key=lambda got: got.headers["webhook-id"])] == [
        "customer.created",
        "customer.suspended",
        "customer.resumed",
    ]
    (suspended,) = other.got
    assert suspended.headers["webhook-id"] in crm.ids
    got = crm.got[0]
    assert got.line == "POST /hook?from=shop HTTP/1.1"
    assert Webhook(made.secret).verify(got.body, got.headers)["data"] == {"customer": new.customer.id}
    assert set(got.headers) == {
        "host",
        "content-type",
        "content-length",
        "connection",
        "user-agent",
        *("webhook-id", "webhook-timestamp", "webhook-signature"),
    }
    assert "kit" not in got.headers["user-agent"]
    log = await sent(db, tenant, made)
    assert [(one.delivery.state, [tried.status for tried in one.attempts]) for one in log] == [("delivered", [204])] * 3


async def test_a_fact_that_is_rolled_back_is_told_to_nobody(db: Database) -> None:
    tenant, vault = await make_shop(db)
    made = await listen(db, vault, tenant.slug, "https://crm.example/hook")
    await create_customer(db, vault, tenant_slug="aurora", email="j@x.example", name="J", actor=BY)
    with pytest.raises(Conflict):
        await create_customer(db, vault, tenant_slug="aurora", email="j@x.example", name="J", actor=BY)
    assert len(await sent(db, tenant, made)) == 1


async def test_a_failure_is_tried_again_under_the_same_id_until_it_is_given_up(db: Database) -> None:
    tenant, vault = await make_shop(db)
    async with receiver() as crm:
        made = await listen(db, vault, tenant.slug, crm.url)
        crm.answers = [status(500, body="<b>no\x00 \x1b[31m</b>" + "x" * 5000)]
        await hooks.send_test(db, tenant.slug, made.endpoint.id, actor=BY)
        await deliver_due(db, vault)
        await deliver_due(db, vault)
        assert len(crm.got) == 1
        for _ in range(MAX_ATTEMPTS + 2):
            await deliver_due(db, vault, ahead=2 * DAY_US)
        assert len(crm.got) == MAX_ATTEMPTS
        assert len(set(crm.ids)) == 1
        (one,) = await sent(db, tenant, made)
        assert one.delivery.state == "failed"
        assert len(one.attempts) == MAX_ATTEMPTS
        assert one.attempts[0].answer.startswith("<b>no\ufffd \ufffd[31m</b>x")
        assert len(one.attempts[0].answer) <= 1024
        crm.answers = [OK]
        await hooks.redeliver(db, tenant.slug, made.endpoint.id, one.delivery.id, actor=BY)
        await deliver_due(db, vault)
        (again,) = await sent(db, tenant, made)
    assert again.delivery.state == "delivered"
    assert len(set(crm.ids)) == 1


async def test_a_receiver_that_is_gone_is_sent_nothing_more_and_its_owner_hears_of_it(db: Database) -> None:
    tenant, vault = await make_shop(db)
    async with db.write(tenant.id) as connection:
        await tenants.add_member(connection, tenant.id, "owner@aurora.example", "owner")
    async with receiver() as crm:
        made = await listen(db, vault, tenant.slug, crm.url)
        crm.answers = [status(410)]
        await hooks.send_test(db, tenant.slug, made.endpoint.id, actor=BY)
        await deliver_due(db, vault)
        await create_customer(db, vault, tenant_slug="aurora", email="j@x.example", name="J", actor=BY)
        await deliver_due(db, vault, ahead=DAY_US)
        assert len(crm.got) == 1
        found = await hooks.show_endpoint(db, tenant.slug, made.endpoint.id)
        assert found.disabled_why == "gone"
        with pytest.raises(Conflict):
            await hooks.send_test(db, tenant.slug, made.endpoint.id, actor=BY)
        async with db.read(tenant.id) as connection:
            mails = (await connection.execute(select(t.outbox.c.kind, t.outbox.c.payload))).all()
        assert [(mail.payload["url"], mail.payload["why"]) for mail in mails if mail.kind == "webhook_disabled"] == [
            (crm.url, "gone")
        ]
        crm.answers = [OK]
        await hooks.switch_endpoint(db, tenant.slug, made.endpoint.id, enabled=True, actor=BY)
        await create_customer(db, vault, tenant_slug="aurora", email="k@x.example", name="K", actor=BY)
        await deliver_due(db, vault)
        assert len(crm.got) == 2


async def test_five_days_of_failures_switch_an_endpoint_off_and_a_success_begins_anew(db: Database) -> None:
    tenant, vault = await make_shop(db)
    async with receiver() as crm:
        made = await listen(db, vault, tenant.slug, crm.url)
        crm.answers = [status(500), OK, status(500)]
        for _ in range(2):
            await hooks.send_test(db, tenant.slug, made.endpoint.id, actor=BY)
            await deliver_due(db, vault)
        assert (await hooks.show_endpoint(db, tenant.slug, made.endpoint.id)).failing_since is None
        await deliver_due(db, vault, ahead=60 * SECOND_US)
        since = (await hooks.show_endpoint(db, tenant.slug, made.endpoint.id)).failing_since
        assert since is not None
        async with db.write(tenant.id) as connection:
            await connection.execute(update(t.hook_endpoint).values(failing_since=since - 5 * DAY_US))
        await deliver_due(db, vault, ahead=3600 * SECOND_US)
    assert (await hooks.show_endpoint(db, tenant.slug, made.endpoint.id)).disabled_why == "failing"


async def test_after_a_rotation_both_secrets_sign_for_a_day(db: Database) -> None:
    tenant, vault = await make_shop(db)
    async with receiver() as crm:
        made = await listen(db, vault, tenant.slug, crm.url)
        rotated = await hooks.rotate_hook_secret(db, vault, tenant.slug, made.endpoint.id, actor=BY)
        await hooks.send_test(db, tenant.slug, made.endpoint.id, actor=BY)
        await deliver_due(db, vault)
        for secret in (made.secret, rotated.secret):
            Webhook(secret).verify(crm.got[0].body, crm.got[0].headers)
        async with db.write(tenant.id) as connection:
            over = t.hook_endpoint.c.old_until - OVERLAP_US
            await connection.execute(update(t.hook_endpoint).values(old_until=over))
        await hooks.send_test(db, tenant.slug, made.endpoint.id, actor=BY)
        await deliver_due(db, vault)
    assert crm.got[1].headers["webhook-signature"].count("v1,") == 1
    Webhook(rotated.secret).verify(crm.got[1].body, crm.got[1].headers)
    async with db.read(EVERY_TENANT) as connection:
        rows = (await connection.execute(select(t.hook_endpoint))).all()
        audit = (await connection.execute(select(t.audit_log))).all()
    for text in (repr(rows), repr(audit), repr(made), repr(rotated), repr(rotated.endpoint)):
        assert made.secret[6:] not in text
        assert rotated.secret[6:] not in text


async def test_of_two_couriers_one_delivers_and_a_dead_ones_claim_runs_out(db: Database) -> None:
    tenant, vault = await make_shop(db)
    async with receiver() as crm:
        made = await listen(db, vault, tenant.slug, crm.url)
        for _ in range(3):
            await hooks.send_test(db, tenant.slug, made.endpoint.id, actor=BY)
        first, second = Courier(db, vault), Courier(db, vault)
        assert sum(await asyncio.gather(first.round(), second.round())) == 3
        await asyncio.gather(first.finish(), second.finish())
        assert len(crm.got) == len(set(crm.ids)) == 3
        await hooks.send_test(db, tenant.slug, made.endpoint.id, actor=BY)
        async with db.write(tenant.id) as connection:
            (lost,) = await operator_hooks.claim(
                connection, tenant.id, made.endpoint.id, "clm_dead", now=now_us(), limit=9
            )
        await deliver_due(db, vault)
        assert len(crm.got) == 3
        await deliver_due(db, vault, ahead=operator_hooks.CLAIM_US + SECOND_US)
    assert crm.ids[3] == lost.event_id


async def test_a_slow_receiver_holds_up_only_itself(db: Database) -> None:
    tenant, vault = await make_shop(db)
    other, _ = await make_shop(db, "borealis")
    gate = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.write(OK)
        await writer.drain()

    async with receiver() as stuck, receiver() as quick, receiver() as theirs:
        stuck.answers = [slow]
        ends = [await listen(db, vault, tenant.slug, one.url) for one in (stuck, quick)]
        theirs_end = await listen(db, vault, other.slug, theirs.url)
        for _ in range(12):
            await hooks.send_test(db, tenant.slug, ends[0].endpoint.id, actor=BY)
        await hooks.send_test(db, tenant.slug, ends[1].endpoint.id, actor=BY)
        await hooks.send_test(db, other.slug, theirs_end.endpoint.id, actor=BY)
        courier = Courier(db, vault)
        assert await courier.round() == 6
        await until(lambda: len(stuck.got) == 4 and len(quick.got) == 1 and len(theirs.got) == 1)
        assert await courier.round() == 0
        gate.set()
        await courier.finish()


async def test_a_thousand_events_and_nobody_who_listens(db: Database) -> None:
    tenant, vault = await make_shop(db)
    async with receiver() as gone:
        url = gone.url
    made = await listen(db, vault, tenant.slug, url)
    async with receiver() as crm:
        alive = await listen(db, vault, tenant.slug, crm.url, "wholesale.low")
        async with db.write(tenant.id) as connection:
            for number in range(1000):
                await events.tell(connection, tenant.id, "customer.created", {"customer": f"cus_{number}"})
        courier = Courier(db, vault)
        await courier.round()
        await hooks.send_test(db, tenant.slug, alive.endpoint.id, actor=BY)
        await courier.finish()
        await courier.round()
        await courier.finish()
        assert len(crm.got) == 1
    await hooks.switch_endpoint(db, tenant.slug, made.endpoint.id, enabled=False, actor=BY)
    async with db.read(tenant.id) as connection:
        waiting = await connection.scalar(select(func.count()).where(t.hook_delivery.c.state == "waiting"))
    assert waiting == 0


async def test_old_deliveries_go_after_thirty_days_and_an_endpoint_goes_with_its_log(db: Database) -> None:
    tenant, vault = await make_shop(db)
    async with receiver() as crm:
        made = await listen(db, vault, tenant.slug, crm.url)
        await hooks.send_test(db, tenant.slug, made.endpoint.id, actor=BY)
        await deliver_due(db, vault)
        assert await tidy(db) == 0
        assert await tidy(db, now_us() + KEPT_US + SECOND_US) == 1
        assert await sent(db, tenant, made) == []
        await hooks.send_test(db, tenant.slug, made.endpoint.id, actor=BY)
        await deliver_due(db, vault)
        await hooks.remove_endpoint(db, tenant.slug, made.endpoint.id, actor=BY)
    with pytest.raises(NotFound):
        await hooks.show_endpoint(db, tenant.slug, made.endpoint.id)
    async with db.read(EVERY_TENANT) as connection:
        for table in (t.hook_endpoint, t.hook_delivery, t.hook_attempt):
            assert await connection.scalar(select(func.count()).select_from(table)) == 0


async def test_anothers_endpoint_and_delivery_are_not_found(db: Database) -> None:
    tenant, vault = await make_shop(db)
    other, _ = await make_shop(db, "borealis")
    theirs = await listen(db, vault, other.slug, "https://crm.example/hook")
    mine = await listen(db, vault, tenant.slug, "https://crm.example/hook")
    made = await hooks.send_test(db, other.slug, theirs.endpoint.id, actor=BY)
    for endpoint_id in (theirs.endpoint.id, "whe_nothing", "nothing"):
        with pytest.raises(NotFound):
            await hooks.show_endpoint(db, tenant.slug, endpoint_id)
        with pytest.raises(NotFound):
            await hooks.remove_endpoint(db, tenant.slug, endpoint_id, actor=BY)
        with pytest.raises(NotFound):
            await hooks.redeliver(db, tenant.slug, endpoint_id, made.delivery.id, actor=BY)
    with pytest.raises(NotFound):
        await hooks.redeliver(db, tenant.slug, mine.endpoint.id, made.delivery.id, actor=BY)


@pytest.mark.parametrize(
    "terms",
    [
        EndpointTerms(),
        EndpointTerms(url=""),
        EndpointTerms(url="http://example.com/hook"),
        EndpointTerms(url="https://crm.example/hook", events=()),
        EndpointTerms(url="https://crm.example/hook", events=("order.paid", "order.eaten")),
        EndpointTerms(url="https://crm.example/hook", description="x" * 201),
        EndpointTerms(url="https://crm.example/hook", description="two\nlines"),
    ],
)
async def test_terms_that_make_no_sense_are_refused(db: Database, terms: EndpointTerms) -> None:
    tenant, vault = await make_shop(db)
    with pytest.raises(InvalidRequest):
        await hooks.create_endpoint(db, vault, tenant.slug, terms, actor=BY)


async def test_terms_are_changed_one_by_one_and_there_are_ten_endpoints_at_most(db: Database) -> None:
    tenant, vault = await make_shop(db)
    made = await listen(db, vault, tenant.slug, "https://crm.example/hook")
    terms = EndpointTerms(description="CRM", events=("order.paid", "customer.created"))
    changed = await hooks.change_endpoint(db, tenant.slug, made.endpoint.id, terms, actor=BY)
    assert (changed.url, changed.description, changed.events) == (
        "https://crm.example/hook",
        "CRM",
        ("order.paid", "customer.created"),
    )
    assert await hooks.show_endpoint(db, tenant.slug, made.endpoint.id) == changed
    for _ in range(hooks.MAX_ENDPOINTS - 1):
        await listen(db, vault, tenant.slug, "https://crm.example/hook")
    with pytest.raises(Conflict):
        await listen(db, vault, tenant.slug, "https://crm.example/hook")
