"""Measuring-point trees: one register per direction issues, the others check."""

from __future__ import annotations

import pytest
from device_kit import Yard, hours, key_of

from penstock.energy.point_tree import PointTree
from penstock.errors import PenstockError
from penstock.journal.kinds.device import PointPlaced
from penstock.journal.kinds.energy import SiteRegistered
from penstock.journal.words import Direction, EpochCause, PointRole
from penstock.usecases.enrol import register_site
from penstock.usecases.place import place, site_tree
from penstock.usecases.replace import open_epoch, plan_epoch

EXPORT, IMPORT = Direction.EXPORT, Direction.IMPORT
ISSUES, CHECKS = PointRole.ISSUES, PointRole.CHECKS


@pytest.fixture
def yard() -> Yard:
    """A house: its grid meter checks, two roofs issue."""
    made = Yard()
    for name, issues in (("grid", ()), ("roof", None), ("shed", None)):
        changes = {"name": name, "public_key": key_of(name).public}
        made.enrolled(**changes, **({} if issues is None else {"issues": issues}))
    return made


def put(yard: Yard, register: str, parent: str | None, role: PointRole = ISSUES, way: Direction = EXPORT) -> None:
    yard.tell(place(yard.world, PointPlaced(register, way, role, parent)))


def test_the_tree_of_a_house(yard: Yard) -> None:
    put(yard, "grid/export", None, CHECKS)
    put(yard, "roof/export", "grid/export")
    put(yard, "shed/export", "grid/export")
    assert yard.world.energy.parent_of.tolist() == [-1, 0, 0]
    rows = site_tree(yard.world, "site")
    assert [(row["register"], row["depth"], row["role"]) for row in rows] == [
        ("grid/export", 0, "checks"),
        ("roof/export", 1, "issues"),
        ("shed/export", 1, "issues"),
    ]


def test_registers_without_a_place_stand_alone(yard: Yard) -> None:
    assert [(row["depth"], row["direction"]) for row in site_tree(yard.world, "site")] == [(0, None)] * 3
    with pytest.raises(PenstockError, match=r"site\.unknown"):
        site_tree(yard.world, "elsewhere")


def test_a_new_epoch_takes_the_place_of_the_one_before(yard: Yard) -> None:
    put(yard, "grid/export", None, CHECKS)
    put(yard, "roof/export", "grid/export")
    for device in ("grid", "roof"):
        epoch = plan_epoch(yard.world, device, EpochCause.RESET, hours(1))
        yard.tell(open_epoch(yard.world, yard.signed_epoch(epoch, key_of(device))))
    urns = yard.world.books.registers
    parent_of = yard.world.energy.parent_of
    assert parent_of[urns.id_of("roof/export#2")] == urns.id_of("grid/export#2")
    assert parent_of[urns.id_of("roof/export")] == -1


def test_the_same_energy_is_issued_once(yard: Yard) -> None:
    put(yard, "roof/export", None)
    with pytest.raises(PenstockError, match=r"point\.issues_twice"):
        put(yard, "shed/export", "roof/export")


REFUSED = {
    "twice": ("grid/export", None, CHECKS, EXPORT, "point.placed"),
    "below itself": ("roof/export", "roof/export", ISSUES, EXPORT, "point.parent"),
    "below one without a place": ("roof/export", "shed/export", ISSUES, EXPORT, "point.parent"),
    "another way": ("roof/export", "grid/export", ISSUES, IMPORT, "point.direction"),
    "checks, though it issues": ("roof/export", "grid/export", CHECKS, EXPORT, "point.role"),
    "issues, though it checks": ("far/export", None, ISSUES, EXPORT, "point.role"),
    "on another site": ("far/export", "grid/export", CHECKS, EXPORT, "point.site"),
    "of nobody": ("x", "grid/export", CHECKS, EXPORT, "register.unknown"),
}


@pytest.mark.parametrize(("register", "parent", "role", "way", "code"), REFUSED.values(), ids=REFUSED)
def test_a_bad_place_changes_nothing(
    yard: Yard, register: str, parent: str | None, role: PointRole, way: Direction, code: str
) -> None:
    yard.tell(register_site(yard.world, SiteRegistered("other", "XX", "", "owner")))
    yard.enrolled(name="far", site="other", public_key=key_of("far").public, issues=())
    put(yard, "grid/export", None, CHECKS)
    before = yard.world.energy.digest()
    with pytest.raises(PenstockError) as caught:
        place(yard.world, PointPlaced(register, way, role, parent))
    assert caught.value.code == code
    assert yard.world.energy.digest() == before


def test_above_is_the_way_to_the_root() -> None:
    tree = PointTree()
    for register, parent in ((4, -1), (2, 4), (7, 2)):
        tree.place(register, EXPORT, CHECKS, parent)
    assert tree.above(7).tolist() == [7, 2, 4]
