"""Enrol: who takes which addresses, and who is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_plant import ROOFS, START_US, Plant, key_of, producer

from penstock.errors import Conflict, Invalid, PenstockError
from penstock.journal.words import RegisterKind, Right, Unit
from penstock.usecases.enrol import enrol_producers, enrol_rack, open_accounts
from penstock.usecases.world import World

NEW = producer("roof-new", 5_000)


def test_a_roof_gets_account_site_registers_and_device(plant: Plant) -> None:
    books, energy = plant.world.books, plant.world.energy
    for number, (name, watts) in enumerate(ROOFS.items()):
        assert books.sites[name].owner == name
        export, tariff = books.registers.id_of(f"{name}/export"), books.registers.id_of(f"{name}/tariff")
        assert (books.registers.unit(export), books.registers.unit(tariff)) == (Unit.WH, Unit.USDC_MICRO)
        assert [bool(books.registers.issues(right)[export]) for right in Right] == [True, True, False, False, False]
        assert energy.number(name) == number
        assert energy.main_register()[number] == export
        assert (energy.capacity_w[number], energy.key(number)) == (watts, key_of(name).public)


def test_a_rack_checks_and_does_not_issue(plant: Plant) -> None:
    registers, rack = plant.world.books.registers, plant.rack
    imported = registers.id_of(rack.import_register)
    assert not any(registers.issues(right)[imported] for right in Right)
    assert registers.kind(registers.id_of(rack.calendar_register)) is RegisterKind.SCHEDULED
    assert registers.kind(registers.id_of(rack.idle_register)) is RegisterKind.LOSS


def test_only_the_world_outside_may_owe(plant: Plant) -> None:
    accounts = plant.world.books.accounts
    owing = {accounts.name(i) for i in range(len(accounts)) if accounts.is_external(i)}
    assert owing == {"buyer", "wallets"}
    assert len(accounts) == 3 + len(ROOFS) + 2


REFUSED = {
    "short key": (replace(NEW, public_key=bytes(31)), Invalid, "device.key"),
    "no key": (replace(NEW, public_key=b""), Invalid, "device.key"),
    "no capacity": (replace(NEW, capacity_w=0), Invalid, "device.capacity"),
    "less than no capacity": (replace(NEW, capacity_w=-1), Invalid, "device.capacity"),
    "enrolled already": (producer("roof-a", 9), Conflict, "device.enrolled_twice"),
}


@pytest.mark.parametrize(("bad", "kind", "code"), REFUSED.values(), ids=REFUSED)
def test_a_bad_producer_changes_nothing(plant: Plant, bad: object, kind: type[PenstockError], code: str) -> None:
    before = plant.world.books.digest()
    with pytest.raises(kind) as caught:
        plant.do("more", lambda world: enrol_producers(world, [NEW, bad]))  # type: ignore[list-item]
    assert caught.value.code == code
    assert plant.world.books.digest() == before
    assert plant.world.energy.number("roof-new") == -1


def test_twice_in_one_batch_is_refused_and_changes_nothing(plant: Plant) -> None:
    before = plant.world.books.digest()
    with pytest.raises(PenstockError):
        plant.do("more", lambda world: enrol_producers(world, [NEW, NEW]))
    assert plant.world.books.digest() == before
    plant.do("more", lambda world: enrol_producers(world, [NEW]))
    assert plant.world.energy.number("roof-new") == len(ROOFS) + 1


def test_a_repeat_is_the_first_answer_and_another_content_a_conflict(plant: Plant) -> None:
    def decide(world: World) -> list[object]:
        return enrol_producers(world, [NEW])  # type: ignore[return-value]

    first = plant.do("more", decide, asked=b"new")  # type: ignore[arg-type]
    again = plant.do("more", decide, asked=b"new")  # type: ignore[arg-type]
    assert (again.first_seq, again.facts, again.repeated) == (first.first_seq, first.facts, True)
    with pytest.raises(Conflict) as caught:
        plant.do("more", decide, asked=b"other")  # type: ignore[arg-type]
    assert caught.value.code == "journal.key_reused"


@pytest.mark.parametrize("name", ["roof-a", "buyer"])
def test_an_account_is_opened_once(plant: Plant, name: str) -> None:
    with pytest.raises(PenstockError):
        plant.do("accounts again", lambda _: open_accounts([name]))
    plant.do("one more", lambda _: open_accounts(["auditor"]))
    assert "auditor" in plant.world.books.accounts


def test_a_second_rack_of_the_same_name_is_refused(plant: Plant) -> None:
    before = plant.world.books.digest()
    with pytest.raises(PenstockError):
        plant.do("rack again", lambda _: enrol_rack("rack-1", "operator-2", "Z", key_of("x").public, 1, 1, START_US))
    assert plant.world.books.digest() == before
