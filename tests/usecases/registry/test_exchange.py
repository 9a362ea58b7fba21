"""Import and export: their numbering is never trusted, a round trip brings back the very spans, nothing lives twice."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

import numpy as np
import pytest
from correct_kit import Field
from device_kit import hours
from registry_kit import Registry, named

from penstock.energy.foreign_csv import RowVerdict, read_foreign
from penstock.errors import PenstockError
from penstock.journal.canonical import load
from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.laws import breaches
from penstock.journal.words import TITLE_STATES, Assurance, RegisterKind, Right, Technology, Unit
from penstock.period import HOUR_US, iso
from penstock.usecases.certify import Terms, certify
from penstock.usecases.registry.export_certificates import Export, certificates_csv, export
from penstock.usecases.registry.import_certificates import Import, import_certificates
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.selection import Selection, select
from penstock.usecases.registry.transfer import Transfer, transfer

OTHER: Final = "other.example"
ROW: Final = {
    "device_id": "turbine-9",
    "bundle_id_range_start": "101",
    "bundle_id_range_end": "1100",
    "bundle_quantity": "1000",
    "face_value": "1",
    "energy_source": "Wind",
    "production_starting_interval": iso(hours(1)),
    "production_ending_interval": iso(hours(2)),
    "issue_market_zone": "YY",
    "emissions_factor_production_device": "11.25",
    "certificate_status": "Active",
}
IREC: Final = {
    "Production Device": "dam-1",
    "From Certificate ID": "0000-0001-2345-6789.000000",
    "To Certificate ID": "0000-0001-2345-6790.999999",
    "Number of Certificates": "2",
    "Energy Source": "Hydro-electric head",
    "Country": "NO",
    "Production Period Start": "2016-01-01",
    "Production Period End": "2016-01-31",
}


def written(*rows: dict[str, str], base: dict[str, str] = ROW) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(base | {name: "" for row in rows for name in row}))
    writer.writeheader()
    writer.writerows([base | row for row in rows])
    return text.getvalue().encode()


class Exchange(Registry):
    """A registry that imports files; the verdicts of the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.verdicts: list[str] = []

    def took(self, raw: bytes, hour: float = 50, form: str = "energytag", **changes: Any) -> list[str]:
        offered, found = read_foreign(raw, form, OTHER), list[Any]()
        asked = Import("buyer", OTHER, form, bytes(32), **changes)
        entries = import_certificates(self.world, offered, asked, hours(hour), found)
        self.tell(entries, hours(hour))
        assert breaches(self.world.books) == ()
        return [RowVerdict(code).name.lower() for code in found[0].tolist()]

    def sent(self, account: str, selection: Selection, registry: str = OTHER) -> bytes:
        (entry,) = self.do(export, Export(account, registry, selection), 51)
        assert entry.segment is not None
        return certificates_csv(self.world, entry.segment.columns).encode()

    def all_wh(self, state: str = "held") -> int:
        rows = self.world.books.titles[Right.ATTRIBUTE].columns()
        picked = rows["state"] == [one.value for one in TITLE_STATES].index(state)
        return int((rows["stop"] - rows["start"])[picked].sum())


@pytest.fixture
def registry() -> Exchange:
    return Exchange()


def test_a_foreign_certificate_lives_on_a_register_of_its_own(registry: Exchange) -> None:
    assert registry.took(written({})) == ["accepted"]
    books = registry.world.books
    parts = select(registry.world, "buyer", Selection(quantity_wh=1_000))
    assert books.registers.urn(int(parts["register"][0])) == "import/other.example/turbine-9"
    assert (parts["start"].tolist(), parts["stop"].tolist(), parts["interval_us"].tolist()) == (
        [0],
        [1_000],
        [hours(1)],
    )
    lot = books.lots[int(parts["lot"][0])]
    assert (lot.zone, lot.technology, lot.assurance) == ("YY", Technology.WIND, Assurance.DECLARED)
    assert (lot.carbon_mg_per_kwh, lot.interval_us, lot.valid_us) == (11_250, hours(2) - hours(1), 0)


def test_the_issuing_body_names_the_registry_where_it_is_stated(registry: Exchange) -> None:
    assert registry.took(written({"issuing_body": "third/one.example"})) == ["accepted"]
    assert "import/third%2Fone.example/turbine-9" in registry.world.books.registers
    assert registry.took(written({"issuing_body": "third/one.example"})) == ["twice"]
    assert registry.took(written({})) == ["accepted"]  # another registry's device of the same name


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"bundle_quantity": "999"}, "quantity"),
        ({"bundle_quantity": "-1000"}, "field"),
        ({"bundle_quantity": "1000.0"}, "field"),
        ({"bundle_id_range_end": "100", "bundle_quantity": "0"}, "range"),
        ({"bundle_id_range_start": "-5"}, "field"),
        ({"bundle_id_range_end": str(2**63), "bundle_quantity": "1"}, "field"),
        ({"bundle_id_range_start": "0", "bundle_id_range_end": str(2**63 - 1)}, "range"),
        ({"face_value": str(2**62)}, "quantity"),
        ({"face_value": "0"}, "quantity"),
        ({"energy_source": "Coal"}, "source"),
        ({"energy_source": ""}, "source"),
        ({"certificate_status": "Cancelled"}, "status"),
        ({"certificate_status": "Reserved"}, "status"),
        ({"expiry_datestamp": iso(hours(49))}, "status"),
        ({"production_ending_interval": iso(hours(1))}, "interval"),
        ({"production_ending_interval": iso(hours(60))}, "interval"),
        ({"production_starting_interval": "yesterday"}, "field"),
        ({"device_id": ""}, "field"),
        ({"emissions_factor_production_device": "-1"}, "field"),
        ({"emissions_factor_production_device": "NaN"}, "field"),
    ],
)
def test_a_row_that_cannot_be_is_refused_and_costs_no_other_its_place(
    registry: Exchange, change: dict[str, str], verdict: str
) -> None:
    good = {"device_id": "turbine-8"}
    assert registry.took(written(change, good)) == [verdict, "accepted"]
    assert registry.all_wh() == 1_000


def test_the_same_certificate_twice_is_refused(registry: Exchange) -> None:
    assert registry.took(written({}, {})) == ["accepted", "twice"]
    assert registry.took(written({})) == ["twice"]
    overlap = {"bundle_id_range_start": "1100", "bundle_id_range_end": "1200", "bundle_quantity": "101"}
    inside = {"bundle_id_range_start": "500", "bundle_id_range_end": "600", "bundle_quantity": "101"}
    around = {"bundle_id_range_start": "1", "bundle_id_range_end": "2000", "bundle_quantity": "2000"}
    assert registry.took(written(overlap, inside, around)) == ["twice", "twice", "twice"]
    assert registry.all_wh() == 1_000


def test_one_interval_in_parts_is_good_and_intervals_that_overlap_are_not(registry: Exchange) -> None:
    more = {"bundle_id_range_start": "1101", "bundle_id_range_end": "1200", "bundle_quantity": "100"}
    shifted = more | {
        "bundle_id_range_start": "1201",
        "bundle_id_range_end": "1300",
        "production_starting_interval": iso(hours(1.5)),
        "production_ending_interval": iso(hours(2.5)),
    }
    assert registry.took(written({}, more, shifted)) == ["accepted", "accepted", "time_overlap"]
    assert registry.took(written(shifted)) == ["time_overlap"]
    after = shifted | {"production_starting_interval": iso(hours(2)), "production_ending_interval": iso(hours(3))}
    assert registry.took(written(after)) == ["accepted"]


def test_all_or_nothing_where_it_is_asked(registry: Exchange) -> None:
    with pytest.raises(PenstockError) as caught:
        registry.took(written({}, {"bundle_quantity": "7"}), whole=True)
    assert caught.value.code == "import.refused" and caught.value.ids["row"] == "2"
    assert registry.all_wh() == 0
    assert registry.took(written({}), whole=True) == ["accepted"]


def test_a_file_without_a_good_row_records_nothing(registry: Exchange) -> None:
    size = registry.world.books.size
    assert registry.took(written({"bundle_quantity": "7"})) == ["quantity"]
    assert registry.world.books.size == size


@pytest.mark.parametrize(
    ("raw", "form", "code"),
    [
        (b"", "energytag", "import.file"),
        (b"\xff\xfe\x00", "energytag", "import.file"),
        (b"device_id\n", "energytag", "import.file"),
        (b"a,b\n1,2,3\n", "energytag", "import.file"),
        (b"a,a\n1,2\n", "energytag", "import.file"),
        (b"device_id,other\n1,2\n", "energytag", "import.header"),
        (written({}), "own", "import.form"),
        (written({}), "irec", "import.header"),
    ],
)
def test_what_is_no_file_of_certificates(raw: bytes, form: str, code: str) -> None:
    with pytest.raises(PenstockError) as caught:
        read_foreign(raw, form, OTHER)
    assert caught.value.code == code


def test_an_irec_certificate_of_a_month(registry: Exchange) -> None:
    assert registry.took(written({}, base=IREC), form="irec") == ["accepted"]
    parts = select(registry.world, "buyer", Selection(quantity_wh=2_000_000))
    lot = registry.world.books.lots[int(parts["lot"][0])]
    assert (lot.interval_us, lot.technology, lot.zone) == (31 * (hours(24) - hours(0)), Technology.HYDRO, "NO")
    assert registry.took(written({}, base=IREC), form="irec") == ["twice"]
    short = {"Number of Certificates": "1.5"}
    assert registry.took(written({"Production Device": "dam-2"} | short, base=IREC), form="irec") == ["quantity"]


@pytest.mark.parametrize(
    ("figure", "as_volume", "as_carbon"),
    [
        *((figure, "field", "field") for figure in ("1e999999999", "NaN", "-1", "Infinity")),
        ("1e-999999999", "quantity", "accepted"),
    ],
)
def test_no_exponent_is_written_out(registry: Exchange, figure: str, as_volume: str, as_carbon: str) -> None:
    """A number of a gigabyte is never made."""
    assert registry.took(written({"Number of Certificates": figure}, base=IREC), form="irec") == [as_volume]
    carbon = {"CO2 produced kg per MWh": figure}
    assert registry.took(written(carbon, base=IREC), form="irec") == [as_carbon]


def test_irec_numbers_without_decimals_count_whole_certificates(registry: Exchange) -> None:
    row = {"From Certificate ID": "0000-0001", "To Certificate ID": "0000-0003", "Number of Certificates": "3"}
    assert registry.took(written(row, base=IREC), form="irec") == ["accepted"]
    assert registry.all_wh() == 3_000_000
    part = Export("buyer", OTHER, Selection(quantity_wh=1_500_000))
    assert registry.refused(export, part, 51) == "export.not_whole"
    raw = registry.sent("buyer", Selection(quantity_wh=2_000_000), "third.example")
    (sent,) = list(csv.DictReader(io.StringIO(raw.decode())))
    assert (sent["bundle_id_range_start"], sent["bundle_id_range_end"], sent["face_value"]) == ("1", "2", "1000000")
    assert (sent["issuing_body"], sent["device_id"]) == (OTHER, "dam-1")


def test_an_exported_certificate_is_used_no_more_and_comes_back_once(registry: Exchange) -> None:
    registry.with_hours()
    raw = registry.sent("owner", named((1_000, 1_600)))
    assert (registry.wh("owner"), registry.wh("owner", "exported")) == (4_400, 600)
    use = Retirement("owner", named((1_100, 1_200)), "somebody", "sport")
    assert registry.refused(retire, use, 52) == "titles.not_active"
    assert registry.refused(transfer, Transfer("owner", "trader", named((1_100, 1_200))), 52) == "titles.not_active"
    assert registry.took(raw, 53) == ["returned"]
    assert registry.wh("buyer") == 600 and registry.wh("owner", "exported") == 0
    assert registry.took(raw, 54) == ["not_exported"]


def test_what_is_valid_for_hours_comes_back_while_it_is(registry: Exchange) -> None:
    """Only what would be new here has to be valid for a day."""
    columns = registry.taken((1, 1_000), (2, 2_500))
    registry.tell(certify(registry.world, [columns], "XX", Terms(valid_us=4 * HOUR_US)), hours(2))
    (entry,) = registry.do(export, Export("owner", OTHER, named((0, 1_000), (1_000, 2_500))), 3)
    assert entry.segment is not None
    raw = certificates_csv(registry.world, entry.segment.columns).encode()
    assert registry.took(raw, 5) == ["status", "returned"]
    assert registry.took(written({"expiry_datestamp": iso(hours(3))}), 2.5) == ["status"]


def test_what_never_left_cannot_come_back(registry: Exchange) -> None:
    registry.with_hours()
    raw = registry.sent("owner", named((0, 100)))
    origin = registry.world.participants.origin
    forged = raw.replace(b",0,99,100,1,", b",0,199,200,1,")
    assert forged != raw and registry.took(forged, 53) == ["not_exported"]
    never = raw.replace(b",0,99,100,1,", b",90000,90099,100,1,")
    assert registry.took(never, 53) == ["not_exported"]
    elsewhere = raw.replace(b"roof/export,", b"barn/export,")
    assert registry.took(elsewhere, 53) == ["not_exported"]
    face = raw.replace(b",0,99,100,1,", b",0,99,100,7,")
    assert registry.took(face, 53) == ["not_exported"]
    assert origin == "yard.example" and registry.wh("owner") == 4_900


def test_a_round_trip_through_another_registry(registry: Exchange) -> None:
    registry.with_hours()
    abroad = Exchange()
    abroad.world.participants.origin = OTHER  # what its first fact said
    raw = registry.sent("owner", named((0, 1_000), (1_000, 1_200)))
    assert abroad.took(raw) == ["accepted", "accepted"]
    assert abroad.all_wh() == registry.all_wh("exported") == 1_200
    abroad.do(transfer, Transfer("buyer", "trader", Selection(quantity_wh=700)), 50)
    back = abroad.sent("trader", Selection(quantity_wh=700), registry.world.participants.origin)
    assert registry.took(back, 55) == ["returned"]
    assert registry.wh("buyer") == 700 and registry.wh("owner", "exported") == 500
    assert [(a, b) for a, b, who, _ in registry.owned() if who == "buyer"] == [(0, 700)]
    again = registry.sent("buyer", named((100, 300)))
    assert abroad.took(again, 56) == ["returned"]  # the very spans that it had, not new ones
    assert abroad.took(again, 57) == ["twice"]
    assert abroad.all_wh() + abroad.all_wh("exported") == 1_200
    assert abroad.all_wh() == 500 + 200 and registry.wh("buyer") == 500


def test_nothing_is_issued_on_their_registers_but_what_was_imported(registry: Exchange) -> None:
    offered = read_foreign(written({}), "energytag", OTHER)
    entries = import_certificates(registry.world, offered, Import("buyer", OTHER, "energytag", bytes(32)), hours(50))
    kinds = [entry.fact.KIND for entry in entries]
    assert kinds == ["register.opened", "certificates.imported", "titles.issued"]
    with pytest.raises(PenstockError) as caught:
        registry.tell([entries[0], entries[2]], hours(50))
    assert caught.value.code == "import.not_imported"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"last": 1_101}, "import.quantity"),
        ({"first": -1}, "import.quantity"),
        ({"start": 5, "stop": 1_005}, "import.gap"),
        ({"interval_stop_us": 0}, "import.interval"),
        ({"register": 0}, "import.register"),
    ],
)
def test_what_is_imported_is_checked_again_where_it_is_applied(change: dict[str, int], code: str) -> None:
    registry = Exchange()
    registry.took(written({"device_id": "other-turbine"}))
    offered = read_foreign(written({}), "energytag", OTHER)
    asked = Import("buyer", OTHER, "energytag", bytes(32))
    opened, imported, *_ = import_certificates(registry.world, offered, asked, hours(50))
    registry.tell([opened], hours(50))
    assert isinstance(imported, Entry) and imported.segment is not None
    columns = dict(imported.segment.columns)
    for name, value in change.items():
        columns[name] = np.array([value], dtype=columns[name].dtype)
    with pytest.raises(PenstockError) as caught:
        registry.world.foreign.check(columns)
    assert caught.value.code == code


def test_what_a_row_says_is_kept_word_for_word() -> None:
    strange = {"device_id": 'a "quoted" \\ word', "note": "first line\nsecond, ångström"}
    offered = read_foreign(written(strange, {}), "energytag", OTHER)
    assert [load(said) for said in offered.said] == [ROW | {"note": ""} | strange, ROW | {"note": ""}]


def test_the_operator_imports(registry: Exchange) -> None:
    with pytest.raises(PenstockError) as caught:
        registry.took(written({}), by="0" * 12)
    assert caught.value.code == "account.not_member"


def test_equal_imports_make_equal_worlds() -> None:
    worlds = [Exchange(), Exchange()]
    for one in worlds:
        one.took(written({}, {"device_id": "turbine-8"}))
    first, second = (one.world.foreign.digest() for one in worlds)
    assert first == second != Exchange().world.foreign.digest()
    assert isinstance(worlds[0], Field)


def test_one_energy_in_certificates_of_two_sizes_lives_once(registry: Exchange) -> None:
    """An I-REC number with decimals counts Wh, one without counts MWh: both name the same energy."""
    whole = {"From Certificate ID": "0000-0000-0000-0001", "To Certificate ID": "0000-0000-0000-0002"}
    fine = {"From Certificate ID": "0000-0000-0000-0001.000000", "To Certificate ID": "0000-0000-0000-0002.999999"}
    assert registry.took(written(whole, base=IREC), form="irec") == ["accepted"]
    assert registry.took(written(fine, base=IREC), form="irec") == ["time_overlap"]
    assert registry.all_wh() == 2_000_000
    fresh = Exchange()
    assert sorted(fresh.took(written(whole, fine, base=IREC), form="irec")) == ["accepted", "time_overlap"]


@pytest.mark.parametrize(
    "spelt",
    [
        {"device_id": "TURBINE-9"},
        {"device_id": "turbine\u20109"},
        {"device_id": "turbine\u20119"},
        {"device_id": "\uff54urbine-9"},
        {"issuing_body": "Other.Example"},
        {"issuing_body": " other.example "},
    ],
    ids=lambda spelt: ascii(spelt),
)
def test_a_foreign_certificate_under_another_spelling_lives_once(registry: Exchange, spelt: dict[str, str]) -> None:
    assert registry.took(written({})) == ["accepted"]
    assert registry.took(written(spelt)) == ["twice"]
    fresh = Exchange()
    assert "accepted" not in fresh.took(written({"issuing_body": OTHER}, spelt | {"bundle_quantity": "1000"}))[1:]
    assert fresh.all_wh() == 1_000


def test_a_letter_in_two_forms_is_one_letter(registry: Exchange) -> None:
    assert registry.took(written({"device_id": "caf\u00e9"})) == ["accepted"]
    assert registry.took(written({"device_id": "cafe\u0301"})) == ["twice"]


def test_a_second_register_of_a_device_does_not_apply(registry: Exchange) -> None:
    registry.took(written({}))
    entry = Entry(RegisterOpened("import/Other.Example/turbine-9", Unit.WH, RegisterKind.PROMISED, (Right.ATTRIBUTE,)))
    with pytest.raises(PenstockError) as refused:
        registry.tell([entry])
    assert refused.value.code == "import.register_known"


def test_our_own_comes_back_however_we_are_spelt(registry: Exchange) -> None:
    registry.with_hours()
    raw = registry.sent("owner", named((0, 1_000)))
    shouted = raw.replace(b"yard.example", b"YARD.Example")
    assert shouted != raw
    assert registry.took(shouted, 52) == ["returned"]
    assert registry.took(raw, 53) == ["not_exported"]
    assert registry.all_wh() == 5_000
    assert registry.refused(export, Export("owner", "Yard.EXAMPLE", named((0, 1_000)))) == "export.registry"
