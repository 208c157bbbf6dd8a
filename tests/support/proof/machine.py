"""The stateful machine: any order of operations and faults on the real ledger, and after each what must be true."""

from __future__ import annotations

from tests.support.proof import actions as act
from tests.support.proof.return_rules import Payouts, Refunds, Reversals, Vouchers
from tests.support.proof.rules import Deliveries, Wholesale


class LedgerMachine(Wholesale, Vouchers, Reversals, Refunds, Payouts, Deliveries):
    """The real ledger beside the second one. Set `world` on a subclass."""

    def teardown(self) -> None:
        """At rest no hold is open, and the books of everyone are right."""
        if self.under_way:
            return
        held = {call.name: (call, hold) for call in self.calls if (hold := self.hold_of(call)) is not None}
        rest = [
            act.End(call.shop, call, {}, self.now, hold.owner) for call, hold in held.values() if hold.state == "open"
        ]
        refused = [self.answer(shop, hold, None) for shop, hold in self.asked_refunds() if hold.state == "open"]
        swept = [act.Expire(shop, self.now, self.share_of(shop)) for shop in self.shops]
        self.queue = [*rest, *refused, *swept]
        self.deliver(0)
        report = self.world.audit()
        assert (report.findings, report.open_holds) == ([], 0)
