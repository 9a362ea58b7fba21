"""Files of readings - CSV, Parquet, Green Button, S.A.F.E. containers: what they mean, and what is refused of them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.energy.forms import carried, rows
from penstock.energy.forms.csv_rows import read_csv
from penstock.energy.forms.green_button import Base, read_green_button
from penstock.energy.forms.parquet_rows import read_parquet
from penstock.energy.forms.rows import FAULTS_MAX, FileRead
from penstock.energy.forms.safe_xml import read_container
from penstock.energy.message import Said
from penstock.errors import Invalid
from penstock.journal.words import Assurance

HEADER = "device,at,position_wh\n"
NOON_US = 1_767_268_800_000_000  # 2026-01-01T12:00Z


def said(read: FileRead) -> list[Said]:
    return [carried.parse(raw) for raw in read.messages]


def csv(text: str) -> FileRead:
    return read_csv(text.encode())


def code_of(error: pytest.ExceptionInfo[Invalid]) -> str:
    return error.value.code


def test_csv_rows_are_gathered_by_register_in_order_of_time() -> None:
    read = csv(
        "Device, at ,position_kwh,channel,power_w,note\r\n"
        "roof,2026-01-01T13:00:00+01:00,1.5004,,3.25,x\r\n"
        "hill,2026-01-01T12:00:00Z,7,1,,\r\n"
        "roof,2026-01-01T11:45:00Z,1.25,0,,\r\n"
    )
    hill, roof = said(read)
    assert (hill.device, hill.channel, hill.at_us, hill.position_wh) == ("hill", (1,), (NOON_US,), (7000,))
    assert (roof.device, roof.channel, roof.position_wh) == ("roof", (0, 0), (1250, 1500))
    assert roof.at_us == (NOON_US - 900_000_000, NOON_US)
    assert (hill.power_mw, roof.power_mw) == ((-1,), (-1, 3250))
    assert {each.assurance for each in (hill, roof)} == {Assurance.DECLARED}
    assert (read.refused, read.faults) == (0, ())


def test_a_row_that_is_wrong_costs_no_other_its_place() -> None:
    read = csv(
        HEADER
        + "roof,2026-01-01T12:00:00Z,1\n"
        + "roof,2026-01-01T12:15:00,2\n"  # no zone
        + "roof,yesterday,3\n"
        + "roof,1969-12-31T23:59:59Z,3\n"
        + "roof,2026-01-01T12:15:00Z,-4\n"
        + "roof,2026-01-01T12:15:00Z,NaN\n"
        + "roof,2026-01-01T12:15:00Z,1e3\n"
        + "roof,2026-01-01T12:15:00Z,99999999999999999999\n"
        + "roof,2026-01-01T12:15:00Z\n"
        + ",2026-01-01T12:15:00Z,4\n"
        + "ro\tof,2026-01-01T12:15:00Z,4\n"
        + "roof,2026-01-01T12:00:00Z,1\n"  # the same again
        + "roof,2026-01-01T12:00:00Z,9\n"  # another at the same instant
        + "roof,2026-01-01T12:30:00Z,5\n"
    )
    (roof,) = said(read)
    assert roof.position_wh == (1, 5)
    assert [(fault.row, fault.code) for fault in read.faults] == [
        *((row, "time") for row in (2, 3, 4)),
        *((row, "value") for row in (5, 6, 7, 8)),
        (9, "columns"),
        (10, "device"),
        (11, "device"),
        (13, "other_value_at_this_instant"),
    ]
    assert read.refused == 11


def test_only_the_first_faults_are_told() -> None:
    read = csv(HEADER + "x\n" * 1_000)
    assert (read.messages, read.refused, len(read.faults)) == ([], 1_000, FAULTS_MAX)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"device,at\n",
        b"device,at,at_us,position_wh\n",
        b"device,at,position_wh,position_kwh\n",
        b"device,device,at,position_wh\n",
        b"device,at,position_wh,power_w,power_mw\n",
        b"device,at,position_wh,channel,channel\n",
        b'"' + b"x" * 200_000 + b'",at\n',
    ],
)
def test_csv_that_is_none(raw: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        read_csv(raw)
    assert code_of(caught) == "csv.malformed"


def test_files_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ROWS_MAX", 2)
    with pytest.raises(Invalid) as caught:
        csv(HEADER + "roof,2026-01-01T12:00:00Z,1\n" * 3)
    assert code_of(caught) == "file.too_many_rows"
    monkeypatch.setattr(rows, "FILE_BYTES_MAX", 10)
    for read in (read_csv, read_parquet):
        with pytest.raises(Invalid) as caught:
            read(HEADER.encode())
        assert code_of(caught) == "file.too_long"


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet='devicat_poshw,"\n\r -:.0129TZ\0é', max_size=60))
def test_any_text_is_read_or_invalid(text: str) -> None:
    for each in (text, HEADER + text):
        try:
            read = csv(each)
        except Invalid as error:
            assert error.code == "csv.malformed"
        else:
            assert len(read.messages) == 0 or said(read)


def parquet(**columns: Any) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


def test_parquet_says_what_csv_says() -> None:
    at = [datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 11, 45, tzinfo=UTC)]
    read = read_parquet(
        parquet(
            device=["roof", "roof"],
            at=pa.array(at, pa.timestamp("us", "UTC")),
            position_kwh=pa.array([Decimal("1.5004"), Decimal("1.2500")], pa.decimal128(10, 4)),
            power_mw=pa.array([3250, None], pa.int64()),
            note=[1.5, 2.5],
        )
    )
    same = csv("device,at,position_kwh,power_w\nroof,2026-01-01T12:00Z,1.5004,3.25\nroof,2026-01-01T11:45Z,1.25,\n")
    (one,), (other,) = said(read), said(same)
    assert (one.at_us, one.position_wh, one.power_mw) == (other.at_us, other.position_wh, other.power_mw)


def test_parquet_rows_that_are_wrong_cost_no_other_its_place() -> None:
    read = read_parquet(
        parquet(
            device=["roof", None, "roof", "roof", "roof"],
            at_us=pa.array([1, 2, None, 4, -5]),
            position_wh=pa.array([1, 2, 3, -4, 5]),
        )
    )
    (roof,) = said(read)
    assert (roof.at_us, roof.position_wh) == ((1,), (1,))
    assert [(fault.row, fault.code) for fault in read.faults] == [
        (2, "device"),
        (3, "value"),
        (4, "value"),
        (5, "value"),
    ]


GOOD_PARQUET = parquet(device=["roof"], at_us=[1], position_wh=[1])


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "parquet.malformed"),
        (b"PAR1" + bytes(100) + b"PAR1", "parquet.malformed"),
        (GOOD_PARQUET[:-9], "parquet.malformed"),
        (GOOD_PARQUET[:4] + bytes(40) + GOOD_PARQUET[44:], "parquet.malformed"),
        (parquet(device=["roof"], at_us=[1]), "csv.malformed"),
        (parquet(device=["roof"], at_us=[1], position_wh=[1.5]), "parquet.malformed"),
        (parquet(device=[1], at_us=[1], position_wh=[1]), "parquet.malformed"),
        (parquet(device=["roof"], at=[datetime(2026, 1, 1)], position_wh=[1]), "parquet.malformed"),  # noqa: DTZ001
        (parquet(device=["roof"], at=["2026-01-01"], position_wh=[1]), "parquet.malformed"),
        (parquet(device=[["roof"]], at_us=[1], position_wh=[1]), "parquet.malformed"),
    ],
)
def test_parquet_that_is_none(raw: bytes, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_parquet(raw)
    assert code_of(caught) == code


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(GOOD_PARQUET) - 1), st.binary(min_size=1, max_size=4))
def test_damaged_parquet_is_read_or_invalid(at: int, by: bytes) -> None:
    try:
        read = read_parquet(GOOD_PARQUET[:at] + by + GOOD_PARQUET[at + len(by) :])
    except Invalid as error:
        assert error.code.startswith(("parquet.", "csv.", "file."))
    else:
        assert read.refused or said(read)


def entry(resource: str, own: str = "", up: str = "", related: Sequence[str] = ()) -> str:
    links = [("self", own), ("up", up), *(("related", each) for each in related)]
    text = "".join(f'<link rel="{relation}" href="{href}"/>' for relation, href in links if href)
    return f"<entry>{text}<content>{resource}</content></entry>"


def reading_type(uom: int = 72, power: int = 0, flow: int = 1, behaviour: int = 4) -> str:
    return (
        f'<ReadingType xmlns="http://naesb.org/espi"><accumulationBehaviour>{behaviour}</accumulationBehaviour>'
        f"<flowDirection>{flow}</flowDirection><powerOfTenMultiplier>{power}</powerOfTenMultiplier>"
        f"<uom>{uom}</uom></ReadingType>"
    )


def block(*intervals: tuple[Any, Any, Any]) -> str:
    readings = "".join(
        f"<IntervalReading><timePeriod><duration>{duration}</duration><start>{start}</start></timePeriod>"
        f"<value>{value}</value></IntervalReading>"
        for start, duration, value in intervals
    )
    return f'<IntervalBlock xmlns="http://naesb.org/espi">{readings}</IntervalBlock>'


def feed(*entries: str) -> bytes:
    return f'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom">{"".join(entries)}</feed>'.encode()


HOURS = [(3600, 3600, 100), (7200, 3600, 250), (10_800, 3600, 50)]


def test_green_button_intervals_are_added_up_to_positions() -> None:
    read = read_green_button(feed(entry(reading_type()), entry(block(*HOURS))), "home")
    (home,) = said(read)
    assert (home.device, home.channel) == ("home", (0,) * 4)
    assert home.at_us == tuple(second * 1_000_000 for second in (3600, 7200, 10_800, 14_400))
    assert home.position_wh == (0, 100, 350, 400)


def test_green_button_goes_on_from_where_the_register_stood() -> None:
    raw = feed(entry(reading_type()), entry(block(*HOURS)))
    (home,) = said(read_green_button(raw, "home", {0: Base(7_200_000_000, 1_000)}))
    assert (home.at_us, home.position_wh) == ((10_800_000_000, 14_400_000_000), (1_250, 1_300))


def test_green_button_carries_fractions_on() -> None:
    """A third of a watt-hour an hour, in thousandths: the whole ones appear where they complete."""
    thirds = [(3600 * hour, 3600, 333) for hour in range(1, 7)] + [(3600 * 7, 3600, 2)]
    (home,) = said(read_green_button(feed(entry(reading_type(power=-3)), entry(block(*thirds))), "home"))
    assert home.position_wh == (0, 0, 0, 0, 1, 1, 1, 2)


def test_green_button_directions_are_registers_of_their_own() -> None:
    raw = feed(
        entry(reading_type(power=3), "/type/1"),
        entry(reading_type(flow=19), "/type/2"),
        entry(reading_type(uom=38), "/type/3"),
        *(
            entry('<MeterReading xmlns="http://naesb.org/espi"/>', f"/meter/{number}", "", [f"/type/{number}"])
            for number in (1, 2, 3)
        ),
        *(entry(block(*HOURS), up=f"/meter/{number}/IntervalBlock") for number in (1, 2, 3)),
        entry(block((90_000, 3600, 1)), up="/meter/9/IntervalBlock"),
    )
    taken, given_back = said(read_green_button(raw, "home"))
    assert (taken.channel[0], taken.position_wh) == (0, (0, 100_000, 350_000, 400_000))
    assert (given_back.channel[0], given_back.position_wh) == (1, (0, 100, 350, 400))


def test_green_button_intervals_that_are_wrong_cost_no_other_its_place() -> None:
    wrong = [(7200, 0, 1), (7200, 3600, -1), (7200, 3600, "NaN"), (7200, 3600, "9" * 30), (-3600, 3600, 1), ("", 1, 1)]
    raw = feed(entry(reading_type()), entry(block(HOURS[0], *wrong, (5400, 3600, 9), HOURS[2])))
    read = read_green_button(raw, "home")
    (home,) = said(read)
    assert home.position_wh == (0, 100, 150)
    assert sorted(fault.code for fault in read.faults) == ["interval"] * 6 + ["overlap"]


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><feed>&b;</feed>'
FILE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><values><value>&a;</value></values>'


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "green_button.malformed"),
        (b"<a/>", "green_button.malformed"),
        (BOMB, "green_button.malformed"),
        (FILE, "green_button.malformed"),
        (b'<?xml version="1.0" encoding="x-none"?><feed/>', "green_button.malformed"),
        (feed()[:-1], "green_button.malformed"),
        (feed(), "green_button.no_energy"),
        (feed(entry(block(*HOURS))), "green_button.no_energy"),
        (feed(entry(reading_type(uom=38)), entry(block(*HOURS))), "green_button.no_energy"),
        (feed(entry(reading_type(flow=7)), entry(block(*HOURS))), "green_button.no_energy"),
        (feed(entry(reading_type(power=99)), entry(block(*HOURS))), "green_button.no_energy"),
        (feed(entry(reading_type(behaviour=3)), entry(block(*HOURS))), "green_button.no_energy"),
        (feed("<a>" * 100_000 + "</a>" * 100_000), "green_button.no_energy"),
    ],
)
def test_green_button_that_is_none(raw: bytes, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_green_button(raw, "home")
    assert code_of(caught) == code


RECORD = 'OCMF|{"PG":"T1"}|{"SD":"00"}'


def value(data: str = RECORD, key: str = "<publicKey>04 aB</publicKey>", attributes: str = "") -> str:
    return (
        f'<value transactionId="9" context="Transaction.End"><signedData {attributes}>{data}</signedData>{key}</value>'
    )


def container(*values: str) -> bytes:
    return f'<?xml version="1.0"?><values>{"".join(values)}</values>'.encode()


def test_records_of_a_container() -> None:
    encoded = [
        value(RECORD.encode().hex(), attributes='encoding="hex" format="OCMF"'),
        value(base64.b64encode(RECORD.encode()).decode(), attributes='encoding="base64"'),
        value(f"<![CDATA[ {RECORD} ]]>", attributes='encoding="plain"'),
    ]
    found = read_container(b"\xef\xbb\xbf" + container(value(), *encoded))
    assert {each.raw for each in found} == {RECORD.encode() + b"\n04aB"}
    assert {(each.transaction, each.context) for each in found} == {("9", "Transaction.End")}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "safe_xml.malformed"),
        (b"OCMF|{}|{}", "safe_xml.malformed"),
        (b"\xff", "safe_xml.malformed"),
        (container(), "safe_xml.malformed"),
        (b"<feed/>", "safe_xml.malformed"),
        (BOMB, "safe_xml.malformed"),
        (FILE, "safe_xml.malformed"),
        (container("<value/>"), "safe_xml.malformed"),
        (container(value() + "<value>", "</value>"), "safe_xml.malformed"),
        (container(value("zz", attributes='encoding="hex"')), "safe_xml.malformed"),
        (container(value("%", attributes='encoding="base64"')), "safe_xml.malformed"),
        (container(value(attributes='encoding="rot13"')), "safe_xml.malformed"),
        (container(value(attributes='format="EDL_40_P"')), "safe_xml.format"),
        (container(value("1B1B1B1B")), "safe_xml.format"),
        (container(value(key="")), "safe_xml.key"),
        (container(value(key="<publicKey> </publicKey>")), "safe_xml.key"),
        (container(value(key="<publicKey>04</publicKey>" * 2)), "safe_xml.key"),
    ],
)
def test_containers_that_are_none(raw: bytes, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_container(raw)
    assert code_of(caught) == code
