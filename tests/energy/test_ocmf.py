"""OCMF: real records judged as their sheet says; what the form means; no text that crashes the reader."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.energy.forms.obis import energy_register
from penstock.energy.forms.ocmf import RECORD_BYTES_MAX, parse
from penstock.energy.forms.ocmf_reading import instant
from penstock.energy.forms.public_key import read_public_key
from penstock.energy.forms.safe_xml import read_container
from penstock.energy.message import NO_SEQUENCE, Clock, MeterState, Said
from penstock.errors import Invalid
from penstock.keys import KeyKind

DATA = Path(__file__).parents[3] / "shared" / "data" / "ocmf"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data/ocmf is not present")
SHEET: dict[str, Any] = json.loads((DATA / "expected.json").read_text("utf-8"))["files"] if DATA.is_dir() else {}
CURVES = {"secp256r1": KeyKind.P256, "secp256k1": KeyKind.SECP256K1, "secp384r1": KeyKind.P384}
METER = ec.derive_private_key(20_261_122, ec.SECP256R1())
PUBLIC = METER.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


@needs_data
@pytest.mark.parametrize("name", SHEET)
def test_real_records_are_judged_as_their_sheet_says(name: str) -> None:
    sheet = SHEET[name]
    records = [parse(each.raw) for each in read_container((DATA / name).read_bytes())]
    held = Counter(record.is_signed_by(record.public_key) for record in records)
    assert len(records) == sheet["records"]
    assert len({record.signed for record in records}) == sheet["distinct_payloads"]
    assert (held[True], held[False]) == (sheet["signature"]["valid"], sheet["signature"]["invalid"])
    assert {record.key_kind for record in records} == {CURVES[sheet["signature"]["curve"]]}
    assert {record.device for record in records} == {sheet["meter"]["MS"] or sheet["meter"]["GS"]}
    assert [records[0].sequence, records[-1].sequence] == [int(page[1:]) for page in sheet["pages"]]
    assert [record.sequence for record in records] == list(range(records[0].sequence, records[-1].sequence + 1))


@needs_data
@pytest.mark.parametrize("name", SHEET)
def test_what_real_records_say_is_what_their_sheet_says(name: str) -> None:
    """The findings that the checks need are in the columns: clock, state, times, positions."""
    sheet, findings = SHEET[name], SHEET[name]["plausibility"]["findings"]
    records = [parse(each.raw) for each in read_container((DATA / name).read_bytes())]
    at_us, position_wh, clocks, meter = (
        [value for record in records for value in getattr(record, column)]
        for column in ("at_us", "position_wh", "clock", "meter")
    )
    assert [position_wh[0], position_wh[-1]] == [int(float(wh)) for wh in sheet["register_wh"]]
    assert (min(at_us) < instant("2010-01-01T00:00:00,000+0000 S")[0]) == (findings["epoch"] == "refuse")
    assert (Clock.UNSET in clocks) == (findings["clock_unset"] == "refuse")
    assert any(clock in (Clock.INFORMATIVE, Clock.RELATIVE) for clock in clocks) == (
        findings["time_informative"] == "note"
    )
    assert set(meter) == {MeterState.GOOD}
    assert findings["meter_status"] == "pass"
    assert (at_us[0], clocks[0]) == instant(sheet["first_time"])
    assert len(set(zip(at_us, clocks, strict=True))) == sheet["distinct_times"]


@needs_data
def test_the_second_file_of_the_same_records_signs_the_same_payloads() -> None:
    one, other = (
        [parse(each.raw).signed for each in read_container((DATA / name).read_bytes())]
        for name in ("keba_test.xml", "keba_test_txn.xml")
    )
    assert one == other


@needs_data
def test_any_changed_byte_of_a_real_record_breaks_it() -> None:
    raw = read_container((DATA / "chargepoint_3.xml").read_bytes())[0].raw
    end = raw.index(b"|{", 10)
    for at in range(5, end, 7):
        try:
            said = parse(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        except Invalid:
            continue
        assert not said.is_signed_by(said.public_key)


def record(
    payload: dict[str, Any] | str | None = None, signature: dict[str, Any] | str | None = None, **fields: Any
) -> bytes:
    """A record as a meter of ours would sign it, with fields replaced; None takes a field out."""
    text = payload if isinstance(payload, str) else json.dumps(payload or payload_of(**fields))
    signed = METER.sign(text.encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    section = signature if isinstance(signature, str) else json.dumps({"SD": signed.hex(), **(signature or {})})
    return f"OCMF|{text}|{section}".encode()


def payload_of(**fields: Any) -> dict[str, Any]:
    good = {"FV": "1.4", "GS": "gateway", "PG": "T7", "MS": "meter", "RD": [reading(TX="B"), reading(TX="E", RV=2)]}
    return {name: value for name, value in (good | fields).items() if value is not None}


def reading(**fields: Any) -> dict[str, Any]:
    good = {"TM": "2026-01-02T03:04:05,006+0100 S", "RV": 1.5, "RI": "1-0:1.8.0", "RU": "kWh", "EF": "", "ST": "G"}
    return {name: value for name, value in (good | fields).items() if value is not None}


def said_of(*readings: dict[str, Any]) -> Said:
    return parse(record(RD=list(readings)))


def refused(raw: bytes, code: str | None = None) -> None:
    with pytest.raises(Invalid) as caught:
        parse(raw)
    assert caught.value.code == code if code else caught.value.code.startswith("ocmf.")


def test_a_record_of_ours() -> None:
    said = parse(record())
    assert (said.device, said.sequence, said.previous) == ("meter", 7, b"")
    assert said.at_us == (1_767_319_445_006_000,) * 2
    assert said.position_wh == (1500, 2000)
    assert (said.channel, said.power_mw) == ((0, 0), (-1, -1))
    assert said.is_signed_by(PUBLIC)
    assert (said.public_key, said.key_kind) == (b"", KeyKind.P256)


def test_fields_left_out_are_those_before_within_one_record() -> None:
    said = said_of(
        reading(ST="F", RI="1-0:2.8.0"), {"RV": 3}, {"RV": 4, "RI": "1-0:1.8.0", "RU": "Wh"}, {"ST": "G", "RV": 5}
    )
    assert said.channel == (1, 1, 0, 0)
    assert said.position_wh == (1500, 3000, 4, 5)
    assert said.meter == (MeterState.ERROR,) * 3 + (MeterState.GOOD,)
    assert set(said.at_us) == {said.at_us[0]}
    refused(record(RD=[{"RV": 3}]), "ocmf.reading")


@pytest.mark.parametrize(
    ("code", "register"),
    [
        ("1-b:1.8.0", (0, "0")),
        ("1-0:1.8.0*198", (0, "0")),
        ("1-0:2.8.0.FF", (1, "0")),
        ("01-00:01.08.00.FF", (0, "0")),
        ("1-b:1.8.e", (0, "e")),
        ("1-0:1.8.1", (0, "1")),
        ("01-0B:01.08.00*FF", (0, "0")),
        ("1.8.0", (0, "0")),
        ("01-00:B0.08.00*FF", (0, "0")),
        ("01-00:c0.08.00*FF", (1, "0")),
        ("01-00:B1.08.00*FF", (2, "0")),
        ("01-00:B2.08.00*FF", (4, "0")),
        ("01-00:C3.08.00*FF", (7, "0")),
        ("1-b:1.9.0", None),
        ("1-0:98.8.0", None),
        ("01-00:00.08.06.FF", None),
        ("1-0:16.7.0", None),
        ("1-0:B4.8.0", None),
    ],
)
def test_spellings_of_registers(code: str, register: tuple[int, str] | None) -> None:
    assert energy_register(code) == register


def test_registers_of_one_record_are_kept_apart() -> None:
    said = said_of(
        reading(), reading(RI="1-0:2.8.0", RV=9), reading(RI="1-0:1.9.0", RV=7), reading(RI="0-0:0.8.6", RU="sec")
    )
    assert (said.channel, said.position_wh) == ((0, 1), (1500, 9000))


def test_the_total_over_tariffs_counts_and_not_the_tariffs() -> None:
    said = said_of(reading(RI="1-0:1.8.1", RV=1), reading(RI="1-0:1.8.2", RV=2), reading(RI="1-0:1.8.0", RV=3))
    assert said.position_wh == (3000,)
    assert said_of(reading(RI="1-0:1.8.1", RV=1)).position_wh == (1000,)
    refused(record(RD=[reading(RI="1-0:1.8.1"), reading(RI="1-0:1.8.2")]), "ocmf.no_register")
    refused(record(RD=[reading(RI="1-0:1.9.0")]), "ocmf.no_register")


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, MeterState.GOOD),
        ({"ST": None, "EF": None}, MeterState.GOOD),
        ({"EF": "t"}, MeterState.TIME_ERROR),
        ({"EF": "E"}, MeterState.ERROR),
        ({"EF": "Et"}, MeterState.ERROR),
        ({"EF": "?"}, MeterState.ERROR),
        *(({"ST": status}, MeterState.ERROR) for status in "NTDRMXIOSEF"),
        ({"ST": 1}, MeterState.ERROR),
        ({"TX": "X"}, MeterState.ERROR),
    ],
)
def test_states_of_the_meter(fields: dict[str, Any], state: MeterState) -> None:
    assert said_of(reading(**fields)).meter == (state,)


def test_nothing_is_good_after_the_meter_gave_up() -> None:
    said = said_of(reading(TX="B"), reading(TX="X"), reading(TX="E"))
    assert said.meter == (MeterState.GOOD, MeterState.ERROR, MeterState.ERROR)


@pytest.mark.parametrize(("status", "clock"), list(zip("SIRU", Clock, strict=True)))
def test_clocks(status: str, clock: Clock) -> None:
    assert said_of(reading(TM=f"2026-01-02T03:04:05,006-0130 {status}")).clock == (clock,)


@pytest.mark.parametrize(
    ("value", "unit", "wh"),
    [
        (0, "kWh", 0),
        ("       3.988", "kWh", 3988),
        ("1.304", "kWh", 1304),
        (1.2349, "kWh", 1234),
        (0.9999, "Wh", 0),
        (7753, "Wh", 7753),
        (9_223_372_036_854_775_807, "Wh", 9_223_372_036_854_775_807),
    ],
)
def test_positions_are_whole_watt_hours_rounded_down(value: Any, unit: str, wh: int) -> None:
    assert said_of(reading(RV=value, RU=unit)).position_wh == (wh,)


def test_decimals_are_exact() -> None:
    """1.001 kWh is 1,001 Wh; as a binary fraction it lies below."""
    assert int(1.001 * 1000) == 1000
    assert said_of(reading(RV=1.001)).position_wh == (1001,)


def test_fiscal_pages_count_apart() -> None:
    assert parse(record(PG="F12")).sequence == NO_SEQUENCE
    assert parse(record(PG="T0")).sequence == 0


def test_serials() -> None:
    assert parse(record(MS=None)).device == "gateway"
    assert parse(record(MS="")).device == "gateway"
    refused(record(MS=None, GS=None), "ocmf.serial")
    refused(record(MS=7), "ocmf.serial")
    refused(record(MS="m" * 257), "ocmf.serial")


def test_encodings_of_the_signature() -> None:
    text = json.dumps(payload_of())
    der = METER.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    for encoding, signed in (
        ("base64", base64.b64encode(der).decode()),
        ("hex", der.hex()),
        ("hex", der.hex().upper()),
    ):
        assert parse(record(text, {"SE": encoding, "SD": signed})).is_signed_by(PUBLIC)
    refused(record(signature={"SE": "base32"}), "ocmf.signature")
    refused(record(signature={"SE": "base64", "SD": "%"}), "ocmf.signature")
    refused(record(signature={"SD": "xy"}), "ocmf.signature")
    refused(record(signature={"SD": 5}), "ocmf.signature")
    refused(record(signature={"SM": "application/pkcs7"}), "ocmf.signature")
    refused(record(signature="{}"), "ocmf.signature")


def test_algorithms() -> None:
    assert parse(record(signature={"SA": "ECDSA-brainpoolP256r1-SHA256"})).key_kind is KeyKind.BRAINPOOL_P256R1
    assert parse(record(signature={"SA": "ECDSA-brainpool256r1-SHA256"})).key_kind is KeyKind.BRAINPOOL_P256R1
    assert parse(record(signature={"SA": "ECDSA-secp192k1-SHA256"})).key_kind is KeyKind.SECP192K1
    others: list[Any] = ["ECDSA-secp521r1-SHA512", "RSA", "", None, 5, []]
    for name in others:
        refused(record(signature={"SA": name}), "ocmf.unsupported_algorithm")


def test_the_algorithm_said_has_to_be_the_keys() -> None:
    said = parse(record(signature={"SA": "ECDSA-secp256k1-SHA256"}))
    assert said.key_kind is KeyKind.SECP256K1
    assert not said.is_signed_by(PUBLIC)


def test_keys_come_in_many_spellings() -> None:
    der = METER.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    point = METER.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    texts = [
        der.hex(),
        der.hex(" ", 2).upper(),
        base64.b64encode(der).decode(),
        point.hex(),
        point[1:].hex(),
        PUBLIC.hex(),
    ]
    for text in texts:
        assert read_public_key(text, KeyKind.P256) == (KeyKind.P256, PUBLIC)
        assert parse(record() + b"\n" + text.encode()).public_key == PUBLIC
    assert read_public_key(der.hex(), KeyKind.SECP256K1) == (KeyKind.P256, PUBLIC)


@pytest.mark.parametrize(
    "text", ["xyz", "00", "30", "3059", "04" + "00" * 64, "02" + "ff" * 32, "A" * 1_025, "\u0661", "3059" + "00" * 89]
)
def test_keys_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        read_public_key(text, KeyKind.P256)
    refused(record() + b"\n" + text.encode(), "ocmf.key")


DEEP = "[" * 50_000 + "]" * 50_000
BROKEN: list[tuple[str, Any]] = [
    ("RI", None),
    ("RU", None),
    ("RV", None),
    ("TM", None),
    ("RI", 5),
    ("RI", "x"),
    ("RI", "1-0:1.8.0" * 9),
    ("RU", "MWh"),
    ("RU", []),
    ("RV", -1),
    ("RV", "-1"),
    ("RV", "1e3"),
    ("RV", "NaN"),
    ("RV", True),
    ("RV", "\u0661"),
    ("RV", 9_223_372_036_854_775_808),
    ("RV", "9" * 70),
    ("TM", 5),
    ("TM", "2026-01-02T03:04:05,006+0100"),
    ("TM", "2026-01-02T03:04:05.006+0100 S"),
    ("TM", "2026-13-02T03:04:05,006+0100 S"),
    ("TM", "2026-01-02T03:04:60,006+0100 S"),
    ("TM", "2026-01-02T03:04:05,006+9900 S"),
    ("TM", "1969-12-31T23:59:59,000+0000 S"),
    ("TM", "0000-01-02T03:04:05,006+0100 S"),
    ("TM", "2026-01-02T03:04:05,006+0100 Z"),
    ("TX", "Q"),
    ("TX", []),
    ("TX", 1),
]
HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "ocmf.not_ocmf"),
    "another container": (b"<values/>", "ocmf.not_ocmf"),
    "lower case": (record().replace(b"OCMF", b"ocmf"), "ocmf.not_ocmf"),
    "two sections": (b"OCMF|{}", "ocmf.malformed"),
    "a bar within": (record(GI="a|b"), "ocmf.malformed"),
    "not UTF-8": (record().replace(b"gateway", b"gatew\xff\xff"), "ocmf.malformed"),
    "cut short": (record()[:-1], "ocmf.malformed"),
    "a name twice": (record('{"PG":"T1","PG":"T2"}'), "ocmf.malformed"),
    "no JSON": (record("x}"), "ocmf.malformed"),
    "a list": (record("[{}]"), "ocmf.malformed"),
    "NaN": (record('{"RV":NaN}'), "ocmf.malformed"),
    "infinite": (record('{"RV":-Infinity}'), "ocmf.malformed"),
    "too deep": (record(f'{{"U1":{DEEP}}}'), "ocmf.malformed"),
    "deep without end": (b"OCMF|" + b'{"a":' * 20_000 + b"|{}", "ocmf.malformed"),
    "too long": (record(U1="x" * RECORD_BYTES_MAX), "ocmf.malformed"),
    "many digits": (record('{"RV":' + "9" * 5_000 + "}"), "ocmf.malformed"),
    "a line break": (record(GI="x\nsigned by the operator"), "ocmf.control_text"),
    "an escape": (record(U1={"a": ["\x1b[2J"]}), "ocmf.control_text"),
    "text turned around": (record(GI="\u202egnp.exe"), "ocmf.control_text"),
    "a line separator": (record(GI="a\u2028b"), "ocmf.control_text"),
    "a surrogate": (record('{"GI":"\\ud800"}'), "ocmf.control_text"),
    "a name with a break": (record(**{"U\n1": "x"}), "ocmf.control_text"),
    "version 2": (record(FV="2.0"), "ocmf.version"),
    "no page": (record(PG=None), "ocmf.page"),
    "a page with a zero before": (record(PG="T07"), "ocmf.page"),
    "a page of another context": (record(PG="X7"), "ocmf.page"),
    "a page that is negative": (record(PG="T-7"), "ocmf.page"),
    "a page beyond 63 bits": (record(PG="T9999999999999999999"), "ocmf.page"),
    "a page that is a number": (record(PG=7), "ocmf.page"),
    "no readings": (record(RD=[]), "ocmf.reading"),
    "readings of no list": (record(RD={"TM": 1}), "ocmf.reading"),
    "too many readings": (record(RD=[{}] * 4_097), "ocmf.reading"),
    "a reading that is none": (record(RD=[5]), "ocmf.reading"),
    **{f"{name} {value!r}"[:40]: (record(RD=[reading(**{name: value})]), "ocmf.reading") for name, value in BROKEN},
    "an exponent beyond all": (record(json.dumps(payload_of()).replace("1.5", "1e999999999999")), "ocmf.reading"),
    "an exponent that eats memory": (record(json.dumps(payload_of()).replace("1.5", "1e99999999")), "ocmf.reading"),
    "a fraction that eats memory": (record(json.dumps(payload_of()).replace("1.5", "1e-99999999")), "ocmf.reading"),
}


@pytest.mark.parametrize(("raw", "code"), HOSTILE.values(), ids=HOSTILE)
def test_what_is_malformed_is_invalid_with_its_code(raw: bytes, code: str) -> None:
    refused(raw, code)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["FV", "GS", "PG", "MS", "RD", "U1"])
reading_names = st.sampled_from(["TM", "TX", "RV", "RI", "RU", "EF", "ST"])


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(names, json_values, max_size=3),
    st.dictionaries(reading_names, json_values, max_size=3),
    st.dictionaries(st.sampled_from(["SD", "SA", "SE", "SM"]), json_values, max_size=2),
)
def test_any_json_is_a_record_or_invalid(fields: Any, broken: Any, signature: Any) -> None:
    raw = record(payload_of(**{"RD": [reading(), {**reading(), **broken}], **fields}), signature)
    try:
        said = parse(raw)
    except Invalid as error:
        assert error.code.startswith("ocmf.")
    else:
        assert min(said.at_us + said.position_wh) >= 0
        assert len(said.at_us) == len(said.meter) > 0


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_record_or_invalid(raw: bytes) -> None:
    refused(raw)
    refused(b"OCMF|" + raw)
    refused(b"OCMF|{" + raw + b"}|{}")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 4 * 10**12), st.sampled_from("SIRU"), st.integers(0, 10**15)), min_size=1, max_size=6
    )
)
def test_readings_survive_their_text(rows: list[tuple[int, str, int]]) -> None:
    stamps = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms) for at_ms, _, _ in rows]
    said = said_of(
        *(
            reading(TM=f"{at:%Y-%m-%dT%H:%M:%S},{at.microsecond // 1000:03d}+0000 {status}", RV=wh, RU="Wh")
            for at, (_, status, wh) in zip(stamps, rows, strict=True)
        )
    )
    assert said.at_us == tuple(at_ms * 1000 for at_ms, _, _ in rows)
    assert said.position_wh == tuple(wh for _, _, wh in rows)
    assert said.clock == tuple("SIRU".index(status) for _, status, _ in rows)
