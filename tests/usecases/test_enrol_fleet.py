"""A fleet: many devices in one fact, numbered and counted as if they had come one by one; all or none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cbor2
import numpy as np
import pytest
from device_kit import Yard, key_of

from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.errors import Invalid, PenstockError
from penstock.journal.device_rows import read_identities, write_identities
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import SiteRegistered
from penstock.journal.words import Right
from penstock.keys import KeyKind
from penstock.usecases.enrol import coarsened, register_site
from penstock.usecases.enrol_fleet import Fleet, enrol_fleet, fleet_of_csv

NAMES = ("a", "b", "c")
HEAD = "device,technology,public_key,capacity_w,commissioned,key_kind,tilt_deg,cell\n"


def line(name: str, **changes: str) -> str:
    row = {
        "device": name,
        "technology": "wind",
        "public_key": key_of(name).public.hex(),
        "capacity_w": "5000",
        "commissioned": "2016-08-22T07:00:00Z",
        "key_kind": "",
        "tilt_deg": "",
        "cell": "9xj5smj",
    }
    return ",".join((row | changes).values()) + "\n"


def fleet(names: tuple[str, ...] = NAMES) -> Fleet:
    return fleet_of_csv(HEAD + "".join(map(line, names)))


@pytest.fixture
def yard() -> Yard:
    return Yard()


def test_a_fleet_is_numbered_in_row_order_and_each_device_counts(yard: Yard) -> None:
    yard.enrolled()
    yard.tell(enrol_fleet(yard.world, "site", fleet()))
    energy, registers = yard.world.energy, yard.world.books.registers
    assert energy.numbers([*NAMES, "roof", "x"]).tolist() == [1, 2, 3, 0, -1]
    assert energy.main_register().tolist() == [registers.id_of(f"{name}/export") for name in ("roof", *NAMES)]
    assert [registers.urn(number) for number in range(len(registers))] == [f"{n}/export" for n in ("roof", *NAMES)]
    assert energy.keys(np.arange(4)) == [key_of(name).public for name in ("roof", *NAMES)]
    assert [energy.cells[one] for one in energy.cell.tolist()] == ["", "9xj5s", "9xj5s", "9xj5s"]
    assert registers.issues(Right.ATTRIBUTE).all()
    assert yard.world.books.enrolled.metered().all()
    for name in NAMES:
        said = yard.send(key_of(name), (1, 10), device=name)
        assert said == (MessageVerdict.ACCEPTED, [ReadingVerdict.ACCEPTED])
    assert registers.read.tolist() == [0, 10, 10, 10]


def test_devices_with_several_channels(yard: Yard) -> None:
    yard.tell(enrol_fleet(yard.world, "site", fleet(), ("export", "import"), (Right.ATTRIBUTE,)))
    energy, registers = yard.world.energy, yard.world.books.registers
    asked = np.array([0, 1, 2, 2, 3]), np.array([0, 1, 1, 2, 0])
    assert energy.register_of(*asked).tolist() == [0, 3, 5, -1, -1]
    assert [registers.urn(number) for number in (0, 3, 5)] == ["a/export", "b/import", "c/import"]
    assert registers.issues(Right.ATTRIBUTE).tolist() == [True, False] * 3
    assert not registers.issues(Right.ENERGY).any()


def test_what_comes_after_a_fleet_is_numbered_on(yard: Yard) -> None:
    yard.tell(enrol_fleet(yard.world, "site", fleet()))
    yard.enrolled()
    yard.tell(enrol_fleet(yard.world, "site", fleet(("d", "e"))))
    registers = yard.world.books.registers
    assert [registers.id_of(f"{name}/export") for name in (*NAMES, "roof", "d", "e")] == list(range(6))
    assert [registers.urn(number) for number in range(6)] == [f"{name}/export" for name in (*NAMES, "roof", "d", "e")]
    assert "f/export" not in registers
    assert "a/import" not in registers


def test_one_by_one_or_together_the_devices_are_the_same(yard: Yard) -> None:
    apart = Yard()
    for name in NAMES:
        apart.tell(enrol_fleet(apart.world, "site", fleet((name,))))
    yard.tell(enrol_fleet(yard.world, "site", fleet()))
    assert apart.world.energy.digest() == yard.world.energy.digest()
    assert apart.world.books.registers.read.tolist() == yard.world.books.registers.read.tolist()


def one_key(found: Fleet) -> Fleet:
    return replace(found, public_keys=[key_of("a").public] * len(found.names))


def altered(column: str, value: int) -> Callable[[Fleet], Fleet]:
    def made(found: Fleet) -> Fleet:
        changed = found.columns[column].copy()
        changed[1] = value
        return replace(found, columns=found.columns | {column: changed})

    return made


REFUSED: dict[str, tuple[Callable[[Fleet], Fleet], str]] = {
    "a key claimed by all": (one_key, "device.key_taken"),
    "a key of another device": (
        lambda found: replace(found, public_keys=[key_of("roof").public, *found.public_keys[1:]]),
        "device.key_taken",
    ),
    "a key that is none": (lambda found: replace(found, public_keys=[*found.public_keys[:2], bytes(32)]), "device.key"),
    "a key of another kind": (altered("key_kind", 1), "device.key"),
    "a name twice": (lambda found: replace(found, names=["a", "b", "a"]), "device.enrolled_twice"),
    "a name of another device": (lambda found: replace(found, names=["a", "b", "roof"]), "device.known"),
    "no name": (lambda found: replace(found, names=["a", "b", ""]), "device.name"),
    "a name that cannot be read": (lambda found: replace(found, names=["a", "b", "c\n"]), "device.name"),
    "a name with a register open": (lambda found: replace(found, names=["a", "b", "free"]), "register.known"),
    "no capacity": (altered("capacity_w", 0), "device.capacity"),
    "a plane beyond upright": (altered("tilt_deg", 91), "device.angle"),
    "a width below nothing": (altered("rolls_over_wh", -1), "device.width"),
}


@pytest.mark.parametrize(("change", "code"), REFUSED.values(), ids=REFUSED)
def test_a_bad_fleet_changes_nothing(yard: Yard, change: Callable[[Fleet], Fleet], code: str) -> None:
    from penstock.journal.kinds.ledger import RegisterOpened
    from penstock.journal.words import RegisterKind, Unit

    yard.enrolled()
    yard.tell([Entry(RegisterOpened("free/export", Unit.WH, RegisterKind.COUNTED))])
    before = yard.world.books.digest() + yard.world.energy.digest()
    with pytest.raises(PenstockError) as caught:
        enrol_fleet(yard.world, "site", change(fleet()))
    assert caught.value.code == code
    assert yard.world.books.digest() + yard.world.energy.digest() == before


@pytest.mark.parametrize("channels", [(), ("export", "export"), ("a/b",), ("a#2",), tuple("abcdefghijklmnopq")])
def test_channels_have_plain_names_of_their_own(yard: Yard, channels: tuple[str, ...]) -> None:
    with pytest.raises(PenstockError, match=r"device\.channels"):
        enrol_fleet(yard.world, "site", fleet(), channels)


def test_devices_behind_one_gateway_may_share_its_key(yard: Yard) -> None:
    gateways = one_key(fleet())
    gateways.columns["assurance"][:] = 1
    yard.tell(enrol_fleet(yard.world, "site", gateways))
    assert len(yard.world.energy) == len(NAMES)


def test_a_fleet_needs_its_site(yard: Yard) -> None:
    with pytest.raises(PenstockError, match=r"site\.unknown"):
        enrol_fleet(yard.world, "elsewhere", fleet())


def test_a_file_may_leave_out_what_has_a_default() -> None:
    found = fleet_of_csv("commissioned,device,technology,capacity_w,public_key\n2016-08-22T00:00:00Z,a,wind,7,00\n")
    assert found.names == ("a",)
    values = {name: column.tolist() for name, column in found.columns.items()}
    assert (values["tilt_deg"], values["rolls_over_wh"], values["capacity_w"]) == ([-1], [0], [7])
    assert fleet_of_csv(HEAD).names == ()


BAD_LINES = {
    "another technology": line("b", technology="steam"),
    "another kind of key": line("b", key_kind="rsa"),
    "a key not in hex": line("b", public_key="zz"),
    "a capacity of text": line("b", capacity_w="many"),
    "a capacity beyond 63 bits": line("b", capacity_w=str(2**63)),
    "a capacity below nothing": line("b", capacity_w="-1"),
    "a time without an offset": line("b", commissioned="2016-08-22T07:00:00"),
    "a cell that is none": line("b", cell="Here"),
    "too few fields": "b,wind\n",
    "too many fields": line("b").strip() + ",more\n",
    "an open quote": 'b,"wind\n',
}


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_line_is_named(bad: str) -> None:
    with pytest.raises(PenstockError) as caught:
        fleet_of_csv(HEAD + line("a") + bad)
    assert caught.value.code == "fleet.row"
    assert "Line 3" in caught.value.message


@pytest.mark.parametrize("head", ["", "device\n", HEAD.replace("cell", "cellar")])
def test_another_header_is_refused(head: str) -> None:
    with pytest.raises(PenstockError, match=r"fleet\.columns"):
        fleet_of_csv(head)


NO_IDENTITY = [b"", b"\x80", b"\xff", *map(cbor2.dumps, (["a", b"k", "9x"], [1, b"k", "", []], ["a", b"k", "", 5]))]


@pytest.mark.parametrize("raw", NO_IDENTITY)
def test_a_row_that_names_no_device_is_refused(raw: bytes) -> None:
    column = np.empty(1, dtype=object)
    column[:] = [raw]
    with pytest.raises(PenstockError, match=r"device\.identity"):
        read_identities(column)
    assert read_identities(write_identities(["a"], [b"k"], ["9x"])) == (["a"], [b"k"], ["9x"], [[]])


def test_a_site_tells_no_more_of_its_place_than_allowed(yard: Yard) -> None:
    for digits, expected in ((5, "9xj5s"), (3, "9xj"), (0, "")):
        (*_, entry) = register_site(yard.world, SiteRegistered(f"s{digits}", "XX", "9xj5smj", "owner"), digits)
        assert isinstance(entry.fact, SiteRegistered)
        assert entry.fact.cell == expected
    with pytest.raises(PenstockError, match=r"cell\.malformed"):
        coarsened("39.7,-105.2")
    with pytest.raises(PenstockError, match=r"site\.owner_key"):
        register_site(yard.world, SiteRegistered("s", "XX", "", "owner", b"short"))


def test_other_kinds_of_keys_have_their_own_length(yard: Yard) -> None:
    found = fleet()
    point = bytes.fromhex("036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
    mixed = replace(
        found,
        public_keys=[point, *found.public_keys[1:]],
        columns=found.columns | {"key_kind": np.array([1, 0, 0], np.uint8)},
    )
    yard.tell(enrol_fleet(yard.world, "site", mixed))
    assert yard.world.energy.keys(np.array([1, 0])) == [found.public_keys[1], point]
    assert yard.world.energy.key_book.span(0).kind is KeyKind.P256


def test_a_device_known_by_its_address_is_named_by_it() -> None:
    address = "1134E1fecA30fe9eaf77222b30c6cc571b33cd52"
    line = f"0x{address},solar_pv,{address.lower()},100,2026-01-01T00:00:00Z,eth-address"
    head = "device,technology,public_key,capacity_w,commissioned,key_kind\n"
    assert list(fleet_of_csv(head + line).names) == [f"0x{address.lower()}"]
    with pytest.raises(Invalid) as refusal:
        fleet_of_csv(head + line.replace("0x1134", "0x2234", 1))
    assert refusal.value.code == "fleet.row"
