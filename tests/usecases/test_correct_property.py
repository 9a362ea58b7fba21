"""Any order of readings, certificates, claims and corrections: the laws hold, and what stands is what was counted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from correct_kit import KEY, Field
from device_kit import hours
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Refused
from penstock.journal.laws import breaches
from penstock.journal.segment import Columns
from penstock.journal.words import EpochCause, Right, TitleState
from penstock.usecases.correct import Asked, correct, plan
from penstock.usecases.replace import open_epoch, plan_epoch

RIGHTS = (Right.ATTRIBUTE, Right.ENERGY)
USES = (TitleState.CLAIMED, TitleState.RETIRED, TitleState.EXPORTED, TitleState.RESERVED)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("count"), st.integers(1, 4), st.integers(0, 900)),
        st.tuples(st.just("certify"), st.just(0), st.just(0)),
        st.tuples(st.just("use"), st.integers(0, 50), st.integers(0, 7)),
        st.tuples(st.just("lower"), st.integers(1, 2_000), st.integers(0, 1)),
        st.tuples(st.just("raise"), st.integers(1, 2_000), st.just(0)),
        st.tuples(st.just("reset"), st.just(0), st.just(0)),
    ),
    max_size=14,
)


@dataclass
class Model:
    """A roof as it truly was: hour, what it counted, what its counter shows."""

    yard: Field
    hour: int = 0
    truly_wh: int = 0
    shows_wh: int = 0
    waiting: list[Columns] = field(default_factory=list)

    def count(self, elapsed: int, gain_wh: int) -> None:
        self.hour, self.truly_wh, self.shows_wh = self.hour + elapsed, self.truly_wh + gain_wh, self.shows_wh + gain_wh
        columns = self.yard.taken((self.hour, self.shows_wh))
        assert columns["verdict"].tolist() == [0]
        self.waiting.append(columns)

    def certify(self, _one: int = 0, _two: int = 0) -> None:
        if self.waiting:
            with suppress(Refused):
                self.yard.certified(*self.waiting)

    def use(self, which: int, how: int) -> None:
        """Part of a title that is held, or was reserved, is used."""
        right, state = RIGHTS[how // 4], USES[how % 4]
        registers = range(len(self.yard.world.books.registers))
        live = [(one, *span) for one in registers for span in self.yard.spans(right, one) if span[2] == "held"]
        if live:
            register, start, stop, _ = live[which % len(live)]
            self.yard.moved(right, start + (stop - start) // 3, stop, state, register)

    def lower(self, by_wh: int, put_right: int) -> None:
        """What the present register counted is too much; its counter is put right, or goes on as it was."""
        by_wh = min(by_wh, self.yard.standing()[2])
        if by_wh:
            shown_wh = self.shows_wh - by_wh if put_right else self.shows_wh
            self.correct(self.shows_wh - by_wh, shown_wh)
            self.truly_wh, self.shows_wh = self.truly_wh - by_wh, shown_wh

    def higher(self, by_wh: int, _two: int) -> None:
        self.correct(self.shows_wh + by_wh, self.shows_wh + by_wh)
        self.truly_wh, self.shows_wh = self.truly_wh + by_wh, self.shows_wh + by_wh

    def correct(self, true_wh: int, shown_wh: int) -> None:
        asked = Asked("roof", true_wh, "operator", "", shown_wh)
        self.yard.tell(correct(self.yard.world, plan(self.yard.world, asked)))

    def reset(self, _one: int, _two: int) -> None:
        """The counter begins at 0 again, where all before is certified: nothing is lost on the way."""
        self.count(1, 10)
        self.certify()
        fact = plan_epoch(self.yard.world, "roof", EpochCause.RESET, hours(self.hour))
        self.yard.tell(open_epoch(self.yard.world, self.yard.signed_epoch(fact, KEY)), hours(self.hour))
        self.shows_wh = 0


@settings(max_examples=60, deadline=None)
@given(steps)
def test_laws_hold_and_debts_are_covered_exactly(taken: list[tuple[str, int, int]]) -> None:
    model = Model(Field())
    model.yard.enrolled()
    acts: dict[str, Callable[[int, int], None]] = {
        "count": model.count,
        "certify": model.certify,
        "use": model.use,
        "lower": model.lower,
        "raise": model.higher,
        "reset": model.reset,
    }
    for act, one, two in taken:
        acts[act](one, two)
        assert breaches(model.yard.world.books) == ()
    model.count(1, 1)
    model.certify()
    for right in RIGHTS:
        assert model.yard.standing_wh(right) - model.yard.owed_wh() == model.truly_wh
    model.count(24, 40_000)
    model.certify()
    assert model.yard.owed_wh() == 0
    for right in RIGHTS:
        assert model.yard.standing_wh(right) == model.truly_wh
    assert breaches(model.yard.world.books) == ()
