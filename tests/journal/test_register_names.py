"""Names of registers, own ones and those of fleets, are found as if each had been written down."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.errors import Conflict, NotFound
from penstock.journal.growing import Growing, Layout
from penstock.journal.names import Names
from penstock.journal.register_names import RegisterNames


@pytest.mark.parametrize("seed", range(6))
def test_names_and_numbers_lead_to_each_other(seed: int) -> None:
    dice = np.random.Generator(np.random.PCG64(seed))
    devices, found, expected = Names("device"), RegisterNames(), list[str]()
    for step in range(12):
        if dice.random() < 0.5:
            found.add(f"own-{step}/export")
            expected.append(f"own-{step}/export")
        else:
            endings = ("export", "import", "charge")[: int(dice.integers(1, 4))]
            names = [f"device-{step}/{row}" for row in range(int(dice.integers(0, 4)))]
            found.check_family(names, endings)
            base = devices.add_all(names)
            assert found.add_family(devices, base, len(names), endings) == len(expected)
            expected += [f"{name}/{ending}" for name in names for ending in endings]
    assert len(found) == len(expected)
    assert [found.name(number) for number in range(len(found))] == expected
    assert [found.id_of(urn) for urn in expected] == list(range(len(expected)))
    for unknown in ("", "export", "own-0", "device-0/9/export", "own-99/export"):
        assert unknown not in found
        with pytest.raises(NotFound, match=r"register\.unknown"):
            found.id_of(unknown)
    for number in (-1, len(expected)):
        with pytest.raises(NotFound, match=r"register\.unknown"):
            found.name(number)


def test_a_name_is_given_once() -> None:
    devices, found = Names("device"), RegisterNames()
    found.add("roof/import")
    with pytest.raises(Conflict, match=r"register\.known"):
        found.check_family(["hill", "roof"], ("export", "import"))
    found.check_family(["hill", "roof"], ("export",))
    found.add_family(devices, devices.add_all(["hill", "roof"]), 2, ("export",))
    for urn in ("roof/import", "roof/export"):
        with pytest.raises(Conflict, match=r"register\.known"):
            found.add(urn)


def test_digests_tell_families_apart() -> None:
    digests = set()
    for endings in (("a",), ("a", "b"), ("b",)):
        devices, found = Names("device"), RegisterNames()
        found.add_family(devices, devices.add_all(["roof"]), 1, endings)
        digests.add(found.digest())
    assert len(digests) == 3


def test_columns_grow_and_new_rows_hold_what_they_start_with() -> None:
    table = Growing({"count": Layout("int64", -1), "hash": Layout("uint8", 0, 4)})
    for round_ in range(40):
        numbers = table.add(round_, count=np.arange(round_))
        assert numbers.tolist() == list(range(len(table) - round_, len(table)))
    table.reach(1_000)
    assert table["count"][len(table) - 1] == -1
    assert table["hash"].shape == (1_000, 4)
    table["hash"][3] = 7
    before = table.view("hash")
    table.reach(5_000)
    assert table["hash"][3].tolist() == before[3].tolist() == [7] * 4
    assert len(table) == 5_000
    with pytest.raises(ValueError, match="read-only"):
        table.view("count")[0] = 1


def test_many_names_at_once_or_none() -> None:
    names = Names("device")
    assert names.add_all(["a", "b"]) == 0
    for bad in (["c", "c"], ["d", "b"]):
        with pytest.raises(Conflict, match=r"device\.known"):
            names.add_all(bad)
    assert names.find_all(["b", "c", "a"]).tolist() == [1, -1, 0]
    assert [names.intern(name) for name in ("b", "e", "e")] == [1, 2, 2]
