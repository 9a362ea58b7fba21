"""Reclose: a closed period run again from what the record says of it; whoever relies on a close does so first."""

from __future__ import annotations

from typing import Final

from penstock.capital.decode import decode
from penstock.capital.exact import Closing, DealState, close_period
from penstock.capital.program import Program
from penstock.capital.report import Report
from penstock.journal.kinds.capital import PeriodClosed, ReportAttested
from penstock.period import SECOND_US

EXPIRY_S: Final = 2**32 - 1
"""Only whether a report was fresh at its close matters, and the words it gave show that."""


def reclosed(
    program: Program, state: DealState, closed: PeriodClosed, attested: ReportAttested | None
) -> tuple[Closing, ReportAttested | None] | None:
    """The close as it must have run, and the report it read: with its report, or without one where only that gives its
    words; None where neither does.
    """
    for report in (attested, None) if attested else (None,):
        closing = _run(program, state, closed, report)
        if closing.state.words == closed.words:
            return closing, report
    return None


def _run(program: Program, state: DealState, closed: PeriodClosed, attested: ReportAttested | None) -> Closing:
    report = Report.missing()
    if attested:
        report = Report.of(attested.measures, attested.as_of_us // SECOND_US, EXPIRY_S)
    now_s = closed.stop_us // SECOND_US + decode(program.code).layout.grace_s
    cash = state.taken_in - state.paid_out + closed.inflow_usdc_micro
    return close_period(program.code, state, report, cash, now_s, program.rows)
