"""Consumption certificates: issued for what was drawn, as certificates are for what was generated, and beside them."""

from __future__ import annotations

import pytest
from consumer_kit import Consumers
from device_kit import START_US, key_of

from penstock.errors import Corrupt, Invalid, Refused
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.laws import breaches
from penstock.journal.words import RegisterKind, Right, Technology, Unit
from penstock.period import QUARTER_HOUR_US
from penstock.usecases.certify import certify
from penstock.usecases.correct import Asked, correct, plan
from penstock.usecases.enrol import NewDevice, enrol_device
from penstock.usecases.registry.consume import consume


def test_what_was_drawn_is_certified_by_the_hour() -> None:
    registry = Consumers().consumed("home", (1, 700), (2, 900), (3, 900), (4, 1_000))
    assert registry.drawn("home") == [
        (0, 700, "home", "held"),
        (700, 900, "home", "held"),
        (900, 1_000, "home", "held"),
    ]
    assert breaches(registry.world.books) == ()


def test_only_the_right_to_say_what_supplied_it_is_issued() -> None:
    registry = Consumers()
    columns = registry.drew("home", (1, 700))
    (entry,) = consume(registry.world, [columns], "XX")
    assert isinstance(entry.fact, TitlesIssued)
    assert (entry.fact.right, entry.fact.quantity, entry.fact.technology) == (Right.CONSUMPTION, 700, Technology.LOAD)
    with pytest.raises(Refused) as caught:
        certify(registry.world, [columns], "XX")
    assert caught.value.code == "certificate.nothing"


def test_the_same_hours_again_are_nothing_new() -> None:
    registry = Consumers()
    columns = registry.drew("home", (1, 700), (2, 900))
    registry.tell(consume(registry.world, [columns], "XX"))
    with pytest.raises(Refused) as caught:
        consume(registry.world, [columns], "XX")
    assert caught.value.code == "certificate.nothing"


def test_an_issue_told_twice_does_not_apply() -> None:
    registry = Consumers()
    entries = consume(registry.world, [registry.drew("home", (1, 700))], "XX")
    registry.tell(entries)
    with pytest.raises(Corrupt):
        registry.tell(entries)


def test_quarters_of_an_hour() -> None:
    registry = Consumers().consumed("home", (0.25, 10), (0.5, 30), (1, 70), interval_us=QUARTER_HOUR_US)
    titles = registry.world.books.titles[Right.CONSUMPTION].columns()
    assert titles["interval_us"].tolist() == [START_US + n * QUARTER_HOUR_US for n in range(4)]
    assert (titles["stop"] - titles["start"]).tolist() == [10, 20, 20, 20]


def test_a_register_that_draws_issues_nothing_else() -> None:
    registry = Consumers()
    both = RegisterOpened("mixed", Unit.WH, RegisterKind.COUNTED, (Right.CONSUMPTION, Right.ATTRIBUTE))
    with pytest.raises(Refused) as caught:
        registry.world.books.registers.check_open(both)
    assert caught.value.code == "register.rights"


def test_a_meter_may_certify_both_ways_on_two_registers() -> None:
    registry = Consumers()
    meter = NewDevice(
        "meter", "site", Technology.SOLAR_PV, key_of("meter").public, 5_000, START_US, ("export", "import"),
        consumes=("import",),
    )  # fmt: skip
    registry.tell(enrol_device(registry.world, meter))
    registers = registry.world.books.registers
    export, drawn = (registers.id_of(f"meter/{channel}") for channel in ("export", "import"))
    assert [bool(registers.issues(right)[export]) for right in (Right.ATTRIBUTE, Right.CONSUMPTION)] == [True, False]
    assert [bool(registers.issues(right)[drawn]) for right in (Right.ATTRIBUTE, Right.CONSUMPTION)] == [False, True]
    assert registry.world.energy.issues(drawn)


def test_what_a_device_draws_is_one_of_its_channels() -> None:
    meter = NewDevice(
        "meter", "site", Technology.LOAD, key_of("meter").public, 5_000, START_US, ("import",), consumes=("export",)
    )
    with pytest.raises(Invalid) as caught:
        enrol_device(Consumers().world, meter)
    assert caught.value.code == "device.consumes"


def test_what_was_never_drawn_is_withdrawn() -> None:
    registry = Consumers().consumed("home", (1, 700), (2, 900))
    fact = plan(registry.world, Asked("home", 800, "operator", "a wrong ratio", None))
    registry.tell(correct(registry.world, fact))
    assert registry.drawn("home") == [
        (0, 700, "home", "held"), (700, 800, "home", "held"), (800, 900, "home", "withdrawn"),
    ]  # fmt: skip
    assert breaches(registry.world.books) == ()
