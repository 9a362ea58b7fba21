"""Every word of the language: read as written, and each way to get it wrong told with its line and a remedy."""

# ruff: noqa: E501 - one mistake a line

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from penstock.capital import measure, measure_names
from penstock.capital.acts import EXAMPLES, VERBS
from penstock.capital.deal import Act, Call, Condition, Deal, Fee, Floating, Hedge, Measure, StepUp, Term, Vote
from penstock.capital.language import load_deal
from penstock.capital.mistake import MalformedDeal, Mistake

EVERY = Path(__file__).with_name("every_word.yaml").read_text()
USDC = 10**6


def term(kind: str, *names: str) -> Term:
    return Term(kind, names)  # type: ignore[arg-type]


def money(usdc: float) -> Term:
    return Term("money", value=round(usdc * USDC))


@pytest.fixture(scope="module")
def deal() -> Deal:
    return load_deal(EVERY)


def line(deal: Deal, text: str) -> Act:
    return next(act for _, acts in deal.waterfalls for act in acts if act.text == text)


def test_measures_look_back_and_follow_marks(deal: Deal) -> None:
    assert deal.measures[1:3] == (Measure("ltm", "USDC", "cfads", 12), Measure("sofr", "rate"))


def test_what_a_measure_can_be_is_what_attesters_recompute() -> None:
    assert set(measure_names.DEFINED) == set(measure.DEFINED)
    assert set(measure.DEFINED) - measure.FLOWS == measure_names.STANDING


def test_ends_follow_business_days(deal: Deal) -> None:
    assert len(deal.calendar.ends_s) == 240
    assert (
        deal.calendar.ends_s[0] == 1_771_286_400
    )  # Tuesday 17 February 2026: the 15th is a Sunday, the 16th a holiday


def test_amounts_stand_in_their_order_whatever_they_read(deal: Deal) -> None:
    assert [amount.name for amount in deal.amounts] == ["due_down", "oc_target"]
    assert deal.amounts[1].term == money(5_825_000.0283)  # computed when read, rounded down once
    gap = Term("less", parts=(term("measure", "pool"), term("amount", "oc_target")))
    assert deal.amounts[0].term == Term("less", parts=(term("balance", "A", "B"), gap))


def test_fees_of_every_kind(deal: Deal) -> None:
    fees = {fee.name: fee for fee in deal.fees}
    assert fees["seller"] == Fee("seller")
    assert fees["admin"] == Fee("admin", rate=Fraction(1, 400), base=term("measure", "pool"), count="act/360")
    bonus = Term("times", ratio=Fraction(15, 1000), parts=(term("measure", "cfads"),))
    assert fees["bonus"] == Fee("bonus", due=bonus)
    assert fees["draw_fee"].due == Term("min", parts=(term("undrawn", "D"), money(500)))


def test_tranches_of_every_kind(deal: Deal) -> None:
    notes = {tranche.name: tranche for tranche in deal.tranches}
    assert notes["A"].principal == term("column", "level")
    assert (notes["A"].legal_final_s, notes["A"].classes, notes["A"].shortfall) == (2_413_065_600, (1, 2), "default")
    assert notes["B"].floating == Floating("sofr", Fraction(225, 10_000), Fraction(0), Fraction(9, 100))
    assert notes["S"].steps == (StepUp(67, Fraction(2, 100)),)  # the first period that starts on 20 June 2031 or later
    assert [step.period for step in notes["U"].steps] == [61, 121]
    assert (notes["C"].rate_column, notes["C"].principal_usdc_micro) == ("coupon", 600 * USDC)
    assert notes["P"].principal == Term("less", parts=(term("balance", "P"), term("column", "pac_p")))
    assert (notes["D"].face_usdc_micro, notes["D"].commitment_usdc_micro) == (0, 30_000_000 * USDC)
    assert notes["I"].notional == term("balance", "A")


def test_hedges_calls_votes_and_the_pool(deal: Deal) -> None:
    assert deal.hedges == (Hedge("swap", term("balance", "A"), Fraction(4, 100), "sofr", "act/360"),)
    tenth = Term("times", ratio=Fraction(1, 10), parts=(term("face", "A", "B"),))
    price = Term("plus", parts=(term("payoff", "A", "B"), term("owed", "I")))
    assert deal.calls == (Call("cleanup", Condition(term("measure", "pool"), True, tenth), price, "called"),)
    assert deal.votes[0] == Vote("amendment", ("A", "B"), Fraction(6667, 10_000))
    assert deal.pool is not None
    assert deal.pool.advance == (
        ("meter_signed", Fraction(85, 100)),
        ("gateway_signed", Fraction(80, 100)),
        ("", Fraction(0)),
    )
    assert (deal.pool.past_due_days_max, deal.pool.tail_days, deal.pool.related) == (60, 180, False)


def test_a_bare_number_counts_what_it_stands_beside(deal: Deal) -> None:
    tests = {test.name: test for test in deal.tests}
    assert tests["matured"].against == Term("money", value=24)  # periods
    assert tests["unpaid"].against == money(1)
    assert tests["unpaid"].only_if == Condition(term("period"), False, Term("money", value=3))
    assert line(deal, "sweep A when 5 % below sofr").when == Condition(
        Term("money", value=5_000_000), True, term("measure", "sofr")
    )


def test_lines_of_every_verb(deal: Deal) -> None:
    draw = line(deal, "draw D from funding to builder up to milestone")
    assert (draw.verb, draw.names, draw.source, draw.to, draw.cap) == (
        "draw",
        ("D",),
        "funding",
        "builder",
        term("measure", "milestone"),
    )
    off = line(deal, "write off losses from P, B, A")
    assert (off.verb, off.names, off.cap, off.source) == ("write_off", ("P", "B", "A"), term("measure", "losses"), "")
    up = line(deal, "write up total(losses) - written(A, B) to A, B")
    assert (up.verb, up.names) == ("write_up", ("A", "B"))
    assert up.cap == Term("less", parts=(term("total", "losses"), term("written", "A", "B")))
    sweep = line(deal, "sweep A, B pro rata")
    assert (sweep.verb, sweep.names, sweep.side_by_side) == ("sweep", ("A", "B"), True)
    assert line(deal, "sweep S, U share 50 %").share == Fraction(1, 2)
    fill = line(deal, "fill funding up to min(cash(trap), 40 USDC x period) when inflow at least paid(E)")
    paid = Term("times", ratio=Fraction(40 * USDC), parts=(term("period"),))
    assert fill.cap == Term("min", parts=(term("cash", "trap"), paid))
    assert fill.when == Condition(term("inflow"), False, term("paid", "E"))
    capped = line(deal, "pay A.principal from collect up to due_down")
    assert (capped.source, capped.cap) == ("collect", term("amount", "due_down"))
    assert line(deal, "capitalise B.interest").names == ("B.interest",)
    assert {act.verb for _, acts in deal.waterfalls for act in acts} == set(ALL_VERBS)


ALL_VERBS = (
    "pay",
    "prorata",
    "sweep",
    "fill",
    "release",
    "rest",
    "hold",
    "draw",
    "write_off",
    "write_up",
    "capitalise",
)


def test_every_verb_has_an_example() -> None:
    assert all(any(example.startswith(verb) for example in EXAMPLES) for verb in VERBS)


def test_within_braces_a_comma_of_a_term_needs_no_quotes() -> None:
    bare = EVERY.replace('"min(undrawn(D), 500 USDC)"', "min(undrawn(D), 500 USDC)")
    bare = bare.replace(
        '{when: "pool below 10 % x face(A, B)", price: "payoff(A, B) + owed(I)"',
        "{when: pool below 10 % x face(A, B), price: payoff(A, B) + owed(I)",
    )
    assert bare != EVERY
    assert load_deal(bare) == load_deal(EVERY)


# name: (text replaced, its replacement, path, part of message, part of remedy)
BAD = {
    "amounts in a circle": ("pool - oc_target)", "pool - oc_target)\n  a: 2 x b\n  b: a + 1", "amounts.a", "circle", "measures or balances"),
    "an amount of itself": ("  oc_target: max(0.5 % x", "  self: self + 1 USDC\n  oc_target: max(0.5 % x", "amounts.self", "circle: self -> self", "measures"),
    "an unknown function": ("6 x due(A)", "6 x deu(A)", "accounts.dsra.target", "no function `deu`", "`due`"),
    "an unclosed parenthesis": ("balance(A, B) - (pool - oc_target)", "balance(A, B) - (pool - oc_target", "amounts.due_down", "`)` is missing", "2 x due(A)"),
    "an unknown tranche": ("6 x due(A)", "6 x due(AA)", "accounts.dsra.target", "no tranche `AA`", "`A`"),
    "a tranche named twice": ("6 x due(A)", "6 x due(A, A)", "accounts.dsra.target", "cannot be read", "each once"),
    "a balance of interest only": ("owed(I)", "balance(I)", "calls.cleanup.price", "interest only", "another"),
    "undrawn of a note": ("undrawn(D)}", "undrawn(A)}", "accounts.funding.target", "no commitment", "commitment:"),
    "a negative amount": ("6 x due(A)", "-6 x due(A)", "accounts.dsra.target", "not negative", "500 USDC"),
    "dollars before x": ("6 x due(A)", "6 USDC x due(A)", "accounts.dsra.target", "before `x`", "2 x due(A)"),
    "an amount before x": ("6 x due(A)", "period x due(A)", "accounts.dsra.target", "before `x`", "2 x due(A)"),
    "a rate where dollars are": ("6 x due(A)", "sofr", "accounts.dsra.target", "in rate", "in USDC"),
    "a rate that is a number": ("5 % below sofr", "5 below sofr", "waterfall.accel.0", "no rate", "5.75 %"),
    "a condition without comparison": ("when balance(A) below 1 USDC", "when balance(A)", "waterfall.normal.7", "no condition", "at least"),
    "money in a condition on periods": ("period at least 3", "period at least 3 USDC", "tests.unpaid.only_if", "do not go together", "one unit"),
    "a term too deep": ("6 x due(A)", "6 x " + "(" * 20 + "due(A)" + ")" * 20, "accounts.dsra.target", "too deep", "amounts:"),
    "part of a count": ("against: 24", "against: 24.5", "tests.matured.against", "no whole number", "decimals"),
    "a measure of nothing": ("  losses: USDC\n", "  losses: USDC\n  happiness: USDC\n", "report.happiness", "Nothing defines", "of: cfads"),
    "a measure of another unit": ("  losses: USDC\n", "  losses: Wh\n", "report.losses", "is in USDC", "USDC"),
    "a look-back of what stands": ("  pool: USDC\n", "  pool: {unit: USDC, over: 12}\n", "report.pool.over", "how things stand", "Drop"),
    "a look-back too long": ("over: 12}\n", "over: 1200}\n", "report.ltm.over", "number of periods", "1 to 120"),
    "a word as a name": ("  losses: USDC\n", "  losses: USDC\n  inflow: {unit: USDC, of: losses}\n", "report.inflow", "word of the language", "Rename"),
    "a longer list than periods": ("[100 USDC, 90 USDC]", "[" + ", ".join(["1 USDC"] * 241) + "]", "schedule.plan", "241 values", "periods"),
    "a schedule without periods": ("periods: 240, business_days: US, convention: modified following", "grace: 5 d", "schedule.level", "how many periods", "periods: 240"),
    "business days without an end": ("periods: 240, business_days", "business_days", "calendar", "need an end", "periods"),
    "an unknown calendar": ("business_days: US,", "business_days: UX,", "calendar", "no calendar", "US"),
    "no period at all": ("periods: 240", "periods: 0", "calendar.periods", "number of periods", "1 to"),
    "a margin in basis points": ("margin: 2.25 %", "margin: 225", "tranches.B.rate.margin", "between 0 and 100", "2.25 %"),
    "a cap below the floor": ("floor: 0 %", "floor: 10 %", "tranches.B.rate.cap", "below the floor", "Swap"),
    "an index of dollars": ("{index: sofr", "{index: pool", "tranches.B.rate.index", "measure of unit rate `pool`", "sofr"),
    "fixed and floating": ("{index: sofr", "{fixed: 5 %, index: sofr", "tranches.B.rate", "fixed or follows", "index"),
    "a step-up after the end": ("from: 121", "from: 300", "tranches.U.rate.step_up.1.from", "ends with period 240", "earlier"),
    "step-ups out of order": ("from: 121", "from: 31", "tranches.U.rate.step_up", "order of time", "Sort"),
    "a step-up before the start": ("from: 2031-06-20", "from: 2021-06-20", "tranches.S.rate.step_up.from", "before the deal's start", "later"),
    "a legal final before the start": ("legal_final: 2046-06-20", "legal_final: 2016-06-20", "tranches.A.legal_final", "before the deal's start", "later"),
    "a legal final that is no date": ("legal_final: 2046-06-20", "legal_final: 2046-02-30", "tranches.A.legal_final", "no date", "2046-06-20"),
    "a class of holders too large": ("holders: [1, 2]", "holders: [1, 256]", "tranches.A.holders.1", "no investor class", "255"),
    "a residual with a rate": ("E: {residual: true}", "E: {residual: true, rate: 5 %}", "tranches.E.rate", "what is left", "Drop"),
    "a notional with a face": ("I: {notional: balance(A),", "I: {face: 1, notional: balance(A),", "tranches.I.face", "no balance", "Drop"),
    "a rate of dollars": ("rate: coupon", "rate: plan", "tranches.C.rate", "is in USDC", "[5 %, 7 %]"),
    "dues in a circle": ("I: {notional: balance(A)", "I: {notional: due(I)", "tranches.I", "runs in a circle", "Read a balance"),
    "a fee of a share above all": ("0.25 % a year", "250 % a year", "fees.admin.amount", "between 0 and 100", "0.25 %"),
    "a share of nothing": ("0.25 % a year, of: pool, count: act/360", "0.25 % a year", "fees.admin", "of something", "of: pool"),
    "a hedge on dollars": ("receives: sofr", "receives: pool", "hedges.swap.receives", "measure of unit rate", "sofr"),
    "a commitment nobody draws": ("    - draw D from funding to builder up to milestone\n", "", "tranches.D.commitment", "ever draws on `D`", "draw D"),
    "a draw of a note": ("draw D from", "draw A from", "waterfall.normal.9", "no commitment", "commitment:"),
    "a draw to nobody": ("to builder up", "to bilder up", "waterfall.normal.9", "no payee `bilder`", "`builder`"),
    "a draw without source": ("draw D from funding to", "draw D to", "waterfall.normal.9", "cannot be read", "draw D from"),
    "a write-off of the residual": ("losses from P, B, A", "losses from E, B, A", "waterfall.normal.10", "with a face is written", "Name one"),
    "a write-off without tranches": ("write off losses from P, B, A", "write off losses", "waterfall.normal.10", "cannot be read", "write off losses from"),
    "a sweep of interest only": ("sweep A, B up to", "sweep A, I up to", "waterfall.normal.4", "with a face is swept", "Name one"),
    "a name twice in a line": ("sweep A, B up to", "sweep A, A up to", "waterfall.normal.4", "stands twice", "Keep one"),
    "a sweep with a gap": ("sweep A, B pro rata", "sweep A, S pro rata", "waterfall.normal.5", "side by side", "without gaps"),
    "a clause twice": ("sweep A, B up to due_down", "sweep A, B up to 1 up to 2", "waterfall.normal.4", "cannot be read", "sweep A"),
    "a clause of another verb": ("    - release trap", "    - release trap share 50 %", "waterfall.normal.16", "cannot be read", "release"),
    "what is owed nothing": ("pay seller up to max(pool, was(pool)) - pool", "pay seller", "waterfall.normal.12", "owed nothing", "up to"),
    "an account that pays itself": ("fill dsra", "fill dsra from dsra", "waterfall.normal.14", "pay itself", "two accounts"),
    "capitalised principal": ("capitalise B.interest", "capitalise C.principal", "waterfall.normal.13", "Only interest", "C.interest"),
    "a hedge nobody pays": ("draw_fee, swap", "draw_fee", "hedges.swap", "ever pays `swap`", "Add a line"),
    "a taker on condition": ("    - pay E rest\n  lockup", "    - pay E rest when period below 3\n  lockup", "waterfall.normal", "no last taker", "without a condition"),
    "a taker of another account": ("    - pay E rest\n  lockup", "    - pay E rest from trap\n  lockup", "waterfall.normal", "no last taker", "pay E rest"),
    "a state nothing leads to": ("states: [normal, lockup, called, accel]", "states: [normal, lockup, called, limbo, accel]", "states", "Nothing leads to the state `limbo`", "below 1.05"),
    "levels out of order": ("accel: below 1.05", "accel: below 1.55", "tests.dscr.accel", "asked for sooner", "Swap"),
    "a rate that floats and no stale": ("value: arrears(A), against: 1 USDC", "value: due(B), against: 1 USDC", "tests.unpaid", "no rule for a stale one", "stale"),
    "a missing report beyond the way back": ("stale: lockup, cure: after 2 clean periods, sticky: accel", "stale: accel, cure: after 2 clean periods, sticky: called", "tests.dscr.stale", "for ever", "cure"),
    "a call to the normal state": ("state: called", "state: normal", "calls.cleanup.state", "normal state", "of its own"),
    "a call without price": ('price: "payoff(A, B) + owed(I)", ', "", "calls.cleanup", "`price` is missing", "Add"),
    "seven tests": ("calls:\n", "  t4: {value: cash(dsra), against: 1, lockup: below 1, cure: after 1 clean period}\ncalls:\n  c2: {when: period at least 9, price: payoff(A), state: called}\n  c3: {when: period at least 9, price: payoff(A), state: called}\n", "tests", "at most 6 tests, calls included", "Join"),
    "a test named as a call": ("calls:\n", "calls:\n  dscr: {when: period at least 9, price: payoff(A), state: called}\n", "calls.dscr", "also in `tests`", "Rename"),
    "a vote on nothing": ("  waiver: {", "  party: {", "votes.party", "no vote on `party`", "amendment"),
    "a vote of nobody": ("classes: [A], share: 50 %}\n  replacement", "classes: [], share: 50 %}\n  replacement", "votes.waiver.classes", "each once", "classes: [A, B]"),
    "a vote of no share": ("classes: [A], share: 50 %}\n  replacement", "classes: [A], share: 0 %}\n  replacement", "votes.waiver.share", "no vote", "66.67 %"),
    "an assurance of no meaning": ("at least gateway_signed", "at least good", "pool.assurance", "no level of assurance", "meter_signed"),
    "a cap on nothing": ("offtaker: 15 %", "weather: 15 %", "pool.caps.weather", "attribute of an asset", "offtaker"),
    "a tail in months": ("tail: 180 d", "tail: 6 months", "pool.tail", "number of days", "180 d"),
    "arrears without limit": ("at most 60 d", "60 d", "pool.past_due", "number of days", "at most 60 d"),
}  # fmt: skip


def mistakes(text: str) -> tuple[Mistake, ...]:
    with pytest.raises(MalformedDeal) as caught:
        load_deal(text)
    return caught.value.mistakes


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_told_with_path_and_remedy(name: str) -> None:
    old, new, path, message, remedy = BAD[name]
    assert old in EVERY, "nothing is replaced"
    told = mistakes(EVERY.replace(old, new, 1))
    fitting = [one for one in told if message in one.message and one.path == path]
    assert fitting, told
    assert remedy in fitting[0].remedy


@pytest.mark.parametrize(
    "name", ["an unknown function", "a cap below the floor", "a draw to nobody", "a tail in months"]
)
def test_the_line_told_is_the_line_changed(name: str) -> None:
    old, new, path, _, _ = BAD[name]
    text = EVERY.replace(old, new, 1)
    changed = next(
        i
        for i, (before, after) in enumerate(zip(EVERY.split("\n"), text.split("\n"), strict=True), 1)
        if before != after
    )
    assert [one.line for one in mistakes(text) if one.path == path] == [changed]


def test_units_that_do_not_go_together() -> None:
    text = EVERY.replace("milestone: USDC", "energy: Wh").replace("up to milestone", "up to energy + pool", 1)
    assert "USDC and Wh do not go together" in str(mistakes(text)[0])


def test_amounts_that_double_without_end_are_refused_quickly() -> None:
    doubling = "\n".join(f"  d{i}: d{i - 1} + d{i - 1}" for i in range(1, 30))
    told = mistakes(EVERY.replace("amounts:\n", f"amounts:\n  d0: pool + 1 USDC\n{doubling}\n"))
    assert "more than 200 parts" in told[0].message
