"""Withdraw: live certificates go, used ones are owed and covered by what is issued next, storage is reached."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from device_kit import START_US, hours
from registry_kit import ROOF, Registry, named

from penstock.errors import Corrupt
from penstock.journal.fact import Entry
from penstock.journal.formats import LINKS, TITLES
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.kinds.withdrawal import CertificatesWithdrawn
from penstock.journal.laws import breaches
from penstock.journal.segment import Segment
from penstock.journal.words import (
    Assurance,
    LinkKind,
    RegisterKind,
    Right,
    Technology,
    TitleState,
    Unit,
)
from penstock.period import HOUR_US, Period
from penstock.usecases.claim import Claim, claim
from penstock.usecases.correct import debts
from penstock.usecases.match import link_entry
from penstock.usecases.registry.reserve import Reserve, reserve
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.selection import Named, Selection
from penstock.usecases.registry.withdraw import Withdrawal, withdraw

CHARGE, DISCHARGE, LOSS, DRAWN = "battery/charge", "battery/discharge", "battery/loss", "rack/import"


def withdrawal(*spans: tuple[int, int], register: str = ROOF) -> Withdrawal:
    return Withdrawal(named(*spans, register=register), "the meter was another's", "told to all")


def test_what_nobody_used_is_withdrawn_and_nothing_owed(registry: Registry) -> None:
    registry.do(reserve, Reserve("owner", named((0, 400)), "buyer", hours(9)))
    told, moves = registry.do(withdraw, withdrawal((0, 1_200)))
    assert isinstance(told.fact, CertificatesWithdrawn)
    assert (told.fact.quantity, told.fact.owed) == (1_200, 0)
    assert moves.segment is not None
    assert registry.wh("owner", "withdrawn") == 1_200
    assert debts(registry.world) == []


def test_what_was_used_stands_and_is_covered_by_what_comes_next(registry: Registry) -> None:
    registry.do(retire, Retirement("owner", named((100, 400)), "buyer", "an event"))
    told, _ = registry.do(withdraw, withdrawal((0, 1_000)))
    assert isinstance(told.fact, CertificatesWithdrawn)
    assert told.fact.owed == 300
    (row,) = debts(registry.world)
    assert row == {"register": ROOF, "debt_wh": 300, "covered_wh": 0, "owed_wh": 300, "rights": ["attribute"]}
    registry.counted((6, 5_100), (7, 5_900))
    assert breaches(registry.world.books) == ()
    assert sum(b - a for a, b, _, state in registry.owned() if a >= 5_000 and state == "withdrawn") == 300
    assert sum(b - a for a, b, state in registry.spans(Right.ENERGY) if state == "held") == 5_900
    assert debts(registry.world)[0]["owed_wh"] == 0


def test_two_withdrawals_owe_one_after_the_other(registry: Registry) -> None:
    registry.do(retire, Retirement("owner", named((0, 100), (2_500, 2_700)), "buyer", "an event"))
    registry.do(withdraw, withdrawal((0, 1_000)))
    registry.counted((5, 5_060))
    registry.do(withdraw, withdrawal((2_500, 3_000)), 6)
    assert registry.world.books.corrections.debts.of(Right.ATTRIBUTE, 0) == [(5_000, 5_300)]
    registry.counted((7, 6_000))
    assert sum(b - a for a, b, _, state in registry.owned() if a >= 5_000 and state == "withdrawn") == 300
    registry.do(retire, Retirement("owner", named((5_300, 5_400)), "buyer", "an event"), 8)
    registry.do(withdraw, withdrawal((5_350, 5_500)), 8)
    assert registry.world.books.corrections.debts.of(Right.ATTRIBUTE, 0) == [(5_000, 5_300), (6_000, 6_050)]


def test_a_debt_goes_along_to_the_register_that_follows(registry: Registry) -> None:
    registry.do(retire, Retirement("owner", named((0, 1_000)), "buyer", "an event"))
    registry.do(withdraw, withdrawal((0, 1_000)))
    registry.corrected(4_900)
    assert breaches(registry.world.books) == ()
    owed = {row["register"]: row["owed_wh"] for row in debts(registry.world)}
    assert owed == {f"{ROOF}#2": 1_000}
    registry.do(retire, Retirement("owner", named((1_000, 1_500)), "buyer", "an event"))
    registry.do(withdraw, withdrawal((1_000, 1_500)))
    owed = {row["register"]: row["owed_wh"] for row in debts(registry.world)}
    assert owed == {f"{ROOF}#2": 1_500}  # the old register issues no more


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (Withdrawal(named((0, 1)), " "), "withdraw.reason"),
        (Withdrawal(named((0, 1)), "x", by="attacker"), "account.not_member"),
        (Withdrawal(named((4_999, 5_001)), "x"), "titles.none"),
        (Withdrawal(named((0, 10), (5, 15)), "x"), "selection.twice"),
        (Withdrawal(Selection(quantity_wh=5_001), "x"), "selection.short"),
    ],
)
def test_a_withdrawal_is_refused(registry: Registry, asked: Withdrawal, code: str) -> None:
    assert registry.refused(withdraw, asked) == code


def test_nothing_is_withdrawn_twice(registry: Registry) -> None:
    registry.do(retire, Retirement("owner", named((0, 100)), "buyer", "an event"))
    registry.do(withdraw, withdrawal((0, 1_000)))
    assert registry.refused(withdraw, withdrawal((500, 600))) == "titles.not_active"
    assert registry.refused(withdraw, withdrawal((50, 60))) == "withdraw.twice"


class Storage(Registry):
    """The roof's second hour was claimed for a charge, discharged with a loss, and the discharge certified."""

    def stored(self) -> Storage:
        self.with_hours()
        books = self.world.books
        for urn, kind, rights in (
            (CHARGE, RegisterKind.PROMISED, ()),
            (DISCHARGE, RegisterKind.PROMISED, (Right.ATTRIBUTE,)),
            (LOSS, RegisterKind.LOSS, ()),
            (DRAWN, RegisterKind.PROMISED, ()),
        ):
            self.tell([Entry(RegisterOpened(urn, Unit.WH, kind, rights))])
        self.used((ROOF, 1_000, 2_000, CHARGE, 0, 1_000))
        stores = self.links((CHARGE, 0, 720, DISCHARGE, 0, 720), (CHARGE, 720, 800, LOSS, 0, 80))
        self.tell([link_entry(self.world, LinkKind.STORE, stores, Period(hours(2), hours(3)))])
        columns = {
            "register": np.array([books.registers.id_of(DISCHARGE)], dtype=np.int32),
            "start": np.array([0]),
            "stop": np.array([720]),
            "holder": np.array([books.accounts.id_of("owner")], dtype=np.int32),
            "interval_us": np.array([hours(2)]),
        }
        segment = Segment(TITLES, columns)
        issued = TitlesIssued(
            segment.ref(), Right.ATTRIBUTE, "XX", Technology.SOLAR_PV, Assurance.METER_SIGNED, HOUR_US, 720, stored=True
        )
        self.tell([Entry(issued, segment)])
        return self

    def links(self, *rows: tuple[str, int, int, str, int, int]) -> dict[str, np.ndarray]:
        ids = self.world.books.registers.id_of
        numbered = [(ids(a), b, c, ids(d), e, f) for a, b, c, d, e, f in rows]
        return {
            name: np.array(column, dtype)
            for (name, dtype), column in zip(LINKS.fixed, zip(*numbered, strict=True), strict=True)
        }

    def used(self, *rows: tuple[str, int, int, str, int, int]) -> None:
        self.tell(claim(self.world, self.links(*rows), Claim("owner", "a use", Period(START_US, hours(1)))))

    def discharged(self) -> Sequence[tuple[int, int, str, str]]:
        return self.owned(self.world.books.registers.id_of(DISCHARGE))


@pytest.fixture
def storage() -> Storage:
    return Storage().stored()


def test_what_came_of_it_in_a_storage_is_withdrawn_with_it(storage: Storage) -> None:
    told, _ = storage.do(withdraw, withdrawal((1_000, 2_000)))
    assert isinstance(told.fact, CertificatesWithdrawn)
    assert told.fact.owed == 280  # 80 lost, 200 not discharged yet: they stand as claimed
    assert storage.discharged() == [(0, 720, "owner", "withdrawn")]
    assert storage.owned()[1:3] == [(1_000, 1_720, "owner", "withdrawn"), (1_720, 2_000, "owner", "claimed")]


def test_what_was_used_of_a_discharge_is_owed_where_it_came_from(storage: Storage) -> None:
    storage.used((DISCHARGE, 100, 300, DRAWN, 0, 200))
    told, _ = storage.do(withdraw, withdrawal((900, 2_000)))
    assert isinstance(told.fact, CertificatesWithdrawn)
    assert told.fact.owed == 200 + 280
    assert storage.discharged() == [
        (0, 100, "owner", "withdrawn"),
        (100, 300, "owner", "claimed"),
        (300, 720, "owner", "withdrawn"),
    ]
    assert [span for span in storage.owned() if span[3] == "claimed"] == [
        (1_100, 1_300, "owner", "claimed"),
        (1_720, 2_000, "owner", "claimed"),
    ]


def test_a_second_storage_is_reached_too(storage: Storage) -> None:
    """Roof to battery, battery to the same battery again: the reach goes on as long as claims lead further."""
    storage.used((DISCHARGE, 0, 200, CHARGE, 1_000, 1_200))
    stores = storage.links((CHARGE, 1_000, 1_100, DISCHARGE, 720, 820))
    storage.tell([link_entry(storage.world, LinkKind.STORE, stores, Period(hours(3), hours(4)))])
    columns = {
        "register": np.array([storage.world.books.registers.id_of(DISCHARGE)], dtype=np.int32),
        "start": np.array([720]),
        "stop": np.array([820]),
        "holder": np.array([storage.world.books.accounts.id_of("buyer")], dtype=np.int32),
        "interval_us": np.array([hours(3)]),
    }
    segment = Segment(TITLES, columns)
    issued = TitlesIssued(
        segment.ref(), Right.ATTRIBUTE, "XX", Technology.SOLAR_PV, Assurance.METER_SIGNED, HOUR_US, 100, stored=True
    )
    storage.tell([Entry(issued, segment)])
    told, _ = storage.do(withdraw, withdrawal((1_000, 2_000)))
    assert isinstance(told.fact, CertificatesWithdrawn)
    assert told.fact.owed == 280 + 100  # of the second round 100 are not discharged yet
    assert [span for span in storage.discharged() if span[3] != "withdrawn"] == [(100, 200, "owner", "claimed")]


def test_a_claim_is_undone_by_a_withdrawal_alone(storage: Storage) -> None:
    storage.do(withdraw, withdrawal((1_000, 1_100)))
    with pytest.raises(Corrupt) as caught:
        storage.moved(Right.ATTRIBUTE, 1_100, 1_200, TitleState.WITHDRAWN)
    assert caught.value.ids["cause"] == "titles.not_active"


def test_a_fact_that_says_another_debt_does_not_apply(registry: Registry) -> None:
    told, _ = withdraw(registry.world, withdrawal((0, 1_000)), hours(5))
    assert isinstance(told.fact, CertificatesWithdrawn)
    fact = told.fact
    forged = CertificatesWithdrawn(fact.segment, fact.reason, fact.statement, fact.by, fact.quantity, 5)
    with pytest.raises(Corrupt) as caught:
        registry.tell([Entry(forged, told.segment)])
    assert caught.value.ids["cause"] == "state.sum"


def test_names_are_of_no_use_where_nothing_was_issued(registry: Registry) -> None:
    asked = Withdrawal(Selection((Named("no such", 0, 1),)), "x")
    assert registry.refused(withdraw, asked) == "register.unknown"
