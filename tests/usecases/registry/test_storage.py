"""Storage: charge records, discharge records first in first out, certificates that keep their origin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from device_kit import hours
from registry_kit import named
from storage_kit import CHARGE, DISCHARGE, NAME, NEW, Plant, efficiency

from penstock.errors import PenstockError
from penstock.journal.kinds.energy import TitlesIssued
from penstock.journal.kinds.storage import StorageClosed, StorageRecordsWithdrawn
from penstock.journal.words import Direction, LinkKind, Right, Technology, TitleState
from penstock.period import HOUR_US, QUARTER_HOUR_US
from penstock.span import Span
from penstock.trace.lineage import back
from penstock.usecases.correct import debts
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.selection import Named
from penstock.usecases.registry.storage import (
    close_storage,
    issue_stored,
    register_storage,
    state_efficiency,
    withdraw_records,
)
from penstock.usecases.registry.storage_records import Metered, charge, discharge
from penstock.usecases.registry.storage_rows import chain, record_rows, storage_row, stored_from
from penstock.usecases.registry.withdraw import Withdrawal, withdraw


@pytest.fixture
def plant() -> Plant:
    """Hour 0: the roof's 600 Wh and the turbine's 300 Wh certified, 1,000 Wh charged. Hour 1: 500 Wh discharged."""
    made = Plant().built()
    made.meter(1, roof=600, turbine=300, inlet=1_000)
    made.meter(2, battery=500)
    made.certify(2)
    return made


def refused(plant: Plant, act: Any, *asked: Any) -> str:
    before = plant.world.books.digest()
    with pytest.raises(PenstockError) as caught:
        act(plant.world, *asked)
    assert plant.world.books.digest() == before
    return caught.value.code


def test_certificates_of_the_hour_are_claimed_for_the_charge_one_origin_after_the_other(plant: Plant) -> None:
    plant.charge(2)
    assert plant.certificates("roof/export") == [(0, 600, "solar_pv", "claimed")]
    assert plant.certificates("turbine/export") == [(0, 300, "wind", "claimed")]
    assert plant.records(Direction.CHARGE) == [(0, 600), (600, 900), (900, 1_000)]
    told = [(row["certified"], row.get("technology")) for row in record_rows(plant.world, NAME, Direction.CHARGE)]
    assert told == [(True, "solar_pv"), (True, "wind"), (False, None)]
    assert plant.certificates("roof/export", Right.ENERGY) == [(0, 600, "solar_pv", "claimed")]


def test_discharge_takes_the_oldest_charge_and_shares_loss_by_origin(plant: Plant) -> None:
    plant.charge(2)
    plant.discharge(2)
    assert plant.records(Direction.DISCHARGE, "start", "stop", "charge") == [(0, 480, 0), (480, 500, 1)]
    links = plant.world.books.links[LinkKind.STORE].columns()
    rows = zip(
        *(links[name].tolist() for name in ("source_start", "source_stop", "target", "target_start")), strict=True
    )
    out, loss = plant.register(DISCHARGE), plant.register(f"{NAME}/loss")
    assert list(rows) == [(0, 480, out, 0), (480, 600, loss, 0), (600, 620, out, 480), (620, 625, loss, 120)]
    row = storage_row(plant.world, NAME)
    assert (row["from_charge_wh"], row["lost_wh"], row["stored_wh"]) == (500, 125, 375)


def test_certificates_of_the_discharge_look_through_to_their_origin(plant: Plant) -> None:
    plant.charge(2)
    plant.discharge(2)
    facts = plant.issue(2)
    assert plant.certificates() == [(0, 480, "solar_pv", "held"), (480, 500, "wind", "held")]
    assert plant.certificates(DISCHARGE, Right.ENERGY) == [(0, 480, "battery", "held"), (480, 500, "battery", "held")]
    assert all(fact.stored and fact.zone == "XX" and fact.interval_us == HOUR_US for fact in facts)
    assert plant.wh("owner", "held") == 0 and plant.owned(plant.register(DISCHARGE))[0][2] == "owner"


def test_charge_without_certificates_gives_none(plant: Plant) -> None:
    plant.charge(2)
    plant.meter(3, battery=300)
    plant.discharge(3)
    plant.issue(3)
    assert plant.certificates()[-1] == (720, 800, "battery", "withdrawn")
    assert plant.certificates()[:-1] == [
        (0, 480, "solar_pv", "held"),
        (480, 500, "wind", "held"),
        (500, 720, "wind", "held"),
    ]
    assert plant.certificates(DISCHARGE, Right.ENERGY)[-1] == (720, 800, "battery", "held")


def test_every_discharged_unit_leads_to_its_certificate_and_back(plant: Plant) -> None:
    plant.charge(2)
    plant.discharge(2)
    plant.issue(2)
    found = chain(plant.world, DISCHARGE, 470, 490)
    claimed = [(one["register"], one["start"], one["stop"], one["state"]) for one in found["claimed_certificates"]]
    assert claimed == [("roof/export", 470, 480, "claimed"), ("turbine/export", 0, 10, "claimed")]
    assert [row["charge_record"] for row in found["discharge_records"]] == [0, 1]
    assert [row["record"] for row in found["charge_records"]] == [0, 1]
    assert [one["stored"] for one in found["certificates"]] == [True, True]
    links = plant.world.books.links[LinkKind.CLAIM].columns()
    ahead = stored_from(plant.world.books, links["source"], links["source_start"], links["source_stop"])
    assert sorted(zip(ahead["start"].tolist(), ahead["stop"].tolist(), strict=True)) == [(0, 480), (480, 500)]
    tree = back(plant.world.books, DISCHARGE, Span(470, 490))
    assert tree.closes and tree.children[0].children[0].register == "roof/export"
    with pytest.raises(PenstockError, match="No recorded charge"):
        chain(plant.world, CHARGE, 0, 10)


def test_energy_that_somebody_else_holds_is_not_drawn_here(plant: Plant) -> None:
    plant.moved(Right.ENERGY, 0, 100, TitleState.RETIRED)
    plant.charge(2)
    links = plant.world.books.links[LinkKind.ALLOCATE].columns()
    assert (links["source_stop"] - links["source_start"]).sum() == 800
    assert plant.certificates("roof/export", Right.ENERGY)[0] == (0, 100, "solar_pv", "retired")


def test_named_certificates_alone_are_claimed(plant: Plant) -> None:
    plant.charge(2, certificates=(Named("roof/export", 100, 250),))
    assert plant.records(Direction.CHARGE) == [(0, 150), (150, 1_000)]
    assert [one[:2] for one in plant.certificates("roof/export") if one[3] == "claimed"] == [(100, 250)]


def test_bare_claims_nothing(plant: Plant) -> None:
    plant.charge(2, bare=True)
    assert plant.records(Direction.CHARGE, "start", "stop", "lot") == [(0, 1_000, -1)]


def test_remainders_are_carried_and_never_rounded_up() -> None:
    plant = Plant().built(2, 3)
    for hour in range(1, 8):
        plant.meter(hour, inlet=1)
    plant.charge(7)
    plant.meter(8, battery=1)
    plant.discharge(8)
    assert storage_row(plant.world, NAME)["stored_wh"] == 5  # 2 Wh of charge for the first
    plant.meter(9, battery=1)
    plant.discharge(9)
    assert storage_row(plant.world, NAME)["stored_wh"] == 4  # and 1 Wh more for the second
    plant.meter(10, battery=3)
    asked = Metered(NAME)
    assert refused(plant, discharge, asked, plant.taken_in) == "storage.beyond_charge"


def test_another_efficiency_holds_from_its_first_discharge_on(plant: Plant) -> None:
    plant.told(state_efficiency(plant.world, efficiency(1, 2, 4_000, 8_000)))
    with pytest.raises(PenstockError, match="Another efficiency"):
        state_efficiency(plant.world, efficiency(1, 2, 7_999, 9_000))
    late = Plant()
    late.told(register_storage(late.world, NEW))
    late.told(state_efficiency(late.world, efficiency(4, 5, 0, 3)))
    late.told(state_efficiency(late.world, efficiency(1, 2, 3, 9)))
    late.meter(1, inlet=1_000)
    late.meter(3, battery=400)
    late.meter(5, battery=200)
    late.charge(5)
    late.discharge(5)
    row = storage_row(late.world, NAME)
    assert (row["from_charge_wh"], row["lost_wh"], row["stored_wh"]) == (600, 300, 100)


def test_discharge_beyond_the_charge_is_refused_or_stands_without_origin(plant: Plant) -> None:
    plant.charge(2)
    plant.meter(3, battery=400)
    assert refused(plant, discharge, Metered(NAME), plant.taken_in) == "storage.beyond_charge"
    plant.discharge(3, surplus=True)
    assert plant.records(Direction.DISCHARGE, "start", "stop", "charge")[-2:] == [(720, 800, 2), (800, 900, -1)]
    plant.issue(3)
    assert plant.certificates()[-1][1] == 800  # nothing beyond what charge filled
    plant.meter(4, inlet=100)
    plant.charge(4)
    plant.meter(5, battery=80)
    plant.discharge(5)
    plant.issue(5)
    assert plant.certificates()[-2:] == [(800, 900, "battery", "withdrawn"), (900, 980, "battery", "withdrawn")]


def test_charge_of_a_later_interval_supplies_no_earlier_discharge() -> None:
    plant = Plant().built()
    plant.meter(1, battery=10)
    plant.meter(2, inlet=100)
    plant.charge(2)
    assert refused(plant, discharge, Metered(NAME), plant.taken_in) == "storage.beyond_charge"


def test_what_was_counted_before_the_first_record_is_issued_and_withdrawn(plant: Plant) -> None:
    plant.charge(2)
    plant.meter(3, battery=100)
    plant.discharge(3, start_us=hours(2))
    plant.issue(3)
    assert plant.certificates() == [(0, 500, "battery", "withdrawn"), (500, 600, "solar_pv", "held")]


def test_assurance_is_the_weakest_on_the_way(plant: Plant) -> None:
    plant.charge(2)
    plant.discharge(2)
    assert {fact.assurance.value for fact in plant.issue(2)} == {"meter_signed"}
    plant.world.storages.charges["assurance"][:] = 2
    plant.meter(3, battery=100)
    plant.discharge(3)
    issued = [fact for fact in plant.issue(3) if fact.right is Right.ATTRIBUTE]
    assert [fact.assurance.value for fact in issued] == ["vendor_attested"]


def test_carbon_validity_and_support_go_along() -> None:
    plant = Plant().built()
    plant.meter(1, roof=100, inlet=100)
    plant.certify(1, carbon_mg_per_kwh=41_000, valid_us=100 * HOUR_US, support="tariff")
    plant.charge(1)
    plant.meter(2, battery=80)
    plant.discharge(2)
    fact = next(one for one in plant.issue(2) if one.right is Right.ATTRIBUTE)
    assert (fact.carbon_mg_per_kwh, fact.valid_us, fact.support, fact.quantity) == (41_000, 100 * HOUR_US, "tariff", 80)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"interval_us": QUARTER_HOUR_US - 1}, "certificate.interval"),
        ({"interval_us": 2 * HOUR_US}, "certificate.interval"),
        ({"start_us": hours(2)}, "storage.nothing"),
        ({"storage": "nowhere"}, "storage.unknown"),
        ({"certificates": (Named("roof/export", 0, 700),)}, "titles.none"),
        ({"certificates": (Named("battery/discharge", 0, 1),)}, "titles.none"),
        ({"certificates": (Named("roof/export", 0, 10), Named("roof/export", 5, 9))}, "selection.twice"),
        ({"by": "0123456789ab"}, "account.not_member"),
    ],
)
def test_charges_that_cannot_be_are_refused(plant: Plant, asked: dict[str, Any], code: str) -> None:
    asked = {"storage": NAME, **asked}
    assert refused(plant, charge, Metered(**asked), plant.taken_in, hours(2)) == code


def test_foreign_used_expired_and_misplaced_certificates_are_refused() -> None:
    plant = Plant().built()
    plant.meter(1, roof=600, inlet=100)
    plant.meter(2, roof=50, inlet=100)
    plant.certify(2, valid_us=10 * HOUR_US)

    def of(start: int, stop: int, hour: float = 2, **asked: Any) -> str:
        told = Metered(NAME, certificates=(Named("roof/export", start, stop),), **asked)
        return refused(plant, charge, told, plant.taken_in, hours(hour))

    assert of(0, 101) == "storage.beyond_charged"
    assert of(0, 50, stop_us=hours(2), start_us=hours(1)) == "storage.other_interval"
    assert of(0, 50, hour=14) == "titles.expired"
    assert of(0, 50, interval_us=QUARTER_HOUR_US) == "storage.other_interval"
    plant.moved(Right.ATTRIBUTE, 0, 50, TitleState.RESERVED)
    assert of(0, 50) == "titles.not_active"
    other = Plant()
    other.told(register_storage(other.world, replace(NEW, operator="trader")))
    other.meter(1, roof=600, inlet=100)
    other.certify(1)
    told = Metered(NAME, certificates=(Named("roof/export", 0, 50),))
    assert refused(other, charge, told, other.taken_in, hours(1)) == "titles.other_holder"
    other.charge(1)
    assert other.records(Direction.CHARGE, "lot") == [(-1,)]


def test_records_leave_no_interval_out(plant: Plant) -> None:
    plant.charge(2)
    plant.meter(3, inlet=10)
    plant.meter(4, inlet=10)
    assert refused(plant, charge, Metered(NAME, start_us=hours(3)), plant.taken_in, hours(4)) == "storage.gap"


def test_another_zone_is_refused() -> None:
    plant = Plant()
    assert refused(plant, register_storage, replace(NEW, zone="YY")) == "storage.zone"
    plant.built()
    plant.meter(1, roof=100, inlet=100)
    plant.taken_in, taken = plant.taken_in[:1], plant.taken_in
    from penstock.usecases.certify import certify

    plant.told(certify(plant.world, taken, "YY"), 1)
    told = Metered(NAME, certificates=(Named("roof/export", 0, 50),))
    assert refused(plant, charge, told, taken, hours(1)) == "storage.other_zone"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"storage": ""}, "storage.name"),
        ({"operator": "nobody"}, "account.unknown"),
        ({"charge_register": "nowhere"}, "register.unknown"),
        ({"charge_register": DISCHARGE}, "storage.registers"),
        ({"discharge_register": CHARGE}, "storage.registers"),
        ({"discharge_register": "turbine/export"}, "storage.issued_already"),
    ],
)
def test_storages_that_cannot_be_are_refused(changes: dict[str, Any], code: str) -> None:
    plant = Plant()
    plant.meter(1, turbine=100)
    plant.certify(1)
    assert refused(plant, register_storage, replace(NEW, **changes)) == code


def test_a_register_belongs_to_one_storage_and_a_name_to_one(plant: Plant) -> None:
    assert refused(plant, register_storage, NEW) == "storage.known"
    assert refused(plant, register_storage, replace(NEW, storage="other")) == "storage.register_taken"


@pytest.mark.parametrize(
    ("fact", "code"),
    [
        (efficiency(0, 5, basis_out_wh=1), "storage.efficiency"),
        (efficiency(4, 5, method=""), "storage.efficiency"),
        (efficiency(5, 4), "storage.output_above_input"),
        (efficiency(4, 5, basis_in_wh=0), "storage.output_above_input"),
        (efficiency(4, 5, basis_out_wh=3), "storage.above_basis"),
        (efficiency(4, 5, 10, 10), "storage.period"),
        (efficiency(4, 5, 0, 24 * 185), "storage.first_period"),
        (efficiency(4, 5, basis_start_us=hours(-24 * 190)), "storage.first_period"),
    ],
)
def test_efficiencies_that_cannot_be_are_refused(fact: Any, code: str) -> None:
    plant = Plant()
    plant.told(register_storage(plant.world, NEW))
    assert refused(plant, state_efficiency, fact) == code


def test_without_an_efficiency_nothing_is_discharged() -> None:
    plant = Plant()
    plant.told(register_storage(plant.world, NEW))
    plant.meter(1, inlet=100, battery=10)
    plant.charge(1)
    assert refused(plant, discharge, Metered(NAME), plant.taken_in) == "storage.no_efficiency"
    plant.discharge(1, surplus=True)
    assert refused(plant, issue_stored, NAME) == "storage.nothing"


def test_a_closed_storage_takes_no_record_but_certifies_what_it_has(plant: Plant) -> None:
    plant.charge(2)
    plant.discharge(2)
    closed = StorageClosed(NAME, "dismantled")
    plant.told(close_storage(plant.world, closed))
    plant.meter(3, inlet=10, battery=10)
    assert refused(plant, charge, Metered(NAME), plant.taken_in, hours(3)) == "storage.closed"
    assert refused(plant, discharge, Metered(NAME), plant.taken_in) == "storage.closed"
    assert refused(plant, state_efficiency, efficiency(4, 5, 4_000, 5_000)) == "storage.closed"
    assert refused(plant, close_storage, closed) == "storage.closed"
    plant.issue(3)
    assert plant.certificates()[-1][1] == 500


def test_records_are_withdrawn_newest_first_while_nothing_is_built_on_them(plant: Plant) -> None:
    plant.charge(2)

    def of(direction: Direction, first: int) -> StorageRecordsWithdrawn:
        return StorageRecordsWithdrawn(NAME, direction, first, "a wrong certificate")

    plant.discharge(2)
    assert refused(plant, withdraw_records, of(Direction.CHARGE, 1)) == "storage.built_on"
    assert refused(plant, withdraw_records, of(Direction.CHARGE, 9)) == "storage.no_record"
    assert refused(plant, withdraw_records, of(Direction.IMPORT, 0)) == "storage.direction"
    plant.told(withdraw_records(plant.world, of(Direction.CHARGE, 2)))
    assert refused(plant, withdraw_records, of(Direction.CHARGE, 2)) == "storage.no_record"
    plant.told(withdraw_records(plant.world, of(Direction.DISCHARGE, 1)))
    plant.issue(2)
    assert plant.certificates() == [(0, 480, "solar_pv", "held"), (480, 500, "battery", "withdrawn")]
    assert refused(plant, withdraw_records, of(Direction.DISCHARGE, 0)) == "storage.built_on"
    states = [row["state"] for row in record_rows(plant.world, NAME, Direction.CHARGE)]
    assert states == ["standing", "standing", "withdrawn"]


def test_a_discharge_register_issues_through_its_storage_alone(plant: Plant) -> None:
    """What the certifier is handed of it, it passes over; nothing is issued beyond what charge filled."""
    plant.meter(3, roof=5, battery=100)
    plant.certify(3)
    assert plant.certificates() == []
    assert plant.world.books.issue_limit()[plant.register(DISCHARGE)] == 0


def test_nothing_to_certify_twice(plant: Plant) -> None:
    plant.charge(2)
    assert refused(plant, issue_stored, NAME) == "storage.nothing"
    plant.discharge(2)
    plant.issue(2)
    assert refused(plant, issue_stored, NAME) == "storage.nothing"


def test_a_local_day_that_changes_to_winter_time_has_25_records() -> None:
    """Intervals are UTC: from midnight to midnight in Madrid, 2026-10-25, are 25 of them; 2026-03-29 has 23."""
    from penstock.period import parse_iso

    for day, following, count in (
        ("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00", 25),
        ("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00", 23),
    ):
        start_us, stop_us = parse_iso(day), parse_iso(following)
        plant = Plant()
        plant.told(register_storage(plant.world, NEW))
        first = (start_us - hours(0)) // HOUR_US
        plant.meter(first, inlet=7)
        for hour in range(first + 1, first + 28):
            plant.meter(hour, inlet=10)
        plant.charge(first + 28, start_us=start_us, stop_us=stop_us)
        assert len(plant.records(Direction.CHARGE)) == count


def test_quarter_hours_are_recorded_with_certificates_of_quarter_hours() -> None:
    plant = Plant().built()
    for quarter in range(1, 5):
        plant.meter(quarter / 4, roof=100, inlet=50)
    plant.certify(1, interval_us=QUARTER_HOUR_US)
    plant.charge(1, interval_us=QUARTER_HOUR_US)
    assert plant.records(Direction.CHARGE) == [(0, 50), (50, 100), (100, 150), (150, 200)]
    plant.meter(2, battery=160)
    plant.discharge(2)  # another length of interval than the charge's
    facts = plant.issue(2)
    assert {(fact.quantity, fact.interval_us) for fact in facts} == {(160, HOUR_US)}
    assert len(plant.certificates()) == 4


def test_a_replaced_meter_goes_on_with_the_same_records() -> None:
    from device_kit import key_of

    from penstock.journal.words import EpochCause
    from penstock.usecases.replace import open_epoch, plan_epoch

    plant = Plant().built()
    plant.meter(1, roof=100, inlet=100)
    plant.certify(1)
    plant.charge(1)
    for device in ("inlet", "battery"):
        fact = plan_epoch(plant.world, device, EpochCause.RESET, hours(1))
        plant.told(open_epoch(plant.world, plant.signed_epoch(fact, key_of(device))), 1)
        plant.counts[device] = 0
    plant.meter(2, roof=100, inlet=100)
    plant.certify(2)
    plant.charge(2)
    plant.meter(3, battery=120)
    plant.discharge(3)
    plant.issue(3)
    assert plant.certificates("battery/discharge#2") == [(0, 80, "solar_pv", "held"), (80, 120, "solar_pv", "held")]


def test_a_fact_that_should_not_stand_is_refused_as_it_is_applied(plant: Plant) -> None:
    """Every way to bend what was decided."""
    plant.charge(2)
    entries = discharge(plant.world, Metered(NAME), plant.taken_in)
    records, links = entries
    books = plant.world.books

    def applied(fact: Any, columns: Any) -> str:
        from penstock.journal.segment import Segment

        assert records.segment is not None
        ref = Segment(records.segment.format, columns).ref()
        with pytest.raises(PenstockError) as caught:
            books.storages.apply(replace(fact, segment=ref), columns)
        return caught.value.code

    assert records.segment is not None and links.segment is not None
    columns = dict(records.segment.columns)
    assert applied(records.fact, columns | {"charge": columns["charge"][::-1]}) == "storage.not_first_in"
    assert applied(records.fact, columns | {"register": columns["register"] - 1}) == "storage.other_register"
    assert applied(records.fact, columns | {"stop": columns["stop"] + 1}) == "storage.gap"
    assert applied(records.fact, columns | {"interval_us": columns["interval_us"] + 1}) == "storage.interval"
    assert applied(records.fact, columns | {"start": columns["start"][::-1]}) == "storage.rows"
    assert applied(replace(records.fact, loss_wh=1), columns) == "storage.sum"
    with pytest.raises(PenstockError, match="not the links"):
        books.storages.take_links(links.segment.columns)
    plant.tell([records])
    bent = dict(links.segment.columns) | {"source_start": links.segment.columns["source_start"][::-1]}
    with pytest.raises(PenstockError, match="not the links"):
        books.storages.take_links(bent)
    assert books.storages.unlinked == (0,)
    plant.tell([links])
    issued = [one for one in issue_stored(plant.world, NAME) if isinstance(one.fact, TitlesIssued)]
    from penstock.journal.storage_titles import check_issue

    first = issued[0]
    assert first.segment is not None and isinstance(first.fact, TitlesIssued)
    check_issue(books.storages, first.fact, first.segment.columns)
    for change in ({"stored": False}, {"technology": Technology.HYDRO}, {"zone": "YY"}, {"carbon_mg_per_kwh": 1}):
        with pytest.raises(PenstockError, match="call for"):
            check_issue(books.storages, replace(first.fact, **change), first.segment.columns)


def test_a_battery_is_never_certified_as_if_it_generated() -> None:
    """Not even before anybody registered it as a storage."""
    plant = Plant()
    plant.meter(1, roof=10, battery=500)
    plant.certify(1)
    assert plant.certificates() == []
    plant.built()


@pytest.mark.parametrize("issued_before", [True, False])
def test_an_issuer_who_withdraws_what_was_stored_reaches_the_discharge(plant: Plant, issued_before: bool) -> None:
    """Before the discharge is certified or after: once the issuer has produced what it owes, no Wh too many stands."""
    plant.charge(2)
    plant.discharge(2)
    if issued_before:
        plant.issue(2)
    plant.do(withdraw, Withdrawal(named((0, 600)), "a wrong meter"), 2)
    if not issued_before:
        plant.issue(2)
    plant.meter(3, roof=2_000)
    plant.certify(3)
    standing = [(a, b) for a, b, _, state in plant.certificates() if state == "held"]
    taken = sum(b - a for a, b, _, state in plant.certificates("roof/export") if a >= 600 and state == "withdrawn")
    assert sum(b - a for a, b in standing) == (20 if issued_before else 500)
    assert taken == (120 if issued_before else 600)


def test_what_has_no_certificate_behind_it_covers_no_debt(plant: Plant) -> None:
    """It would be withdrawn anyhow, so that the issuer would give nothing for what it owes."""
    plant.charge(2)
    plant.discharge(2)
    plant.issue(2)
    sold = named((0, 30), register=DISCHARGE)
    plant.do(retire, Retirement("owner", sold, "buyer", "sport"), 2)
    plant.do(withdraw, Withdrawal(sold, "a wrong meter"), 2)
    plant.meter(3, battery=300)
    plant.discharge(3)
    (before,) = debts(plant.world)
    plant.issue(3)
    (after,) = debts(plant.world)
    assert plant.certificates()[-1] == (720, 800, "battery", "withdrawn")
    assert (before["owed_wh"], after["owed_wh"], after["covered_wh"]) == (30, 0, 30)
    assert [(a, b) for a, b, _, state in plant.certificates() if state == "withdrawn"] == [(500, 530), (720, 800)]
    plant.do(retire, Retirement("owner", named((530, 540), register=DISCHARGE), "buyer", "sport"), 3)
    plant.do(withdraw, Withdrawal(named((530, 540), register=DISCHARGE), "a wrong meter"), 3)
    plant.meter(4, inlet=100)
    plant.charge(4, bare=True)
    plant.meter(5, battery=50)
    plant.discharge(5)
    plant.issue(5)
    assert plant.certificates()[-1][-1] == "withdrawn" and debts(plant.world)[0]["owed_wh"] == 10
