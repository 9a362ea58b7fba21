"""The deal language: one bad file per mistake, told with its line and a remedy; many mistakes told at once."""

# ruff: noqa: E501 - one mistake a line

from __future__ import annotations

from fractions import Fraction

import first_week as week
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.capital.deal import Calendar, Level, Term
from penstock.capital.language import load_deal
from penstock.capital.mistake import MalformedDeal, Mistake
from penstock.errors import Invalid

B_LINE = "  B: {face: 500_000 USDC, rate: 12 %, count: act/365, principal: 150 USDC, shortfall: carry}"
DSRA_LINE = "  dsra: {target: 500 USDC}    # debt service reserve: pays A when the sun does not"
TRAP_LINE = "  trap: {}                    # holds what a lock-up keeps from B's principal and from the equity"
ROOFS_LINE = "  roofs: {amount: 0.08 USDC per kWh, of: energy}    # the households' tariff comes first"
STATES_LINE = "states: [normal, lockup]"

# name: (line replaced, its replacement, line told within the replacement, path, part of message, part of remedy)
BAD = {
    "rate in basis points": (B_LINE, "  B: {face: 1, rate: 575}", 0, "tranches.B.rate", "between 0 and 100", "5.75 %"),
    "rate of 575 percent": (B_LINE, "  B: {face: 1, rate: 575 %}", 0, "tranches.B.rate", "between", "5.75 %"),
    "rate without percent": (B_LINE, "  B: {face: 1, rate: 8}", 0, "tranches.B.rate", "between", "`8 %`"),
    "rate in words": (B_LINE, "  B: {face: 1, rate: high}", 0, "tranches.B.rate", "between", "5.75 %"),
    "negative face": (B_LINE, "  B: {face: -5, rate: 8 %}", 0, "tranches.B.face", "not negative", "600 USDC"),
    "part of a micro-dollar": (B_LINE, "  B: {face: 1.0000001, rate: 8 %}", 0, "tranches.B.face", "no amount", "USDC"),
    "no face": (B_LINE, "  B: {rate: 8 %}", 0, "tranches.B", "`face` is missing", "residual"),
    "unknown day count": (B_LINE, "  B: {face: 1, rate: 8 %, count: act/364}", 0, "tranches.B.count", "day count", "act/36"),
    "30/360 by the day": (B_LINE, "  B: {face: 1, rate: 8 %, count: 30/360}", 0, "tranches.B.count", "whole months", "monthly"),
    "unknown key": (B_LINE, "  B: {face: 1, rate: 8 %, raet: 1}", 0, "tranches.B.raet", "means nothing", "`rate`"),
    "not a mapping": (B_LINE, "  B: 500", 0, "tranches.B", "not a mapping", "name: value"),
    "duplicate key": (B_LINE, B_LINE + "\n" + B_LINE, 1, "tranches.B", "stands twice", "Keep one"),
    "name of two things": (B_LINE, B_LINE + "\n  trap: {residual: true}", 1, "tranches.trap", "also in", "Rename"),
    "tranche nobody pays": (B_LINE, B_LINE + "\n  C: {face: 1, rate: 8 %}", 1, "tranches.C", "ever pays `C`", "Add a line"),
    "fee nobody pays": (ROOFS_LINE, ROOFS_LINE + "\n  audit: {amount: 5}", 1, "fees.audit", "ever pays", "Add a line"),
    "undeclared measure": (ROOFS_LINE, "  roofs: {amount: 1 USDC per kWh, of: enrgy}", 0, "fees.roofs.of", "measure", "`energy`"),
    "tariff of another unit": (ROOFS_LINE, "  roofs: {amount: 1 USDC per token, of: energy}", 0, "fees.roofs.amount", "in Wh", "per Wh"),
    "no tariff": (ROOFS_LINE, "  roofs: {amount: 8 ct, of: energy}", 0, "fees.roofs.amount", "no tariff", "per kWh"),
    "fee without amount": (ROOFS_LINE, "  roofs: {of: energy}", 0, "fees.roofs", "`amount` is missing", "Add"),
    "unknown rhythm": ("  pays: daily                          # or hourly, weekly, monthly, quarterly", "  pays: dayly", 0, "calendar.pays", "no rhythm", "`daily`"),
    "time without offset": ("  starts: 2016-08-22T00:00:00-07:00    # the first period; each ends where the next begins", "  starts: 2016-08-22T00:00:00", 0, "calendar.starts", "no instant", "-07:00"),
    "no duration": ("  grace: 6 h                           # a close waits this long for its report, then goes ahead without one", "  grace: a while", 0, "calendar.grace", "no duration", "6 h"),
    "unknown unit": ("  answers: tokens   # sold by the rack", "  answers: toks", 0, "report.answers", "unit", "`tokens`"),
    "seven measures": ("report:", "report:\n  revenue: USDC\n  pool: USDC\n  losses: USDC\n  value: USDC", 0, "report", "at most 6", "Combine"),
    "circle of accounts": (TRAP_LINE, "  trap: {releases_to: spare}\n  spare: {releases_to: trap}", 0, "accounts.trap", "circle", "first account"),
    "release to nowhere": (TRAP_LINE, "  trap: {releases_to: colect}", 0, "accounts.trap.releases_to", "no account", "`collect`"),
    "account without use": (TRAP_LINE, TRAP_LINE + "\n  vault: {}", 1, "accounts.vault", "No line uses", "fill vault"),
    "account that never opens": ("    - release trap", "", -32, "accounts.trap", "never leaves", "release trap"),
    "target of nobody": (DSRA_LINE, "  dsra: {target: 2 x due(Z)}", 0, "accounts.dsra.target", "no tranche `Z`", "Choose one of"),
    "target of the residual": (DSRA_LINE, "  dsra: {target: 2 x due(E)}", 0, "accounts.dsra.target", "residual", "face"),
    "unreadable term": (DSRA_LINE, "  dsra: {target: 2 x due A}", 0, "accounts.dsra.target", "cannot be read at `A`", "due(A)"),
    "test of nothing": ("    value: cfads", "    value: cfad", 0, "tests.dscr.value", "no measure `cfad`", "`cfads`"),
    "unreadable level": ("    lockup: below 1.20", "    lockup: < 1.20", 0, "tests.dscr.lockup", "no level", "below 1.20"),
    "level of no state": ("    lockup: below 1.20", "    lokup: below 1.20", 0, "tests.dscr.lokup", "no state `lokup`", "`lockup`"),
    "test without level": ("    lockup: below 1.20", "", -3, "tests.dscr", "asks for no state", "below"),
    "no rule for a stale report": ("    stale: lockup                # no fresh report: hold distributions, declare no default", "", -4, "tests.dscr", "stale one", "stale: lockup"),
    "stale for ever": ("    stale: lockup                # no fresh report: hold distributions, declare no default", "    stale: lockup\n    sticky: lockup", 0, "tests.dscr.stale", "for ever", "cure"),
    "unreadable cure": ("    cure: after 1 clean period   # one whole clean period in lock-up; the next clean test releases", "    cure: soon", 0, "tests.dscr.cure", "no cure", "after 1 clean"),
    "state without waterfall": (STATES_LINE, "states: [normal, lockup, accel]", 0, "states", "`accel` has no waterfall", "accel:"),
    "waterfall without state": (STATES_LINE, "states: [normal]", 12, "waterfall.lockup", "no state `lockup`", "normal"),
    "state twice": (STATES_LINE, "states: [normal, lockup, lockup]", 0, "states", "stands twice", "Keep"),
    "unknown verb": ("    - release trap", "    - relase trap", 0, "waterfall.normal.5", "`relase` is no verb", "`release`"),
    "unreadable line": ("    - release trap", "    - release trap slowly", 0, "waterfall.normal.5", "cannot be read", "`release trap`"),
    "undeclared payee": ("    - release trap", "    - release trap\n    - pay rofs", 1, "waterfall.normal.6", "no payee `rofs`", "`roofs`"),
    "undeclared account": ("    - release trap", "    - release trp", 0, "waterfall.normal.5", "no account `trp`", "`trap`"),
    "claim without part": ("    - pay B.principal", "    - pay B", 0, "waterfall.normal.6", "what is paid", "B.interest"),
    "unknown part": ("    - pay B.principal", "    - pay B.fee", 0, "waterfall.normal.6", "no `fee`", ".interest"),
    "interest of the residual": ("    - pay B.principal", "    - pay E.interest", 0, "waterfall.normal.6", "has no interest", "pay E rest"),
    "principal without schedule": (B_LINE, "  B: {face: 1, rate: 8 %}", 23, "waterfall.normal.6", "no scheduled", "sweep B"),
    "pro rata of two parts": ("    - pay B.principal", "    - pay A.interest, B.principal pro rata", 0, "waterfall.normal.6", "side by side", "one part"),
    "share above all": ("    - pay B.principal", "    - sweep A share 120 %", 0, "waterfall.normal.6", "between 0 and 100", "50 %"),
    "sweep to a fee": ("    - pay B.principal", "    - sweep roofs", 0, "waterfall.normal.6", "face is swept", "pay E rest"),
    "reserve that is none": ("    - pay B.principal", "    - fill collect", 0, "waterfall.normal.6", "arrives in `collect`", "another"),
    "no last taker": ("    - pay E rest", "", -8, "waterfall.normal", "no last taker", "pay E rest"),
    "nothing left": ("    - pay E rest", "    - pay E rest\n    - pay E rest", 0, "waterfall.normal.7", "Nothing is left after", "to the end"),
    "another dollar": ("dollar: USDC", "dollar: EUR", 0, "dollar", "kept in USDC", "USDC"),
    "no name": ("deal: First Light", "deal: ", 0, "deal", "no name", "Its name"),
    "tab in the text": ("dollar: USDC", "\tdollar: USDC", 0, "deal", "no YAML", "indents"),
}  # fmt: skip


def spoil(name: str) -> tuple[str, int]:
    """The first deal with one line replaced, and the line of the mistake."""
    old, new, offset = BAD[name][:3]
    lines = week.text().split("\n")
    at = lines.index(old)
    return "\n".join([*lines[:at], *new.split("\n"), *lines[at + 1 :]]), at + 1 + offset


def mistakes(text: str) -> tuple[Mistake, ...]:
    with pytest.raises(MalformedDeal) as caught:
        load_deal(text)
    assert isinstance(caught.value, Invalid)
    assert caught.value.code == "deal.malformed"
    return caught.value.mistakes


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_told_with_line_path_and_remedy(name: str) -> None:
    text, line = spoil(name)
    _, _, _, path, message, remedy = BAD[name]
    told = mistakes(text)
    fitting = [one for one in told if message in one.message and one.path == path]
    assert fitting, told
    assert fitting[0].line == line
    assert remedy in fitting[0].remedy


def test_all_mistakes_are_told_at_once_in_order() -> None:
    text = week.text()
    for name in ("rate in basis points", "undeclared measure", "no duration", "no last taker", "unreadable cure"):
        text = text.replace(BAD[name][0], BAD[name][1])
    told = mistakes(text)
    assert [one.line for one in told] == sorted(one.line for one in told)
    assert len(told) >= 5
    with pytest.raises(MalformedDeal) as caught:
        load_deal(text)
    assert all(str(one) in caught.value.ids["mistakes"] for one in told)


@pytest.mark.parametrize(
    "text", ["", "[]", "deal: x", "a" * 300_000, "[" * 5000, "- " * 5000, "&a [*a]", "deal: \x00", "? [1]\n: 2"]
)
def test_what_is_no_deal_is_malformed_and_nothing_else(text: str) -> None:
    assert mistakes(text)


@given(st.data())
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_no_text_breaks_the_reader(data: st.DataObject) -> None:
    lines = week.text().split("\n")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = data.draw(st.one_of(st.text(max_size=30), st.sampled_from(lines), st.just(lines[at][1:])))
    try:
        load_deal("\n".join(lines))
    except MalformedDeal as malformed:
        assert malformed.mistakes


def test_the_first_deal_reads_as_written() -> None:
    deal = week.deal()
    assert deal.name == "First Light"
    assert deal.calendar == Calendar(1_471_849_200, 86_400, 0, 21_600)
    assert deal.payees == ("roofs", "servicer", "A", "B", "E")
    assert deal.fees[0].per_unit == 80  # 0.08 USDC a kWh is 80 micro-dollars a Wh
    assert deal.tranches[1].rate == Fraction(12, 100)
    assert deal.tests[0].against == Term("due", ("A",))
    assert deal.tests[0].levels == (Level("lockup", True, Fraction(6, 5)),)
    assert [str(act) for act in dict(deal.waterfalls)["lockup"]][-2:] == ["pay B.interest", "hold rest in trap"]
