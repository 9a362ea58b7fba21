"""Messages of every form, from their bytes to a verdict: real records, keys that differ, levels that are weaker."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from energy_kit import START_US, devices, enrolled, key_of, packet
from test_ocmf import PUBLIC, payload_of, reading, record

from penstock.energy.device import Devices
from penstock.energy.forms import ocmf, pogg
from penstock.energy.forms.carried import Carried, origin_of, write
from penstock.energy.forms.cose import sign
from penstock.energy.forms.safe_xml import read_container
from penstock.energy.judge import Judged, judge, prepare
from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.journal.words import ASSURANCES, Assurance, Form, Technology
from penstock.keys import KeyKind, PointKey

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not present")
SHEET: dict[str, Any] = (
    json.loads((DATA / "ocmf" / "expected.json").read_text("utf-8"))["files"] if DATA.is_dir() else {}
)
NOW_US = 1_796_000_000_000_000
YEAR_2010_US = 1_262_304_000_000_000


def meter(name: str, kind: KeyKind, public: bytes, level: Assurance = Assurance.METER_SIGNED) -> Devices:
    """A charger enrolled with this key, in use since 2010."""
    found = Devices()
    one = replace(
        enrolled(name, 1_000_000),
        key_kind=kind,
        public_key=public,
        assurance=level,
        technology=Technology.CHARGER,
        commissioned_us=YEAR_2010_US,
    )
    found.enrol(one, 10)
    return found


def judged(messages: list[tuple[Form, bytes]], found: Devices) -> Judged:
    return judge(prepare(messages, found), [raw for _, raw in messages], NOW_US, found)


def messages_of(verdicts: Judged) -> list[MessageVerdict]:
    return [MessageVerdict(verdict) for verdict in verdicts.packets["verdict"]]


@needs_data
@pytest.mark.parametrize("name", SHEET)
def test_real_charging_records_to_their_verdicts(name: str) -> None:
    sheet = SHEET[name]
    raws = [(Form.OCMF, each.raw) for each in read_container((DATA / "ocmf" / name).read_bytes())]
    said = ocmf.parse(raws[0][1])
    assert said.key_kind is not None
    found = judged(raws, meter(said.device, said.key_kind, said.public_key))
    held = Counter(messages_of(found))
    assert held[MessageVerdict.ACCEPTED] == sheet["signature"]["valid"]
    assert held[MessageVerdict.BAD_SIGNATURE] == sheet["signature"]["invalid"]
    counted = found.readings["verdict"] == 0
    match sheet["plausibility"]["verdict"]:
        case "accept":
            assert counted.all()
            assert len(counted)
        case "refuse":
            assert len(counted)
            assert not counted.any()
        case _:
            assert not len(counted)
    seen = np.bitwise_or.reduce(found.readings["findings"], initial=0)
    for rule, code in (
        ("clock_unset", ReadingVerdict.CLOCK_UNSET),
        ("epoch", ReadingVerdict.BEFORE_TIME),
        ("meter_status", ReadingVerdict.METER_ERROR),
    ):
        if len(counted):
            assert bool(seen >> code & 1) == (sheet["plausibility"]["findings"][rule] == "refuse"), rule


@needs_data
def test_the_published_generation_report_to_its_verdict() -> None:
    raw = (DATA / "arkreen" / "pogg_report.json").read_bytes()
    said = pogg.parse(raw)
    address = bytes.fromhex(said.device[2:])
    assert messages_of(judged([(Form.POGG, raw)], meter(said.device, KeyKind.ETH_ADDRESS, address))) == [0]
    changed = raw.replace(b"0000000069780000000016820620", b"0000000069790000000016820620")
    found = judged([(Form.POGG, changed)], meter(said.device, KeyKind.ETH_ADDRESS, address))
    assert messages_of(found) == [MessageVerdict.BAD_SIGNATURE]


def test_each_reason_to_refuse_a_record_has_its_own_verdict() -> None:
    ours, stranger = meter("meter", KeyKind.P256, PUBLIC), meter("other", KeyKind.P256, PUBLIC)
    another = PointKey(KeyKind.P256, b"\1" * 32).public
    good = record()
    table: list[tuple[bytes, Devices, MessageVerdict]] = [
        (good, ours, MessageVerdict.ACCEPTED),
        (good + b"\n" + PUBLIC.hex().encode(), ours, MessageVerdict.ACCEPTED),
        (good.replace(b"gateway", b"gateweg"), ours, MessageVerdict.BAD_SIGNATURE),
        (good, meter("meter", KeyKind.P256, another), MessageVerdict.BAD_SIGNATURE),
        (good + b"\n" + another.hex().encode(), ours, MessageVerdict.WRONG_KEY),
        (record(signature={"SA": "ECDSA-secp256k1-SHA256"}), ours, MessageVerdict.WRONG_KEY),
        (record(signature={"SA": "ECDSA-secp521r1-SHA256"}), ours, MessageVerdict.UNSUPPORTED_KEY),
        (record(GI="a\nb"), ours, MessageVerdict.MALFORMED),
        (b"<values/>", ours, MessageVerdict.MALFORMED),
        (good, stranger, MessageVerdict.UNKNOWN_DEVICE),
    ]
    for raw, found, verdict in table:
        assert messages_of(judged([(Form.OCMF, raw)], found)) == [verdict]


def test_pages_of_a_transaction_follow_each_other() -> None:
    def page(number: int) -> tuple[Form, bytes]:
        at = reading(TM=f"2026-01-02T03:{number:02d}:05,006+0100 S", RV=number)
        return Form.OCMF, record(payload_of(PG=f"T{number}", RD=[at]))

    found = judged([page(5), page(6), page(6), page(8), page(7)], meter("meter", KeyKind.P256, PUBLIC))
    V = MessageVerdict
    assert messages_of(found) == [V.ACCEPTED, V.ACCEPTED, V.REPLAYED, V.GAP, V.ACCEPTED]


def test_a_record_of_a_meter_in_error_counts_nothing() -> None:
    raw = record(RD=[reading(TX="B"), reading(TX="E", RV=2, ST="M", TM="2026-01-02T04:04:05,006+0100 S")])
    found = judged([(Form.OCMF, raw)], meter("meter", KeyKind.P256, PUBLIC))
    assert found.readings["verdict"].tolist()[-1] == ReadingVerdict.METER_ERROR


def test_the_weaker_level_counts() -> None:
    carried = Carried("file", "meter", 0, Assurance.DECLARED, origin_of(b""), (NOW_US - 10**9,), (1,))
    cloud = replace(carried, source="cloud", assurance=Assurance.VENDOR_ATTESTED)
    levels = {
        (Form.CARRIED, write(carried)): (Assurance.VENDOR_ATTESTED, Assurance.DECLARED),
        (Form.CARRIED, write(cloud)): (Assurance.VENDOR_ATTESTED, Assurance.VENDOR_ATTESTED),
        (Form.OCMF, record()): (Assurance.GATEWAY_SIGNED, Assurance.GATEWAY_SIGNED),
    }
    for message, (enrolled_as, counts_as) in levels.items():
        batch = prepare([message], meter("meter", KeyKind.P256, PUBLIC, enrolled_as))
        assert [ASSURANCES[level] for level in batch.assurance] == [counts_as]
        assert batch.reached.tolist() == [0]


def test_what_nobody_signed_is_not_taken_from_a_meter_that_signs() -> None:
    carried = write(Carried("file", "meter", 0, Assurance.DECLARED, origin_of(b""), (NOW_US - 10**9,), (1,)))
    found = judged([(Form.CARRIED, carried)], meter("meter", KeyKind.P256, PUBLIC))
    assert messages_of(found) == [MessageVerdict.NOT_TAKEN]


def test_good_messages_count_beside_garbage_of_every_form() -> None:
    good = sign(packet("roof"), key_of("roof"))
    garbage = [(form, raw) for form in Form for raw in (b"", b"\xff", b"{", b"OCMF|", b"\xd2\x84", bytes(300))]
    messages = [*garbage, (Form.COSE, good), *garbage]
    found = judge(prepare(messages, devices("roof")), [raw for _, raw in messages], START_US + 10**11, devices("roof"))
    expected = [MessageVerdict.MALFORMED] * len(garbage)
    assert messages_of(found) == [*expected, MessageVerdict.ACCEPTED, *expected]
    assert (found.readings["verdict"] == 0).all()
