"""The small plant with its reports on the record and its income pulled: what an investor report is made from."""

from __future__ import annotations

from small_plant import DAYS, Plant

from penstock.capital.measure import DEFINITION
from penstock.journal.fact import Entry
from penstock.journal.kinds.capital import ReportAttested
from penstock.period import SECOND_US
from penstock.usecases.close import pull
from penstock.usecases.enrol import open_accounts
from penstock.usecases.originate import paid_to, recompile
from penstock.usecases.sequencer import Receipt
from penstock.usecases.withdraw import tranche_account

ATTESTERS = (b"\x01" * 20, b"\x02" * 20)


class ReportPlant(Plant):
    """Each close is preceded by the report that it reads; afterwards A takes its income over for its holders."""

    def closed(self, day: int) -> Receipt:
        report, at_us = self.world.capital.report("first", day), DAYS[day].stop_us
        attested = ReportAttested(
            "first", day, report.as_of_s * SECOND_US, report.measures, DEFINITION, 1, bytes(32), 2, ATTESTERS
        )
        self.do(f"report:{day}", lambda _: [Entry(attested)], at_us)
        receipt = super().closed(day)
        target = tranche_account("first", "A")
        if not day:
            self.do("tranche", lambda _: open_accounts([target]), at_us)
        _, program = recompile(self.world.capital.deal("first").originated)
        amount = self.balance(paid_to("first", "A"))
        self.do(f"pull:{day}", lambda world: pull(world, "first", "A", program, day, target, amount, 7), at_us)
        return receipt
