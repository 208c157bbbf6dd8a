"""What came of a scenario, and whether it had to: callers, journals, records and balances compared. Runs nothing.

Charges are recomputed from the upstream's journal by `scripts/_lib/demo/oracle.py`, which shares no code with the
product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

from msgspec import Struct

from scripts._lib.demo.oracle import Amounts, Oracle, Usage
from tests.lab.house import CREDIT, SLUG, full_name, upstream_model
from tests.lab.journal import Attempt
from tests.lab.load import Outcome
from tests.lab.runner import Run

NOTHING: Final = Amounts(Fraction(0), Fraction(0), Fraction(0))
_SHOWN: Final = 3


class Verdict(Struct, frozen=True, kw_only=True):
    """A line of the table. `asked`: requests that upstreams got; `attempts`: those that the records count.

    `charged` and `expected`: USD at retail, the second by the journal; `by_rule`: calls among them that broke off, of
    whose charge only the output can be told. `recovery`: seconds until an upstream served again. `faults`: what failed.
    """

    name: str
    calls: int
    good: int
    client_errors: int
    left: int
    refused: int
    asked: int
    attempts: int
    charged: str
    expected: str
    by_rule: int
    first_byte_p50: float | None
    first_byte_p99: float | None
    recovery: float | None
    seconds: float
    faults: list[str]

    @property
    def ok(self) -> bool:
        """Whether everything was as it had to be."""
        return not self.faults


def judge(run: Run, oracle: Oracle) -> Verdict:
    """Compare all witnesses."""
    outcomes = run.calls.outcomes
    errors = [outcome for outcome in outcomes if not (outcome.good or outcome.left or _turned_away(run, outcome))]
    charged, expected, by_rule, faults = _books(run, oracle)
    waits = sorted(o.first_byte - o.began for o in outcomes if o.first_byte is not None and o.status == 200)
    recovery = _recovery(run)
    asked = sum(map(len, run.attempts.values()))
    verdict = Verdict(
        name=run.scenario.name,
        calls=len(outcomes),
        good=sum(outcome.good for outcome in outcomes),
        client_errors=len(errors),
        left=sum(outcome.left for outcome in outcomes),
        refused=sum(_turned_away(run, outcome) for outcome in outcomes),
        asked=asked,
        attempts=sum(record["attempts"] for record in run.records),
        charged=_usd(charged),
        expected=_usd(expected),
        by_rule=by_rule,
        first_byte_p50=_quantile(waits, 0.5),
        first_byte_p99=_quantile(waits, 0.99),
        recovery=recovery,
        seconds=round(run.calls.ended - run.calls.began, 2),
        faults=[],
    )
    faults += _broken_expectations(run, verdict, errors)
    verdict.faults.extend(faults)
    return verdict


def _turned_away(run: Run, outcome: Outcome) -> bool:
    """A server that ends refuses new calls, in one way or the other: those are no errors.

    What waits to be accepted when it stops to listen is reset by the system; such a call never began.
    """
    ends = [run.calls.began + harm.at for harm in run.scenario.harm if harm.do == "terminate"]
    began_after = any(outcome.ended >= at for at in ends)
    return bool(ends) and (outcome.refused or outcome.status == 503 or (outcome.broken and began_after))


def _books(run: Run, oracle: Oracle) -> tuple[Fraction, Fraction, int, list[str]]:
    """Retail as charged and as it has to be by the journal, calls charged within bounds, and what does not fit."""
    faults: list[str] = []
    by_call: dict[str, list[Attempt]] = {}
    for attempts in run.attempts.values():
        for attempt in attempts:
            by_call.setdefault(attempt.call, []).append(attempt)
    charged = expected = Fraction(0)
    by_rule = 0
    for record in run.records:
        amounts = _amounts(record)
        charged += amounts.retail
        due, fault = _due(run, record, by_call.get(record["id"], []), oracle)
        by_rule += record["status"] == "cut"
        expected += due.retail
        if fault or amounts != due:
            faults.append(f"{record['id']}: {fault or f'charged {amounts}, due {due}'}")
    faults += _unrecorded(run)
    if Fraction(CREDIT) - Fraction(run.balance["balance"]) != charged:
        faults.append(f"the balance fell by other than the {_usd(charged)} of the records")
    if run.balance["held"] != "0.00":
        faults.append(f"{run.balance['held']} is still held")
    if not run.audit["ok"]:
        faults.append(f"the audit found {run.audit['findings'][:_SHOWN]}")
    return charged, expected, by_rule, _few(faults)


def _due(run: Run, record: Mapping[str, Any], attempts: list[Attempt], oracle: Oracle) -> tuple[Amounts, str]:
    """What a call has to be charged by the journal, and what is wrong with its record beside the amount."""
    if record["status"] in {"failed", "refused"}:
        return NOTHING, ""
    names = {full_name(run.scenario, name): name for name in run.scenario.upstreams}
    served = [attempt for attempt in attempts if attempt.upstream == record["upstream"]]
    if not served or record["upstream"] not in names:
        return NOTHING, "charged for what no upstream was asked"
    if record["status"] == "ok":
        good = [attempt for attempt in attempts if attempt.good]
        if len(good) != 1 or good[0].upstream != record["upstream"]:
            return NOTHING, f"{len(good)} good answers upstream"
        return _priced(record, good[0].classes, oracle), ""
    stated = {name: record[f"{name}_tokens"] for name in ("input", "cached_input", "output")}
    sent = max(attempt.sent_deltas for attempt in served)
    # Of an orderly close everything arrives. Of a reset, and where a client left, a part.
    least = sent if all(attempt.end == "close" for attempt in served) else min(1, sent)
    if not least <= stated["output"] <= sent:
        return _priced(record, stated, oracle), f"cut after {sent} deltas, charged for {stated['output']}"
    return _priced(record, stated, oracle), ""


def _priced(record: Mapping[str, Any], classes: Mapping[str, Any], oracle: Oracle) -> Amounts:
    usage = Usage(*(int(classes.get(name, 0)) for name in ("input", "cached_input", "output")))
    upstream = record["upstream"]
    return oracle.amounts(SLUG, record["public_model"], upstream, upstream_model(upstream), usage)


def _unrecorded(run: Run) -> Iterator[str]:
    """Calls whose record is not what their callers saw."""
    records = {record["id"]: record for record in run.records}
    for outcome in run.calls.outcomes:
        record = records.get(outcome.request_id)
        if outcome.good and (record is None or record["status"] != "ok"):
            yield f"call {outcome.n} was answered well; its record: {record and record['status']}"
        if outcome.status >= 400 and record is not None and Fraction(record["retail"]):
            yield f"call {outcome.n} got {outcome.status} and was charged {record['retail']}"
        if outcome.looks_whole and outcome.failed_in_band:
            yield f"call {outcome.n} was told of an error and of a good end"
    answered = {outcome.request_id for outcome in run.calls.outcomes}
    unheard = sum(record["id"] not in answered and Fraction(record["retail"]) > 0 for record in run.records)
    silent = sum(not outcome.request_id for outcome in run.calls.outcomes)
    if unheard > sum(outcome.left for outcome in run.calls.outcomes if not outcome.request_id):
        yield f"{unheard} calls were charged of which no caller heard; {silent} callers heard nothing"


def _broken_expectations(run: Run, verdict: Verdict, errors: list[Outcome]) -> Iterator[str]:
    expect = run.scenario.expect
    most = expect.client_errors_at_most
    if most is not None and verdict.client_errors > most:
        yield f"{verdict.client_errors} client errors, {most} at most: {_described(errors)}"
    if most is None and verdict.client_errors != round(expect.client_errors * verdict.calls):
        yield f"{verdict.client_errors} client errors, {expect.client_errors:.0%} expected: {_described(errors)}"
    if expect.attempts_at_most is not None:
        allowed = expect.attempts_at_most * verdict.calls
        if max(verdict.asked, verdict.attempts) > allowed:
            yield f"{verdict.asked} requests upstream ({verdict.attempts} counted), {allowed:g} at most"
    if expect.charged_nothing and Fraction(verdict.charged):
        yield f"{verdict.charged} was charged, nothing expected"
    if expect.recovery_at_most is not None and (verdict.recovery is None or verdict.recovery > expect.recovery_at_most):
        yield f"recovery after {verdict.recovery} s, {expect.recovery_at_most:g} s at most"
    median = verdict.first_byte_p50
    if expect.first_byte_p50_at_most is not None and (median is None or median > expect.first_byte_p50_at_most):
        yield f"median first byte after {median} s, {expect.first_byte_p50_at_most:g} s at most"
    yield from _broken_answers(run, errors)
    yield from _broken_shares(run)


def _broken_answers(run: Run, errors: list[Outcome]) -> Iterator[str]:
    expect = run.scenario.expect
    refused = [outcome for outcome in errors if outcome.status >= 400]
    if expect.status is not None:
        wrong = [o for o in errors if o.status != expect.status]
        if wrong:
            yield f"{len(wrong)} errors other than {expect.status}: {_described(wrong)}"
    if expect.should_retry is not None:
        wrong = [o for o in refused if o.header("x-should-retry") != expect.should_retry]
        if wrong:
            yield f"{len(wrong)} refusals without x-should-retry: {expect.should_retry}"
    if expect.errors_in_band:
        in_band = sum(outcome.failed_in_band for outcome in run.calls.outcomes)
        cut = sum(record["status"] == "cut" for record in run.records)
        if not in_band == cut == len(errors):
            yield f"of {len(errors)} errors {in_band} came in a stream, and {cut} were recorded as cut"
    if any(harm.do == "terminate" for harm in run.scenario.harm) and run.exit_code != 0:
        yield f"the server ended with {run.exit_code}"


def _broken_shares(run: Run) -> Iterator[str]:
    expect = run.scenario.expect
    for name, most in expect.asked_at_most.items():
        asked = len(run.attempts[name])
        if asked > most:
            yield f"{name} was asked {asked} times, {most} at most"
    for place, most in expect.asked_key_at_most.items():
        name, _, key = place.partition("#")
        asked = sum(attempt.key == int(key) for attempt in run.attempts[name])
        if asked > most:
            yield f"key {key} of {name} was used {asked} times, {most} at most"
    served = {name: sum(attempt.good for attempt in attempts) for name, attempts in run.attempts.items()}
    for name, share in expect.serves_at_least.items():
        if served[name] < share * sum(served.values()):
            yield f"{name} gave {served[name]} of {sum(served.values())} good answers, {share:.0%} at least"


def _recovery(run: Run) -> float | None:
    """The longest time from the end of a fault until its upstream answered well again; None without such a fault."""
    times: list[float] = []
    for name, route in run.scenario.upstreams.items():
        good = sorted(attempt.ended_at for attempt in run.attempts[name] if attempt.good)
        for end in (run.began + rule.until for rule in route.rules if rule.until < run.calls.ended - run.began):
            later = [at - end for at in good if at >= end]
            times.append(later[0] if later else float("inf"))
    return round(max(times), 2) if times else None


def _amounts(record: Mapping[str, Any]) -> Amounts:
    return Amounts(*(Fraction(record[level]) for level in ("retail", "wholesale", "cost")))


def _described(outcomes: list[Outcome]) -> str:
    """The first few, for whoever looks into it."""
    return "; ".join(
        f"call {o.n} {o.api}{' stream' if o.stream else ''}: "
        + ("refused" if o.refused else "broken" if o.broken else f"{o.status} {o.body[-160:]!r}")
        for o in outcomes[:_SHOWN]
    )


def _few(faults: list[str]) -> list[str]:
    return faults if len(faults) <= _SHOWN else [*faults[:_SHOWN], f"… and {len(faults) - _SHOWN} more"]


def _quantile(ordered: list[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 4) if ordered else None


def _usd(amount: Fraction) -> str:
    nano = int(amount * 10**9)
    return f"{nano // 10**9}.{nano % 10**9:09d}"
