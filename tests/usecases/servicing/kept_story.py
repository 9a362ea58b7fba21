"""The serviced deal on a real workspace, month by month: payments, tapes, attested reports and closes on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from servicing_kit import DEAL, START_US, TEXT, Story, month

from penstock.capital.exact import close_period
from penstock.capital.measure import DEFINITION
from penstock.journal.fact import Entry
from penstock.journal.kinds.capital import PeriodClosed, ReportAttested
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.kinds.servicing import MarkSet
from penstock.period import DAY_US, SECOND_US
from penstock.usecases.close import close
from penstock.usecases.originate import account_of, originate, paid_to, recompile
from penstock.usecases.servicing.mark import mark
from penstock.usecases.workspace import Workspace

ATTESTERS = (b"\x01" * 20, b"\x02" * 20)


class KeptStory(Story):
    """A story whose facts are on record; ``close`` needs the period's tape."""

    def __init__(self, folder: Path, text: str = TEXT) -> None:
        self.workspace, self.at_us, self.told = Workspace(folder), START_US - DAY_US, []
        self._keys = count()
        self.tell([Entry(AccountOpened("operator")), Entry(AccountOpened("outside", external=True))])
        self.tell(originate(self.world, DEAL, text, ("programme-1",)))
        self.tell(mark(self.world, MarkSet("sofr", 5_000_000, "fed", self.at_us, 400 * 86_400), self.at_us))

    def tell(self, entries: Sequence[Entry]) -> None:
        self.workspace.submit(f"act {next(self._keys)}", b"", self.at_us, lambda _: entries)
        self.world = self.workspace.read(lambda world: world)
        self.told += [(entry.fact, self.at_us) for entry in entries]

    def closed(self, period: int, fresh: bool = True) -> PeriodClosed:
        """The period attested (unless it is to be stale) and closed; what was recorded."""
        record, stop_us = self.world.capital.deal(DEAL), month(period).stop_us
        deal, program = recompile(record.originated)
        report = replace(self.world.capital.report(DEAL, period), expiry_s=2**32 - 1)
        if fresh:
            words = (DEAL, period, stop_us, report.measures, DEFINITION, 1, bytes(32), 2, ATTESTERS)
            self.tell([Entry(ReportAttested(*words))])
        held = [account_of(DEAL, one.name) for one in deal.accounts] + [paid_to(DEAL, one) for one in deal.payees]
        books = self.world.books
        cash = sum(books.ledger.balance(books.accounts.id_of(name)) for name in held)
        seen = report if fresh else replace(report, as_of_s=0)
        late_s = stop_us // SECOND_US + 30 * 86_400
        entries = close(
            self.world, DEAL, program, close_period(program.code, record.state, seen, cash, late_s, program.rows)
        )
        self.tell(entries)
        fact = entries[0].fact
        assert isinstance(fact, PeriodClosed)
        return fact
