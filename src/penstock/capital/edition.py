"""What a deal's governor may change: the program (its edition), a test for some periods, a payee. The twin's side."""

from __future__ import annotations

from dataclasses import replace

from penstock.capital.decode import Layout, decode
from penstock.capital.exact import CHANGED, TESTS_MAX, DealState, period_bounds, unpaid
from penstock.errors import Refused

PERIODS_MAX = 2**16 - 1


def amend(state: DealState, old: tuple[bytes, bytes], new: tuple[bytes, bytes]) -> DealState:
    """The state after the program and rows ``old`` gave way to ``new``: every lane as it was, no test waived.

    Raises:
        Invalid: ``program.malformed``, ``schedule.malformed`` as of a first program.
        Refused: ``deal.layout`` where the lanes would not mean the same; ``deal.dates`` where the open period would
            start or end at another time.
    """
    before, after = decode(old[0]).layout, decode(new[0]).layout
    bounds = period_bounds(new[0], state.period, new[1])
    if _lanes(before) != _lanes(after):
        hint = "An amended program keeps state words, cash words and payees."
        raise Refused("deal.layout", "The amended program's lanes lie elsewhere.", hint=hint)
    if bounds != period_bounds(old[0], state.period, old[1]):
        hint = "Only later periods may be moved."
        raise Refused("deal.dates", "The open period would have other dates.", hint=hint, period=state.period)
    return replace(_marked(state), waived=(0,) * TESTS_MAX)


def waive(state: DealState, test: int, through_period: int) -> DealState:
    """The state with test ``test`` (1-6) waived in all periods up to ``through_period``, counting from 1; 0 ends it.

    Raises:
        Refused: ``deal.waiver`` for a test or period out of range.
    """
    if not 1 <= test <= TESTS_MAX or not 0 <= through_period <= PERIODS_MAX:
        raise Refused("deal.waiver", "There is no such test or period.", hint="Tests count from 1 to 6.", test=test)
    waived = (*state.waived[: test - 1], through_period, *state.waived[test:])
    return replace(_marked(state), waived=waived)


def replace_payee(program_code: bytes, state: DealState, lane: int) -> DealState:
    """The state after another took a fee's lane: what it was owed until now stays owed to whom it was.

    Raises:
        Refused: ``deal.not_replaceable`` for any lane but a fee's.
    """
    if not state.paid <= lane < state.paid + decode(program_code).layout.replaceable:
        hint = "Only payees of fees are replaced; tranches are sold."
        raise Refused("deal.not_replaceable", "No vote gives this lane to another.", hint=hint, lane=lane)
    owed, place = unpaid(state, lane), lane - state.paid
    withdrawn = (*state.withdrawn[:place], state.lane(lane), *state.withdrawn[place + 1 :])
    return replace(state, withdrawn=withdrawn, former_usdc_micro=state.former_usdc_micro + owed)


def withdraw_former(state: DealState, amount_usdc_micro: int) -> DealState:
    """The state after a former payee withdrew what stayed owed to it [micro-dollars].

    Raises:
        Refused: ``deal.not_a_payee`` for more than all former payees are owed.
    """
    if not 0 <= amount_usdc_micro <= state.former_usdc_micro:
        raise Refused("deal.not_a_payee", "So much is not owed to former payees.", hint="Read `owed_former`.")
    words = (state.words[0] + amount_usdc_micro, *state.words[1:])
    return replace(state, words=words, former_usdc_micro=state.former_usdc_micro - amount_usdc_micro)


def _lanes(layout: Layout) -> tuple[int, ...]:
    return layout.state_words, layout.cash_words, layout.paid, layout.payees, layout.replaceable


def _marked(state: DealState) -> DealState:
    return replace(state, words=(state.words[0] | CHANGED << 64, *state.words[1:]))
