"""`ledger audit` finds every kind of corruption and nothing on a sound ledger; `usage explain` shows every line."""

from __future__ import annotations

import asyncio
import inspect
import re

import pytest
from sqlalchemy import select

from reseller_kit.core.errors import NotFound
from reseller_kit.core.ledger import Hold, call_txn_id
from reseller_kit.db import operator_audit, operator_calls
from reseller_kit.db import tables as t
from reseller_kit.db.engine import EVERY_TENANT, Database, now_us
from reseller_kit.db.ledger import LedgerWriter
from reseller_kit.db.operator_audit import Check
from reseller_kit.db.operator_calls import END, Span
from reseller_kit.db.operator_checks import checks
from reseller_kit.db.operator_checks_credit import credit_checks
from reseller_kit.db.operator_checks_orders import order_checks
from reseller_kit.db.operator_share_checks import share_checks
from reseller_kit.db.operator_span_checks import span_checks, unknown_payouts
from reseller_kit.flows import audit as audit_flow
from reseller_kit.flows import audit_calls, audit_findings
from reseller_kit.flows.audit import AuditReport, audit
from reseller_kit.flows.explain import explain
from scripts._lib.bootstrap import ROOT
from tests.support.corruption import codes, corrupt
from tests.support.ledger import Shop, deposit, grant, hold, make_shop, open_ledger, settle

pytestmark = pytest.mark.thorough


DONE, OPEN, VOIDED = "req_DONE", "req_OPEN", "req_VOIDED"


async def make_history(ledger: LedgerWriter, shop: Shop, suffix: str = "") -> None:
    """Credit, a captured call, an open one and one that was charged nothing."""
    await ledger.submit(grant(shop, 10_000))
    await ledger.submit(deposit(shop, 10_000))
    done, left, voided = (
        hold(shop, 900, 600, request_id=name + suffix, key_limit=9_000) for name in (DONE, OPEN, VOIDED)
    )
    for call in (done, left, voided):
        assert isinstance(await ledger.submit(call), Hold)
    await ledger.submit(settle(shop, done, {"input": 100, "output": 5}))
    await ledger.submit(settle(shop, voided, {}))


async def test_a_sound_ledger_has_no_findings(db: Database) -> None:
    shop, other = await make_shop(db), await make_shop(db, "borealis")
    async with open_ledger(db) as ledger:
        await make_history(ledger, shop)
        await make_history(ledger, other, "2")
        whole, part = await audit(db), await audit(db, tenant=shop.tenant_id)
    assert whole == AuditReport(ok=True, transactions=6, entries=20, open_holds=2, imbalance=0, findings=[])
    assert part == AuditReport(ok=True, transactions=3, entries=10, open_holds=1, imbalance=0, findings=[])


async def test_an_empty_database_is_sound(db: Database) -> None:
    assert await audit(db) == AuditReport(ok=True, transactions=0, entries=0, open_holds=0, imbalance=0, findings=[])


CORRUPTIONS = {
    "a lot that says it is used up": (
        "UPDATE lot SET used_up = NOT used_up WHERE wallet_id = {wallet_id}",
        "lot_used_up_differs",
    ),
    "an amount": (
        "UPDATE entry SET amount_nano = amount_nano - 1 WHERE txn_id = '{txn}' AND line = 0",
        "transaction_unbalanced ledger_unbalanced balance_differs_from_entries entries_differ_from_usage",
    ),
    "a whole transaction's amounts": (
        "UPDATE entry SET amount_nano = 2 * amount_nano WHERE txn_id = '{txn}'",
        "balance_differs_from_entries entries_differ_from_usage",
    ),
    "a lost transaction": ("DELETE FROM txn WHERE id = '{txn}'", "entry_without_transaction"),
    "lost entries": (
        "DELETE FROM entry WHERE txn_id = '{txn}'",
        "transaction_without_entries balance_differs_from_entries entries_differ_from_usage",
    ),
    "a balance": (
        "UPDATE account SET balance_nano = balance_nano + 1 WHERE id = {wallet_id}",
        "balance_differs_from_entries balance_differs_from_lots",
    ),
    "a reseller's balance": (
        "UPDATE account SET balance_nano = balance_nano + 1 WHERE id = {reseller_wallet}",
        "balance_differs_from_entries",
    ),
    "debt that was not netted": (
        "UPDATE account SET debt_nano = 5, balance_nano = balance_nano - 5 WHERE id = {wallet_id}",
        "debt_beside_free_credit balance_differs_from_entries",
    ),
    "a balance stored with a sink": (
        "UPDATE account SET balance_nano = 7 WHERE tenant_id = {tenant_id} AND kind = 'breakage'",
        "sink_with_stored_balance",
    ),
    "a customer's reserved amount": (
        "UPDATE account SET reserved_nano = reserved_nano + 1 WHERE id = {wallet_id}",
        "reserved_differs_from_holds reserved_differs_from_lots",
    ),
    "a reseller's reserved amount": (
        "UPDATE account SET reserved_nano = reserved_nano - 1 WHERE id = {reseller_wallet}",
        "reserved_differs_from_holds",
    ),
    "a key's reserved amount": (
        "UPDATE key_window SET reserved_nano = 0 WHERE key_id = '{key_id}'",
        "window_reserved_differs",
    ),
    "a key's spent amount": ("UPDATE key_window SET spent_nano = 0 WHERE key_id = '{key_id}'", "window_spent_differs"),
    "a lot's reserved amount": (
        "UPDATE lot SET reserved_nano = 0 WHERE wallet_id = {wallet_id}",
        "reserved_differs_from_lots lot_reserved_differs",
    ),
    "a hold's parts": (
        "UPDATE hold SET allocations = '[]' WHERE request_id = '{open}'",
        "hold_parts_differ lot_reserved_differs",
    ),
    "a hold's parts that can't be read": (
        "UPDATE hold SET allocations = 'lot' WHERE request_id = '{open}'",
        "hold_parts_differ lot_reserved_differs",
    ),
    "a hold's parts on a lot that does not exist": (
        """UPDATE hold SET allocations = '[["lot_none", 900]]' WHERE request_id = '{open}'""",
        "lot_reserved_differs",
    ),
    "a hold that was lost": (
        "DELETE FROM hold WHERE request_id = '{open}'",
        "reserved_differs_from_holds window_reserved_differs lot_reserved_differs",
    ),
    "more reserved than remains": (
        "UPDATE lot SET reserved_nano = remaining_nano + 1 WHERE wallet_id = {wallet_id}",
        "lot_out_of_bounds reserved_differs_from_lots lot_reserved_differs",
    ),
    "less than nothing reserved": (
        "UPDATE lot SET reserved_nano = -1 WHERE wallet_id = {wallet_id}",
        "lot_out_of_bounds reserved_differs_from_lots lot_reserved_differs",
    ),
    "a lot that grew": (
        "UPDATE lot SET consumed_nano = consumed_nano + 1 WHERE wallet_id = {wallet_id}",
        "lot_parts_differ",
    ),
    "a lot with a negative part": (
        "UPDATE lot SET consumed_nano = consumed_nano + 1, expired_nano = -1 WHERE wallet_id = {wallet_id}",
        "lot_parts_differ",
    ),
    "a charge": (
        "UPDATE usage_record SET wholesale_nano = wholesale_nano + 1 WHERE id = '{done}'",
        "charge_differs entries_differ_from_usage",
    ),
    "a call's usage": (
        """UPDATE usage_record SET quantities = '{{"input": 1}}' WHERE id = '{done}'""",
        "charge_differs",
    ),
    "a published price": (
        """UPDATE price_version SET prices = '{{"prices": {{"input": 9, "output": 9}}}}' WHERE id = '{retail}'""",
        "charge_differs",
    ),
    "a price version that was lost": (
        "DELETE FROM price_version WHERE id = '{wholesale}'",
        "charge_not_recomputable",
    ),
    "a price of another level": (
        "UPDATE usage_record SET retail_version = wholesale_version WHERE id = '{done}'",
        "charge_not_recomputable",
    ),
    "a price of another storefront": (
        "UPDATE price_version SET tenant_id = {foreign_tenant_id} WHERE id = '{retail}'",
        "charge_not_recomputable",
    ),
    "usage that has no price": (
        """UPDATE usage_record SET quantities = '{{"seconds": 1}}' WHERE id = '{done}'""",
        "charge_not_recomputable",
    ),
    "usage that is no usage": (
        """UPDATE usage_record SET quantities = '{{"input": -1}}' WHERE id = '{done}'""",
        "charge_not_recomputable",
    ),
    "usage that is no JSON": (
        "UPDATE usage_record SET quantities = 'input' WHERE id = '{done}'",
        "charge_not_recomputable",
    ),
    "a retail charge below wholesale": (
        "UPDATE usage_record SET retail_nano = wholesale_nano - 1 WHERE id = '{done}'",
        "levels_out_of_order charge_differs entries_differ_from_usage window_spent_differs",
    ),
    "a usage record without a hold": (
        "DELETE FROM hold WHERE request_id = '{done}'",
        "usage_without_hold window_spent_differs",
    ),
    "a hold without a usage record": (
        "DELETE FROM usage_record WHERE id = '{done}'",
        "hold_without_usage window_spent_differs",
    ),
    "a hold that opened again": (
        "UPDATE hold SET state = 'open' WHERE request_id = '{voided}'",
        "usage_of_open_hold reserved_differs_from_holds window_reserved_differs lot_reserved_differs",
    ),
    "a captured hold of a call for nothing": (
        "UPDATE hold SET state = 'captured' WHERE request_id = '{voided}'",
        "hold_state_differs",
    ),
    "a voided hold of a charged call": (
        "UPDATE hold SET state = 'voided' WHERE request_id = '{done}'",
        "hold_state_differs window_spent_differs",
    ),
    "a charge to another customer": (
        "UPDATE usage_record SET customer_id = '{foreign_customer_id}' WHERE id = '{done}'",
        "usage_of_other_party entries_differ_from_usage",
    ),
    "an entry on another storefront's account": (
        "UPDATE entry SET account_id = {foreign_wallet_id} WHERE txn_id = '{txn}' AND line = 0",
        "foreign_account balance_differs_from_entries entries_differ_from_usage",
    ),
    "a hold on another customer's wallet": (
        "UPDATE hold SET wallet_id = {foreign_wallet_id} WHERE request_id = '{done}'",
        "foreign_account",
    ),
    "a hold on another storefront's wholesale": (
        "UPDATE hold SET reseller_wallet_id = {foreign_reseller_wallet} WHERE request_id = '{done}'",
        "foreign_account",
    ),
    "a transaction of another storefront": (
        "UPDATE txn SET tenant_id = {foreign_tenant_id} WHERE id = '{txn}'",
        "foreign_entry",
    ),
    "a lot of another storefront": (
        "UPDATE lot SET tenant_id = {foreign_tenant_id} WHERE wallet_id = {wallet_id}",
        "foreign_lot",
    ),
    "cash that accrued from a gift": (
        "UPDATE lot SET accrued_nano = 1 WHERE wallet_id = {wallet_id}",
        "accrued_beyond_cash share_differs_from_lots share_differs",
    ),
    "cash that accrued too early": (
        "UPDATE lot SET cash_nano = 1000, accrued_nano = 1000 WHERE wallet_id = {wallet_id}",
        "accrued_differs share_differs_from_lots share_differs",
    ),
    "a revenue share": (
        "UPDATE account SET balance_nano = 5 WHERE tenant_id = {tenant_id} AND kind = 'reseller_accrual'",
        "balance_differs_from_entries share_differs",
    ),
    "a payout that was never posted": (
        (
            "INSERT INTO payout (id, tenant_id, amount_nano, state, requested_at)"
            " VALUES ('payout_{tenant_id}', {tenant_id}, 5, 'approved', 1)"
        ),
        "payout_differs",
    ),
    "a payout that nobody asked for": (
        "UPDATE txn SET code = 'payout' WHERE tenant_id = {tenant_id} AND code = 'deposit'",
        "payout_unknown",
    ),
    "a key's period of another storefront": (
        "UPDATE key_window SET tenant_id = {foreign_tenant_id} WHERE key_id = '{key_id}'",
        "foreign_key_window",
    ),
}


SEEN_ONLY_AMONG_ALL = {"foreign_lot", "foreign_key_window", "foreign_entry"}
"""Rows that name another tenant are that tenant's."""


async def test_each_corruption_is_found(db: Database) -> None:
    found, foreign = {}, await make_shop(db, "foreign")
    async with open_ledger(db) as ledger:
        known: set[tuple[str, str]] = set()
        for number, (what, (statement, _)) in enumerate(CORRUPTIONS.items()):
            shop = await make_shop(db, f"shop{number}")
            await make_history(ledger, shop, str(number))
            names = {name: getattr(shop, name) for name in Shop.__dataclass_fields__}
            names |= {f"foreign_{name}": getattr(foreign, name) for name in Shop.__dataclass_fields__}
            names |= {"done": f"{DONE}{number}", "voided": f"{VOIDED}{number}", "open": f"{OPEN}{number}"}
            names["txn"] = call_txn_id(f"{DONE}{number}")
            await corrupt(db, statement.format(**names))
            report = await audit(db)
            new = {(finding["code"], finding["ref"]) for finding in report.findings} - known
            known |= new
            found[what] = {code for code, _ in new}
            assert all(finding["invariant"] and finding["message"] for finding in report.findings)
            # With nothing else amiss in what is read together, it is found as well.
            alone = codes(await audit(db, tenant=shop.tenant_id))
            assert alone - {"ledger_unbalanced"} >= found[what] - SEEN_ONLY_AMONG_ALL - {"ledger_unbalanced"}, what
    assert found == {what: set(expected.split()) for what, (_, expected) in CORRUPTIONS.items()}


async def test_holds_of_dead_processes_are_found(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await make_history(ledger, shop)
        for statement, undone in (
            ("UPDATE lease SET epoch = epoch + 1", "UPDATE lease SET epoch = epoch - 1"),
            ("UPDATE lease SET renewed_at = 1", f"UPDATE lease SET renewed_at = {now_us() + 10**9}"),
            ("DELETE FROM lease", ""),
        ):
            await corrupt(db, statement)
            assert [(found["code"], found["ref"]) for found in (await audit(db)).findings] == [
                ("hold_of_dead_owner", OPEN)
            ]
            if undone:
                await corrupt(db, undone)
                assert (await audit(db)).ok


async def test_a_lease_is_alive_for_three_seconds(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await make_history(ledger, shop)
        for age, ok in ((2_000_000, True), (3_100_000, False)):
            await corrupt(db, f"UPDATE lease SET renewed_at = {now_us() - age}")
            assert (await audit(db)).ok == ok


def test_every_code_of_the_audit_has_a_corruption_that_shows_it() -> None:
    shown = {code for _, expected in CORRUPTIONS.values() for code in expected.split()}
    # Each shown by a corruption in the tests of its own concept.
    elsewhere = {code for code, *_ in [*credit_checks(None), *order_checks(None)]} | {
        check.code for check in share_checks(None)
    }
    elsewhere |= {"hold_of_dead_owner", "accrued_differs", "rollup_differs_from_records", "rollup_differs_within"}
    elsewhere |= {"rollup_totals_differ", "rollup_differs_from_totals", "refund_hold_malformed", "hold_of_unknown_kind"}
    assert own_codes() | codes_of_checks() <= shown | elsewhere


def test_every_code_of_the_audit_is_explained_in_the_docs_under_its_invariant() -> None:
    table = re.findall(r"^\| `(\w+)` \| (\d+) \|", (ROOT / "docs" / "proof.md").read_text(), re.MULTILINE)
    described = {(code, int(invariant)) for code, invariant in table}
    assert own_findings() | {(check.code, check.invariant) for check in every_check()} <= described


def own_codes() -> set[str]:
    """The codes of what the audit judges in Python."""
    return {code for code, _ in own_findings()}


def own_findings() -> set[tuple[str, int]]:
    """Code and invariant of what the audit judges in Python."""
    sources = inspect.getsource(audit_flow) + inspect.getsource(audit_calls)
    return {(code, int(invariant)) for code, invariant in re.findall(r'found\.add\(\s*"(\w+)",\s*(\d+)', sources)}


def codes_of_checks() -> set[str]:
    """The codes of what the audit has the database judge."""
    return {check.code for check in every_check()}


def every_check() -> list[Check]:
    """What the audit has the database judge."""
    span = Span(after="", until=END, txn_after="", txn_until=END)
    return [*checks(None, now=0, lease_us=0), *span_checks(None, span), unknown_payouts(None, span)]


async def test_holds_and_lots_are_checked_to_the_last(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_audit, "_CHUNK", 3)
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        for _ in range(7):
            await ledger.submit(grant(shop, 10))
        placed = [hold(shop, 10) for _ in range(7)]
        for call in placed:
            assert isinstance(await ledger.submit(call), Hold)
        assert (await audit(db)).ok
        lost = [placed[index].request.request_id for index in (0, 3, 6)]
        await corrupt(db, f"UPDATE hold SET allocations = '[]' WHERE request_id IN {tuple(lost)}")
        found = (await audit(db)).findings
    assert [finding["ref"] for finding in found if finding["code"] == "hold_parts_differ"] == lost
    assert sum(finding["code"] == "lot_reserved_differs" for finding in found) == 3


async def test_the_audit_of_one_storefront_leaves_the_others_out(db: Database) -> None:
    shop, other = await make_shop(db), await make_shop(db, "borealis")
    async with open_ledger(db) as ledger:
        await make_history(ledger, shop)
        await make_history(ledger, other, "2")
        await corrupt(
            db,
            f"UPDATE account SET balance_nano = 1 WHERE id = {other.wallet_id}",
            "UPDATE usage_record SET retail_nano = 1 WHERE id = 'req_DONE2'",
            f"UPDATE lot SET reserved_nano = 1 WHERE wallet_id = {other.wallet_id}",
        )
        assert (await audit(db, tenant=shop.tenant_id)).ok
        assert codes(await audit(db, tenant=other.tenant_id)) == codes(await audit(db))
        assert not (await audit(db)).ok


async def test_findings_name_what_is_wrong(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await make_history(ledger, shop)
        await corrupt(db, "UPDATE usage_record SET retail_nano = 359 WHERE id = 'req_DONE'")
        report = await audit(db)
    assert {
        "code": "charge_differs",
        "invariant": 6,
        "ref": DONE,
        "message": "Its retail is 0.000000359, recomputed it is 0.00000036.",
    } in report.findings


async def test_a_flood_of_findings_is_cut(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_findings, "MAX_FINDINGS_PER_CHECK", 3)
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10_000))
        await asyncio.gather(*(ledger.submit(hold(shop, 1)) for _ in range(9)))
    await corrupt(db, "DELETE FROM lease")
    findings = (await audit(db)).findings
    assert [bool(finding["ref"]) for finding in findings] == [True, True, True, False]
    assert {finding["code"] for finding in findings} == {"hold_of_dead_owner"}


async def test_usage_is_recomputed_to_the_last_record(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_calls, "CALLS_AT_ONCE", 4)
    monkeypatch.setattr(audit_calls, "_MAX_VERSIONS", 2)
    shop = await make_shop(db)
    calls = [hold(shop, 30) for _ in range(12)]
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10_000))
        await asyncio.gather(*(ledger.submit(call) for call in calls))
        await asyncio.gather(*(ledger.submit(settle(shop, call, {"input": 7})) for call in calls))
        assert (await audit(db)).ok
        last = max(call.request.request_id for call in calls)
        await corrupt(db, f"UPDATE usage_record SET cost_nano = 0 WHERE id = '{last}'")
        report = await audit(db)
    assert {finding["ref"] for finding in report.findings} == {last}


@pytest.mark.parametrize("at_once", [1, 3, 1000])
async def test_entries_are_summed_to_the_last_one(db: Database, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(operator_calls, "ENTRIES_AT_ONCE", at_once)
    monkeypatch.setattr(operator_calls, "CALLS_AT_ONCE", at_once)
    monkeypatch.setattr(operator_audit, "_CHUNK", 2)
    shop, other = await make_shop(db), await make_shop(db, "borealis")
    async with open_ledger(db) as ledger:
        await make_history(ledger, shop)
        await make_history(ledger, other, "2")
        assert (await audit(db)).ok
        await corrupt(db, f"UPDATE account SET balance_nano = balance_nano + 1 WHERE id = {other.reseller_wallet}")
        report = await audit(db)
        assert [(found["code"], found["ref"]) for found in report.findings] == [
            ("balance_differs_from_entries", str(other.reseller_wallet))
        ]
        assert (await audit(db, tenant=shop.tenant_id)).ok


async def test_calls_at_rest_are_proven_by_counts_alone(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else there is between them; looking at each row is for spans where something is amiss or under way."""
    monkeypatch.setattr(operator_calls, "CALLS_AT_ONCE", 3)
    shop = await make_shop(db)
    calls = [hold(shop, 900, 600, key_limit=9_000) for _ in range(8)]
    async with open_ledger(db) as ledger:
        await ledger.submit(deposit(shop, 100_000))
        for number, call in enumerate(calls):
            await ledger.submit(grant(shop, 10_000))
            await ledger.submit(call)
            settled = settle(shop, call, {"input": 100, "output": number} if number % 3 else {})
            await ledger.submit(settled)

        def unwanted(*_: object) -> None:
            raise AssertionError("a span was looked at row by row")

        monkeypatch.setattr(audit_calls, "span_checks", unwanted)
        assert (await audit(db)).ok
        assert (await audit(db, tenant=shop.tenant_id)).ok
        await corrupt(db, f"DELETE FROM entry WHERE txn_id = '{call_txn_id(calls[4].request.request_id)}' AND line = 1")
        with pytest.raises(AssertionError, match="row by row"):
            await audit(db)


async def test_calls_in_flight_are_no_findings(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await ledger.submit(grant(shop, 10_000_000))
        await ledger.submit(deposit(shop, 10_000_000))
        stop = asyncio.Event()

        async def calls() -> int:
            made = 0
            while not stop.is_set():
                call = hold(shop, 900, 600, key_limit=10**9)
                await ledger.submit(call)
                await asyncio.sleep(0.001)
                await ledger.submit(settle(shop, call, {"input": made % 200}))
                made += 1
            return made

        running = [asyncio.create_task(calls()) for _ in range(8)]
        for _ in range(5):
            assert (await audit(db)).findings == []
        stop.set()
        assert sum(await asyncio.gather(*running)) > 0


async def test_explain_shows_every_line_at_every_level(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await make_history(ledger, shop)
    shown = await explain(db, DONE)
    assert [
        (line["level"], line["class"], line["quantity"], line["price"], line["amount"]) for line in shown["lines"]
    ] == [
        ("retail", "input", 100, "0.003", "0.0000003"),
        ("retail", "output", 5, "0.012", "0.00000006"),
        ("wholesale", "input", 100, "0.002", "0.0000002"),
        ("wholesale", "output", 5, "0.008", "0.00000004"),
        ("cost", "input", 100, "0.001", "0.0000001"),
        ("cost", "output", 5, "0.004", "0.00000002"),
    ]
    assert {line["price_version"] for line in shown["lines"]} == {shop.retail, shop.wholesale, shop.cost}
    assert shown["totals"]["retail"] == {
        "price_version": shop.retail,
        "price_of": "gpt-test",
        "group": None,
        "effective_from": "1970-01-01T00:00:00.000000Z",
        "above_input": 0,
        "sum": "0.00000036",
        "amount": "0.00000036",
        "stored": "0.00000036",
        "matches": True,
        "fault": None,
    }
    assert (shown["retail"], shown["wholesale"], shown["cost"], shown["matches"]) == (
        "0.00000036",
        "0.00000024",
        "0.00000012",
        True,
    )


async def test_explain_rounds_up_once_and_uses_the_tier_of_the_call(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await make_history(ledger, shop)
    tiered = (
        """{"prices": {"input": 1, "output": 1}, "tiers": [{"above_input": 99, "prices": {"input": 3, "output": 7}}]}"""
    )
    await corrupt(db, f"UPDATE price_version SET prices = '{tiered}' WHERE id = '{shop.retail}'")
    shown = await explain(db, DONE)
    total = shown["totals"]["retail"]
    assert (total["above_input"], total["sum"], total["amount"]) == (99, "0.000000000335", "0.000000001")
    assert (total["matches"], shown["matches"]) == (False, False)


async def test_explain_of_a_call_that_cost_nothing_has_no_lines(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await make_history(ledger, shop)
    await corrupt(db, "UPDATE usage_record SET upstream = NULL, cost_version = NULL WHERE id = 'req_VOIDED'")
    shown = await explain(db, VOIDED)
    assert (shown["lines"], shown["matches"], shown["totals"]["cost"]["price_version"]) == ([], True, None)
    assert (await audit(db)).ok


async def test_explain_knows_no_foreign_record(db: Database) -> None:
    shop, other = await make_shop(db), await make_shop(db, "borealis")
    async with open_ledger(db) as ledger:
        await make_history(ledger, shop)
    assert (await explain(db, DONE, tenant_id=shop.tenant_id))["id"] == DONE
    for usage_id, tenant_id in ((DONE, other.tenant_id), ("req_NONE", None)):
        with pytest.raises(NotFound):
            await explain(db, usage_id, tenant_id=tenant_id)


async def test_a_calls_transaction_is_found_by_its_request(db: Database) -> None:
    shop = await make_shop(db)
    async with open_ledger(db) as ledger:
        await make_history(ledger, shop)
    async with db.read(EVERY_TENANT) as connection:
        row = (await connection.execute(select(t.txn.c.ref).where(t.txn.c.id == call_txn_id(DONE)))).one()
    assert row.ref == DONE
