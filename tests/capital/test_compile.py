"""The compiler: rates, draws, losses, schedules and caps by hand; what the chain cannot hold, with the reason."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from test_compile_stale import BALANCE, DEAL, GOOD, SENIOR, TEST, USDC, Life, two, usdc

from penstock.capital.compile import canonical_json, compile_deal
from penstock.capital.deal import (
    Account,
    Act,
    Amount,
    Call,
    Column,
    Condition,
    Deal,
    Fee,
    Floating,
    Hedge,
    Level,
    Measure,
    StepUp,
    Term,
    Test,
    Tranche,
)
from penstock.capital.language import load_deal
from penstock.capital.program import ADVANCE_C, Raw, assemble
from penstock.capital.unwritten import refuse_unwritten
from penstock.errors import Refused

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "deals").glob("*.yaml"))
HERE = Path(__file__).parent
REST = Act("rest", ("E",))
E = DEAL.tranches[1]
FACE = 1_000_000 * USDC


def deal(*acts: Act, **changed: object) -> Deal:
    """One state, no tests, these lines, then the rest to E."""
    plain = replace(DEAL, tests=(), waterfalls=(("normal", (*acts, REST)),))
    return replace(plain, **changed)  # type: ignore[arg-type]


def notes(*some: Tranche) -> tuple[Tranche, ...]:
    return (*some, E)


def refused(bad: Deal) -> str:
    with pytest.raises(Refused) as error:
        compile_deal(bad)
    assert error.value.hint
    return error.value.code


# ---------------------------------------------------------------- by hand


def test_a_rate_steps_up_from_its_period_on() -> None:
    note = replace(SENIOR, principal_usdc_micro=0, steps=(StepUp(1, Fraction(1, 100)), StepUp(3, Fraction(2, 100))))
    life, owed = Life(deal(tranches=notes(note))), []
    for _ in range(4):
        before = life["A.interest"]
        life.close(GOOD)
        owed.append(life["A.interest"] - before)
    assert owed == [FACE * 13 // 1200, FACE * 13 // 1200, FACE * 15 // 1200, FACE * 15 // 1200]


def test_a_floating_rate_has_its_floor_and_its_cap() -> None:
    floating = Floating("sofr", Fraction(225, 10_000), Fraction(3, 100), Fraction(9, 100))
    note = replace(SENIOR, rate=Fraction(0), principal_usdc_micro=0, floating=floating)
    life, owed = Life(deal(tranches=notes(note))), []
    for fixing in (0, 5_000_000, 6_750_000, 50_000_000):
        before = life["A.interest"]
        life.close({**GOOD, "sofr": fixing})
        owed.append(life["A.interest"] - before)
    assert owed == [FACE * hundredths // (12 * 10_000) for hundredths in (300, 725, 900, 900)]


def test_a_rate_follows_its_schedule_and_stands_at_the_last() -> None:
    note = replace(SENIOR, rate=Fraction(0), principal_usdc_micro=0, rate_column="coupon")
    life = Life(deal(tranches=notes(note), schedule=(Column("coupon", "rate", (5_000_000, 7_000_000)),)))
    assert life.program.rows
    owed = [(life.close(GOOD), life["A.interest"])[1] for _ in range(3)]
    five, seven = FACE * 5 // 1200, FACE * 7 // 1200
    assert owed == [five, five + seven, five + 2 * seven]


def test_interest_on_interest_and_interest_only() -> None:
    first = replace(SENIOR, principal_usdc_micro=0, shortfall="carry with interest")
    only = Tranche("I", rate=Fraction(1, 100), count="30/360", notional=BALANCE)
    life = Life(deal(tranches=notes(first, only)))
    life.close(GOOD)
    life.close(GOOD)
    month = FACE // 100
    assert life["A.interest"] == month + (FACE + month) // 100
    assert life["I.interest"] == 2 * (FACE // 1200)
    assert "I.balance" not in life.program.lanes


def test_a_planned_class_is_owed_what_its_schedule_lacks_arrears_included_once() -> None:
    planned = Term("less", parts=(BALANCE, Term("column", ("pac",))))
    note = replace(SENIOR, rate=Fraction(0), principal_usdc_micro=0, principal=planned)
    pac = Column("pac", "USDC", tuple(FACE - 1_000 * USDC * (i + 1) for i in range(5)))
    life = Life(deal(Act("pay", ("A.principal",)), tranches=notes(note), schedule=(pac,)))
    life.close(GOOD, inflow=0)
    life.close(GOOD, inflow=0)
    assert life["A.principal"] == 2_000 * USDC  # not 3,000: the second month's lack holds the first's
    life.close(GOOD, inflow=2_500 * USDC)
    assert (life["A.principal"], life["A.balance"]) == (500 * USDC, FACE - 2_500 * USDC)
    life.close(GOOD, inflow=10_000 * USDC)
    assert (life["A.principal"], life["A.balance"], life["E.paid"]) == (0, FACE - 4_000 * USDC, 8_500 * USDC)


def test_a_principal_payment_with_a_cap_keeps_balance_and_what_is_owed_in_step() -> None:
    life = Life(deal(Act("pay", ("A.interest", "A.principal"), cap=usdc(12_000))))
    life.close(GOOD)
    assert (life["A.paid"], life["A.principal"], life["A.balance"]) == (
        12_000 * USDC,
        8_000 * USDC,
        FACE - 2_000 * USDC,
    )
    assert life["E.paid"] == 88_000 * USDC


def test_a_commitment_is_drawn_to_the_builder_and_owed() -> None:
    note = Tranche("D", rate=Fraction(0), commitment_usdc_micro=50 * USDC)
    accounts = (*DEAL.accounts, Account("funding", usdc(100)))
    lines = (Act("fill", ("funding",)), Act("draw", ("D",), source="funding", to="builder", cap=usdc(30)))
    life = Life(deal(*lines, tranches=notes(note), accounts=accounts, fees=(Fee("builder"),)))
    for drawn, left in ((30, 20), (50, 0), (50, 0)):
        life.close(GOOD)
        assert (life["D.balance"], life["D.undrawn"], life["builder.paid"]) == (drawn * USDC, left * USDC, drawn * USDC)


def test_losses_go_up_from_the_bottom_and_recoveries_down_from_the_top() -> None:
    a, b = (Tranche(name, 100 * USDC, Fraction(0)) for name in "AB")
    off, up = (Term("measure", (name,)) for name in ("losses", "back"))
    lines = (Act("write_off", ("B", "A"), cap=off), Act("write_up", ("A", "B"), cap=up))
    measures = (Measure("losses", "USDC"), Measure("back", "USDC", of="recoveries"))
    life = Life(deal(*lines, tranches=notes(a, b), measures=measures))
    life.close({"losses": 130 * USDC, "back": 0})
    assert (life["A.balance"], life["B.balance"], life["A.written"]) == (70 * USDC, 0, 30 * USDC)
    life.close({"losses": 0, "back": 45 * USDC})
    assert (life["A.balance"], life["B.balance"], life["B.written"]) == (100 * USDC, 15 * USDC, 85 * USDC)


def test_a_swap_is_owed_its_net_leg_and_owes_nothing_the_other_way() -> None:
    swap = Hedge("swap", BALANCE, Fraction(4, 100), "sofr", "30/360")
    life = Life(deal(Act("pay", ("swap",)), hedges=(swap,)))
    life.close({**GOOD, "sofr": 1_000_000})
    assert life["swap.paid"] == FACE * 3 // 1200
    life.close({**GOOD, "sofr": 6_000_000})
    assert life["swap.paid"] == FACE * 3 // 1200


def test_fees_of_every_kind() -> None:
    fees = (
        Fee("fixed", amount_usdc_micro=40 * USDC),
        Fee("handed"),
        Fee("yearly", rate=Fraction(25, 10_000), base=Term("measure", ("pool",)), count="30/360"),
        Fee("least", due=two("min", Term("inflow"), usdc(500))),
    )
    lines = (Act("pay", ("fixed", "yearly", "least")), Act("pay", ("handed",), cap=usdc(7)))
    life = Life(deal(*lines, fees=fees))
    life.close(GOOD)
    paid = [life[f"{fee.name}.paid"] for fee in fees]
    assert paid == [40 * USDC, 7 * USDC, 2_000_000 * USDC * 25 // (10_000 * 12), 500 * USDC]


def test_a_sweep_side_by_side_shares_by_balance() -> None:
    a, b = Tranche("A", 60 * USDC, Fraction(0)), Tranche("B", 20 * USDC, Fraction(0))
    life = Life(deal(Act("sweep", ("A", "B"), side_by_side=True, cap=usdc(40)), tranches=notes(a, b)))
    life.close(GOOD)
    assert (life["A.balance"], life["B.balance"]) == (30 * USDC, 10 * USDC)


def test_a_condition_turns_a_line_on_and_off() -> None:
    late = Condition(Term("period"), False, Term("money", value=3))
    life = Life(deal(Act("sweep", ("A",), cap=usdc(5), when=late)))
    paid = [life.close(GOOD) and life["A.paid"] for _ in range(4)]
    assert paid == [0, 0, 5 * USDC, 10 * USDC]


def test_a_state_follows_arrears_and_a_call_retires_the_notes() -> None:
    call = Call("cleanup", Condition(BALANCE, True, usdc(2_000_000)), Term("payoff", ("A",)), "called")
    life = Life(replace(DEAL, calls=(call,)))
    assert life.close(GOOD, inflow=10) == "normal"
    assert life.close(GOOD, inflow=FACE + 30_000 * USDC) == "called"
    assert life["A.balance"] == 0


def test_what_a_sweep_repaid_is_in_arrears_no_more() -> None:
    unpaid = Test("unpaid", Term("arrears", ("A",)), usdc(1), (Level("accel", False, Fraction(1)),), 0, "", "accel")
    lines = ("normal", (Act("sweep", ("A",)), REST)), ("accel", (REST,))
    life = Life(replace(DEAL, tests=(unpaid,), waterfalls=lines, tranches=notes(replace(SENIOR, rate=Fraction(0)))))
    assert life.close(GOOD, inflow=FACE) == "normal"
    assert life["A.balance"] == 0
    assert life["A.principal"] > 0  # scheduled, and repaid by the sweep instead
    assert life.close(GOOD) == "normal"


# ---------------------------------------------------------------- the program


def test_the_same_deal_costs_what_it_did() -> None:
    yardstick = load_deal((HERE.parent / "contracts" / "four_tranches.yaml").read_text())
    assert len(compile_deal(yardstick).labels) == 37
    first = load_deal((HERE.parents[1] / "examples" / "deals" / "first.yaml").read_text())
    assert len(compile_deal(first).labels) == 25


@pytest.mark.parametrize("file", [*EXAMPLES, HERE / "every_word.yaml"], ids=lambda file: file.stem)
def test_every_example_fits_the_chain(file: Path) -> None:
    program = compile_deal(load_deal(file.read_text()))
    assert len(program.code) <= 4096
    assert 60_000 < program.gas_ceiling < 2_000_000
    assert all(program.labels)


def test_lines_of_text_do_not_change_what_a_deal_is() -> None:
    one, two_ = (replace(REST, text=text, line=line) for text, line in (("pay E rest", 3), ("", 9)))
    first, second = (replace(DEAL, waterfalls=(("normal", (rest,)),), tests=()) for rest in (one, two_))
    assert canonical_json(first) == canonical_json(second)
    assert compile_deal(first).code == compile_deal(second).code


# ---------------------------------------------------------------- what the chain cannot hold


def test_amounts_that_follow_from_each_other_are_refused() -> None:
    circle = (Amount("a", Term("amount", ("b",))), Amount("b", two("plus", Term("amount", ("a",)), usdc(1))))
    line = Act("sweep", ("A",), cap=Term("amount", ("a",)))
    assert refused(deal(line, amounts=circle)) == "program.circular_amount"


def test_principal_by_a_due_that_comes_after_it_is_refused() -> None:
    note = replace(SENIOR, principal_usdc_micro=0, principal=Term("due", ("A",)))
    assert refused(deal(tranches=notes(note))) == "program.read_before_written"


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (deal(Act("pay", ("handed",)), fees=(Fee("handed"),)), "program.nothing_owed"),
        (deal(Act("write_off", ("A",))), "program.no_amount"),
        (deal(Act("sweep", ("A",), cap=Term("measure", ("gone",)))), "program.no_such_name"),
        (deal(Act("hold", ("gone",))), "program.no_such_name"),
        (deal(tranches=notes(replace(SENIOR, floating=Floating("sofr", Fraction(1, 3))))), "program.rate_too_fine"),
        (
            deal(Act("sweep", ("A",), cap=Term("times", ratio=Fraction(10**4), parts=(BALANCE,)))),
            "program.may_saturate",
        ),
        (deal(Act("sweep", ("A",), cap=Term("money", value=2**62))), "program.number_too_large"),
        (replace(DEAL, tests=(TEST,) * 7), "program.too_large"),
        (deal(schedule=tuple(Column(f"c{i}", "USDC", (1,)) for i in range(12))), "program.too_large"),
        (
            replace(DEAL, calls=(Call("c", Condition(BALANCE, True, BALANCE), BALANCE, "normal"),)),
            "program.call_to_normal",
        ),
    ],
)
def test_what_the_chain_cannot_hold_is_refused_with_the_reason(bad: Deal, code: str) -> None:
    assert refused(bad) == code


def test_notes_apart_cannot_be_paid_side_by_side() -> None:
    some = [Tranche(name, 100 * USDC, Fraction(0)) for name in "ABC"]
    line = Act("sweep", ("A", "C"), side_by_side=True)
    assert refused(deal(line, tranches=notes(*some))) == "program.not_side_by_side"


def test_a_saturating_step_is_told_in_the_deals_words() -> None:
    big = Term("times", ratio=Fraction(10**4), parts=(BALANCE,))
    with pytest.raises(Refused, match=r"10000 x balance\(A\)"):
        compile_deal(deal(Act("sweep", ("A",), cap=big)))


def test_a_temporary_is_written_before_it_is_read_in_every_state() -> None:
    def program(*steps: tuple[Raw, int]) -> bytes:
        return assemble(DEAL.calendar, (3, 1, 5, 1), [7], steps, [0] * 4)

    write, read = Raw("ADD", a=12, c=2000), Raw("ADD", a=2000, c=8)
    refuse_unwritten(program((write, 1), (read, 1)))
    refuse_unwritten(program((write, 3), (Raw("STATE", a=2000), 3), (read, 2)))
    row = Raw("ADD", a=2000, c=8, low=1)
    both = Raw("MAX", a=12, b=12, c=2000, low=1 | ADVANCE_C)
    refuse_unwritten(program((both, 1), (row, 1)))
    bad = [
        ((read, 1), (write, 1)),
        ((write, 1), (read, 3)),
        ((write, 1), (Raw("STATE", a=12), 3), (read, 1)),
        ((write, 1), (row, 1)),
    ]
    for steps in bad:
        with pytest.raises(Refused) as error:
            refuse_unwritten(program(*steps))
        assert error.value.code == "program.read_before_written"
